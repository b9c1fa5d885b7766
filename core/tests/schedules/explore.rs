//! Plays an execution in many schedules.

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};
use std::env;

/// How often PCT changes the priorities in one execution, plus one.
const DEPTH: usize = 5;

/// More steps than an honest execution takes.
const MAX_STEPS: usize = 400_000;

/// Plays `execution` in `schedules` schedules, or in as many as `ASYNCPAL_SCHEDULES` says, half of
/// them by each scheduler.
///
/// # Panics
///
/// If an execution panics, deadlocks or does not end.
pub fn explore(schedules: usize, execution: impl Fn() + Send + Sync + Copy + 'static) {
    let schedules = env::var("ASYNCPAL_SCHEDULES").map_or(schedules, |number| {
        number.parse().unwrap_or_else(|error| panic!("ASYNCPAL_SCHEDULES is `{number}`: {error}"))
    });
    // The same ones in every run, unless SHUTTLE_RANDOM_SEED says otherwise.
    play(RandomScheduler::new_from_seed(1, schedules / 2), execution);
    play(PctScheduler::new_from_seed(1, DEPTH, schedules / 2), execution);
}

fn play(scheduler: impl Scheduler + 'static, execution: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::default();
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    // That orderings are out of reach is said in the documentation.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(execution);
}
