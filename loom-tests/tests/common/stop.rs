//! A thread that stops in the middle of an operation, at each of its steps in turn.
#![allow(dead_code, reason = "each test file uses a part")]

use asyncpal_core::sync::stall;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::sync::{Arc, Notify};
use loom_tests::model_bounded;

/// Where a thread stops.
#[derive(Clone)]
pub(crate) struct Stop {
    step: usize,
    gate: Arc<Notify>,
    /// How often a thread did stop.
    stops: std::sync::Arc<AtomicUsize>,
}

impl Stop {
    /// Before this atomic operation, of those that the thread carries out from [`Self::arm`] on.
    pub(crate) fn at(step: usize) -> Self {
        Self::counted(step, &std::sync::Arc::default())
    }

    fn counted(step: usize, stops: &std::sync::Arc<AtomicUsize>) -> Self {
        Self { step, gate: Arc::new(Notify::new()), stops: stops.clone() }
    }

    /// What lets the thread go on, once it was notified.
    pub(crate) fn gate(&self) -> Arc<Notify> {
        self.gate.clone()
    }

    /// The calling thread will stop.
    pub(crate) fn arm(&self) {
        stall::arm(self.step, self.gate());
        self.stops.fetch_add(1, Relaxed);
    }

    /// The calling thread will not stop any more, if it was to.
    pub(crate) fn disarm(&self) {
        if stall::disarm() {
            self.stops.fetch_sub(1, Relaxed);
        }
    }

    /// Runs `f`, in which the calling thread stops.
    pub(crate) fn during<T>(&self, f: impl FnOnce() -> T) -> T {
        self.arm();
        let result = f();
        self.disarm();
        result
    }
}

/// Checks `f` once per step at which the thread can stop, until there is none left. It stops there
/// without a preemption.
pub(crate) fn at_every_step(
    name: &str,
    bound: usize,
    f: impl Fn(Stop) + Clone + Send + Sync + 'static,
) {
    for step in 0.. {
        let stops = std::sync::Arc::new(AtomicUsize::new(0));
        let (f, counted) = (f.clone(), stops.clone());
        model_bounded(name, Some(bound), move || f(Stop::counted(step, &counted)));
        if stops.load(Relaxed) == 0 {
            assert!(step > 2, "an operation takes more steps than {step}");
            return;
        }
    }
}
