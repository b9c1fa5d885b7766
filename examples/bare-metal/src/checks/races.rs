//! What one hart does at the very moment when another does something else.
//!
//! A wake-up that is lost ends the program, see `wait`.

#![forbid(unsafe_code)]

use core::array;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use asyncpal::clock::Clock;

use super::{Gate, PAUSES, Verdict, completed, ensure_eq, join, say, submit};
use crate::harts::WORKERS;
use crate::machine::Mtime;
use crate::pool::{Outcome, POOL};
use crate::report::Note;
use crate::wait::{look_until, sleep, watch};

const ROUNDS: usize = if PAUSES { 3_000 } else { 20_000 };

/// How much earlier or later a task ends than the one before.
const STEP: Duration = Duration::from_nanos(if PAUSES { 3_000 } else { 500 });

/// A worker has gone to sleep by then.
const LATEST: Duration = STEP.saturating_mul(100);

/// How long hart 0 sleeps.
const NAP: Duration = Duration::from_micros(10);

/// Another short time in each round.
fn some_time(round: usize) -> Duration {
    STEP * (round % 16) as u32
}

/// Waits so long, awake.
fn dawdle(time: Duration) {
    let until = Mtime.now().after(time);
    while Some(Mtime.now()) < until {}
}

/// What the last task has said.
struct Chase {
    /// Its number; it is about to end.
    ending: AtomicUsize,
    /// How often its worker had slept before it.
    slept: AtomicUsize,
}

impl Chase {
    const fn new() -> Self {
        Self { ending: AtomicUsize::new(usize::MAX), slept: AtomicUsize::new(0) }
    }

    /// Task `round`: says that it is about to end, and ends a little later.
    fn announce(&self, round: usize, late: Duration) -> usize {
        // ORDERING: Relaxed: the next store publishes it.
        self.slept.store(POOL.totals().sleeps, Ordering::Relaxed);
        // ORDERING: Release: see `run`.
        self.ending.store(round, Ordering::Release);
        dawdle(late);
        round
    }

    /// One task at a time; each is submitted at the moment when the worker of the one before has
    /// ended it, published it, looked for another, and falls asleep or goes. No other worker is free
    /// to find it.
    ///
    /// The moment is found by trial: if the worker slept before it got a task, the next task ends a
    /// little later, else a little earlier.
    fn run(&'static self, gate: &'static Gate) -> Verdict {
        // How late a task ends if hart 0 looks for the announcement and then submits, and if it
        // sleeps in between: where harts share a processor of the host, the worker has it then until
        // hart 0 wakes, whatever the worker is doing.
        let mut late = [Duration::ZERO; 2];
        let busy = gate.occupy::<{ WORKERS - 1 }>();

        let mut last = submit(|| self.announce(0, Duration::ZERO));
        let mut slept = 0;
        for round in 1..ROUNDS {
            // ORDERING: Acquire: what the task had to say.
            look_until(|| self.ending.load(Ordering::Acquire) == round - 1);
            // ORDERING: Relaxed: see above.
            let before = core::mem::replace(&mut slept, self.slept.load(Ordering::Relaxed));
            let aim = &mut late[(round - 1) % 2];
            *aim =
                if slept == before { aim.saturating_sub(STEP) } else { (*aim + STEP).min(LATEST) };
            if round % 2 == 1 {
                sleep(NAP);
            }
            let late = late[(round + 1) % 2];
            let next = submit(move || self.announce(round, late));
            let last = core::mem::replace(&mut last, next);
            ensure_eq("the result", completed(watch(last)), round - 1)?;
        }
        ensure_eq("the result", completed(watch(last)), ROUNDS - 1)?;
        gate.open();
        busy.into_iter().for_each(join);
        Ok(())
    }
}

pub(super) fn submit_and_sleep(note: &mut Note) -> Verdict {
    static GATE: Gate = Gate::new();
    static CHASE: Chase = Chase::new();

    say(note, format_args!("{ROUNDS} rounds"));
    CHASE.run(&GATE)
}

/// There is work for some or all of the workers.
pub(super) fn bursts_and_sleep(note: &mut Note) -> Verdict {
    for round in 0..ROUNDS / WORKERS {
        let count = round % WORKERS + 1;
        let tasks: [_; WORKERS] =
            array::from_fn(|n| (n < count).then(|| submit(move || round + n)));
        for (n, task) in tasks.into_iter().flatten().enumerate() {
            ensure_eq("the result", completed(watch(task)), round + n)?;
        }
        dawdle(some_time(round));
    }
    say(note, format_args!("{} rounds", ROUNDS / WORKERS));
    Ok(())
}

/// Workers that find nothing to do retire at once.
pub(super) fn submit_and_retire(note: &mut Note) -> Verdict {
    static GATE: Gate = Gate::new();
    static CHASE: Chase = Chase::new();
    let harts = POOL.kind();
    let births = harts.births();
    harts.set_keep_alive(Duration::ZERO);
    POOL.rouse_workers();

    CHASE.run(&GATE)?;

    harts.set_keep_alive(Duration::from_secs(60));
    say(note, format_args!("{ROUNDS} rounds, {} workers", harts.births() - births));
    Ok(())
}

/// Either the task runs and its result comes, or it does not run at all.
pub(super) fn cancel_and_claim(note: &mut Note) -> Verdict {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let mut cancelled = 0;

    for round in 0..ROUNDS {
        let handle = submit(|| {
            // ORDERING: Relaxed: the outcome makes it seen.
            RAN.fetch_add(1, Ordering::Relaxed);
        });
        dawdle(some_time(round));
        let told = handle.cancel();
        match handle.join(&crate::wait::MAIN) {
            Outcome::Cancelled(None) if told => cancelled += 1,
            Outcome::Completed(()) if !told => {}
            _ => return ensure_eq("a cancel's answer", told, !told),
        }
    }
    join(submit(|| ()));

    say(note, format_args!("{cancelled} of {ROUNDS} cancelled"));
    // ORDERING: Relaxed: all of them are over.
    ensure_eq("runs", RAN.load(Ordering::Relaxed), ROUNDS - cancelled)
}
