//! The scene of the task's models: a job whose every end is counted, and who waits for it.

use crate::ends::Ends;
use crate::memory::{ALL, watched};
use crate::parker::Parker;
use asyncpal_core::error::Outcome;
use asyncpal_core::task::testing::{self, Home};
use asyncpal_core::task::{Handle, Job, Registration, Status, TaskRef};
use core::task::{Context, Poll, Waker};
use loom::sync::Arc;
use loom::thread::JoinHandle;
use loom_tests::{model, model_bounded};

/// What [`Ends`] counts: runs of the job, its drops, drops of what it returned or why it was
/// cancelled.
pub(crate) const RUN: usize = 0;
const JOB: usize = 1;
pub(crate) const OUTCOME: usize = 2;
/// Calls of a callback; its drops are at `DROPPED` more.
pub(crate) const CALLBACK: usize = 4;
pub(crate) const DROPPED: usize = 4;

/// Checks a task in every execution; afterwards its job has ended once and its memory is free.
pub(crate) fn play(
    name: &str,
    bound: Option<usize>,
    execution: impl Fn(Scene) + Send + Sync + 'static,
) {
    let checked = move || {
        watched(ALL, || {
            let (ends, home) = (Ends::default(), Home::new());
            let (entry, handle) = testing::task(Work { ends: ends.clone() }, &home);
            execution(Scene { entry, handle, ends: ends.clone(), home });
            assert_eq!(ends.of(JOB), 1, "a job ends once, run or not");
        });
    };
    match bound {
        Some(2) => model(name, checked),
        bound => model_bounded(name, bound, checked),
    }
}

pub(crate) struct Scene {
    pub(crate) entry: TaskRef<(), Value>,
    pub(crate) handle: Handle<Value, Value>,
    pub(crate) ends: Ends,
    pub(crate) home: Arc<Home>,
}

/// The job. Its alignment makes the task's memory watched.
#[repr(align(1024))]
struct Work {
    ends: Ends,
}

impl Job<(), Value> for Work {
    type Output = Value;

    fn run(self, (): &mut ()) -> Result<Value, Value> {
        self.ends.note(RUN);
        Ok(Value::new(&self.ends))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.ends.note(JOB);
    }
}

/// An output or a failure.
pub(crate) struct Value {
    ends: Ends,
}

impl Value {
    pub(crate) fn new(ends: &Ends) -> Self {
        Self { ends: ends.clone() }
    }

    /// Whether it is what a job returned: its own end is still to come.
    pub(crate) fn is_whole(&self) -> bool {
        self.ends.of(RUN) == 1 && self.ends.of(OUTCOME) == 0
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.ends.note(OUTCOME);
    }
}

/// A callback whose calls and drops are counted.
pub(crate) fn callback(ends: &Ends, number: usize) -> Box<dyn FnOnce(Status) + Send> {
    let dropped = Dropped { ends: ends.clone(), number };
    Box::new(move |status| {
        assert!(status.is_done());
        dropped.ends.note(dropped.number);
    })
}

struct Dropped {
    ends: Ends,
    number: usize,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.ends.note(self.number + DROPPED);
    }
}

/// Waits as a blocking wait does.
pub(crate) fn wait(handle: &Handle<Value, Value>, parker: &std::sync::Arc<Parker>) {
    match handle.register(&parker.clone().into()) {
        Registration::Armed(_registered) => parker.park(),
        Registration::Done => {}
        Registration::Busy => unreachable!("nobody else waits"),
    }
    assert!(handle.is_done(), "woken before the end");
}

pub(crate) fn poll(
    handle: &mut Handle<Value, Value>,
    parker: &std::sync::Arc<Parker>,
) -> Option<Outcome<Value, Value>> {
    let waker = Waker::from(parker.clone());
    match handle.poll_outcome(&mut Context::from_waker(&waker)) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

pub(crate) fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no thread of a model panics")
}
