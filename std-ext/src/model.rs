//! For models of code that uses the pools: what a model needs besides loom.
//!
//! Exists only with `--cfg asyncpal_loom` and the feature `loom`. The guide is
//! `docs/model-checking.md`.

use core::panic::AssertUnwindSafe;
use std::panic::{catch_unwind, resume_unwind};

/// The checker: take its types from here, so that they are those of the pools.
pub use loom;

pub use crate::sync::checked::time::Time;
use crate::sync::checked::{panic, time};
use crate::sync::program::{AtomicUsize, Mutex, OnceLock, lock};
use crate::sync::{Arc, Ordering};

/// Steps after which loom takes one execution for an endless loop. Its own default, 1000, is less
/// than an honest model with a pool takes.
const MAX_STEPS: usize = 100_000;

/// What a check did.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Explored {
    /// How many executions were run.
    pub executions: usize,
    /// Whether this loom leaves interleavings out, as the published one does. Then the model was
    /// run in many executions and nothing was proved.
    pub skipped_interleavings: bool,
}

/// Runs `model` in every execution in which threads are preempted at most `preemptions` times;
/// `None`: in every execution.
///
/// loom's variables that end a run early have no effect.
///
/// # Panics
///
/// With the first panic of an execution: of the model's main thread, or of the checker, on whatever
/// thread. A panic of a task is the task's failure, as ever.
pub fn check(
    preemptions: impl Into<Option<usize>>,
    model: impl Fn() + Send + Sync + 'static,
) -> Explored {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = {
        let executions = executions.clone();
        move || {
            // ORDERING: Relaxed: a count, and a model runs on one thread of the system.
            executions.fetch_add(1, Ordering::Relaxed);
            model();
        }
    };
    explore(preemptions.into(), counted);
    Explored {
        // ORDERING: Relaxed: as above.
        executions: executions.load(Ordering::Relaxed),
        skipped_interleavings: skips_interleavings(),
    }
}

/// Whether this loom leaves interleavings out (tokio-rs/loom#392): whether an own load of an atomic
/// hides another thread's.
pub fn skips_interleavings() -> bool {
    // ORDERING: Relaxed: which order is tried is the question, not what it publishes.
    use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
    static ANSWER: OnceLock<bool> = OnceLock::new();

    *ANSWER.get_or_init(|| {
        let seen = Arc::new(Mutex::new([false; 2]));
        let outcomes = seen.clone();
        explore(None, move || {
            let flag = loom::sync::Arc::new(AtomicBool::new(false));
            let theirs = flag.clone();
            let other = loom::thread::spawn(move || {
                theirs.load(Relaxed);
                theirs.store(true, Relaxed);
            });
            let outcome = flag.load(Relaxed);
            other.join().expect("the other thread does not panic");
            lock(&outcomes)[usize::from(outcome)] = true;
        });
        *lock(&seen) != [true; 2]
    })
}

/// Runs a model to its end, and nothing else: no variable ends it early.
///
/// # Panics
///
/// As [`check`].
#[track_caller]
pub fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound = preemptions;
    checker.max_branches = MAX_STEPS;
    checker.max_permutations = None;
    checker.max_duration = None;
    checker.checkpoint_file = None;
    // What an earlier model on this thread may have left.
    panic::watch();
    panic::take_verdict();
    let outcome = catch_unwind(AssertUnwindSafe(|| checker.check(model)));
    time::forget();
    if let Err(payload) = outcome {
        resume_unwind(panic::take_verdict().unwrap_or(payload));
    }
}
