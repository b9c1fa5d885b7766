//! A thread that stops in the middle of an operation, at each of its steps in turn.

use asyncpal_core::sync::stall;
use core::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Notify};
use loom_tests::model_bounded;

/// Where a thread stops.
pub(crate) struct Stop {
    step: usize,
    gate: Arc<Notify>,
    /// Executions in which it did.
    stopped: std::sync::Arc<AtomicUsize>,
}

impl Stop {
    /// What lets the thread go on, once it was notified.
    pub(crate) fn gate(&self) -> Arc<Notify> {
        self.gate.clone()
    }

    /// Runs `f`, in which the calling thread stops.
    pub(crate) fn during(self, f: impl FnOnce()) {
        stall::arm(self.step, self.gate);
        f();
        if !stall::disarm() {
            self.stopped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Checks `f` once per atomic operation of what it runs during [`Stop::during`], each time with that
/// operation as the one before which the thread stops, until there is none left.
pub(crate) fn at_every_step(name: &str, f: impl Fn(Stop) + Clone + Send + Sync + 'static) {
    for step in 0.. {
        let stopped = std::sync::Arc::new(AtomicUsize::new(0));
        let (f, count) = (f.clone(), stopped.clone());
        // One preemption takes the thread to its step; there it stops without one.
        model_bounded(name, Some(1), move || {
            f(Stop { step, gate: Arc::new(Notify::new()), stopped: count.clone() });
        });
        if stopped.load(Ordering::Relaxed) == 0 {
            assert!(step > 2, "an operation takes more steps than {step}");
            return;
        }
    }
}
