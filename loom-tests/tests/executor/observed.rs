//! A pool of the models: what its callers are told, and what happened.
#![allow(dead_code, reason = "each of two test files uses a part")]

use super::kind::{Cause, Desk, Errand, HeapLending, ModelKind, Record, Script, TaskHandle};
use super::owner::{Leaked, Owner};
use super::park::ModelPark;
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{Executor, Heap, Rejection};
use core::sync::atomic::Ordering::Relaxed;
use core::task::{Context, Poll, Waker};
use loom::thread;
use std::sync::{Arc, Mutex, PoisonError};

/// What became of a submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Ran,
    Cancelled(Option<Cause>),
    GivenBack(Refusal),
}

impl Fate {
    fn of(outcome: Outcome<(), Cause>) -> Self {
        match outcome {
            Outcome::Completed(()) => Self::Ran,
            Outcome::Cancelled(cause) => Self::Cancelled(cause),
            Outcome::Failed(cause) => panic!("no errand fails: {cause:?}"),
        }
    }
}

/// Why a job was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Closed,
    Broken,
    Full,
    Spawn(Cause),
}

/// An executor, what happens to its workers, and what happened.
pub struct Pool<O: Owner = Executor<ModelKind<Heap>>> {
    pub executor: O,
    record: Arc<Record>,
    beds: Mutex<Vec<Leaked<ModelPark>>>,
}

impl<O: Owner> Pool<O> {
    pub fn new(max_workers: usize, script: Script) -> Self {
        let record = Arc::new(Record::default());
        let kind = ModelKind::new(max_workers, script, &record);
        Self { executor: O::new(kind, max_workers), record, beds: Mutex::default() }
    }

    pub fn submit(&self) -> Result<TaskHandle, Refusal> {
        self.submit_errand(None)
    }

    pub fn submit_work(&self, work: impl FnOnce() + Send + 'static) -> Result<TaskHandle, Refusal> {
        self.submit_errand(Some(Box::new(work)))
    }

    /// Submits until there is room.
    pub fn submit_patiently(&self) -> Result<TaskHandle, Refusal> {
        loop {
            match self.submit() {
                Err(Refusal::Full) => thread::yield_now(),
                submitted => return submitted,
            }
        }
    }

    fn submit_errand(&self, work: Option<Box<dyn FnOnce() + Send>>) -> Result<TaskHandle, Refusal> {
        let submitted = self.executor.submit(Errand::new(&self.record, work));
        submitted.map_err(|rejected| self.refusal(rejected.reason))
    }

    fn refusal(&self, reason: Rejection<Cause>) -> Refusal {
        match reason {
            Rejection::Closed => Refusal::Closed,
            Rejection::Broken => {
                let has_cause = self.record.has_cause.load(Relaxed);
                assert_eq!(has_cause, 1, "L3: the pool is seen broken before its cause");
                Refusal::Broken
            }
            Rejection::Full => Refusal::Full,
            Rejection::Spawn(cause) => Refusal::Spawn(cause),
            reason => unreachable!("{reason:?}"),
        }
    }

    /// A parker for one wait; it stays until the pool has ended.
    fn bed(&self) -> &'static ModelPark {
        let bed = Leaked::new(ModelPark::new());
        let parker = bed.get();
        self.beds.lock().unwrap_or_else(PoisonError::into_inner).push(bed);
        parker
    }

    /// Waits as a caller without an allocator does.
    pub fn join(&self, submitted: Result<TaskHandle, Refusal>) -> Fate {
        match submitted {
            Ok(handle) => Fate::of(handle.join(self.bed())),
            Err(refusal) => Fate::GivenBack(refusal),
        }
    }

    /// What a worker does that waits for a task: runs it if it is pending.
    pub fn join_nested(&self, submitted: Result<TaskHandle, Refusal>) -> Fate {
        match submitted {
            Ok(handle) => Fate::of(self.executor.join_nested(handle, self.bed())),
            Err(refusal) => Fate::GivenBack(refusal),
        }
    }

    /// Waits until every worker is gone, of its own accord.
    pub fn join_workers(&self) {
        self.record.join_workers();
    }

    /// How many jobs have begun.
    pub fn runs(&self) -> usize {
        self.record.runs.load(Relaxed)
    }

    /// How many workers have tried to sit down.
    pub fn seats(&self) -> usize {
        self.record.opened.load(Relaxed)
    }

    /// How many workers were spawned, and how many could not be, as the kind knows it.
    pub fn spawns(&self) -> (usize, usize) {
        let Record { spawns, failed_spawns, .. } = &*self.record;
        (spawns.load(Relaxed), failed_spawns.load(Relaxed))
    }

    /// The owner goes; waits until every worker is gone.
    pub fn end(self) -> Ended {
        let Self { executor, record, beds: _beds } = self;
        executor.end(&record);
        let ended = Ended(record);
        ended.assert_all_gone();
        ended
    }
}

impl Pool<Executor<ModelKind<HeapLending>>> {
    /// What a caller does that waits for its task anyway: borrows a seat, or else submits and waits.
    /// Whether it has borrowed.
    pub fn run(&self, work: Option<Box<dyn FnOnce() + Send>>) -> (Fate, bool) {
        match self.executor.run_on_idle(Errand::new(&self.record, work)) {
            Ok(ran) => (fate(ran.map_err(|rejected| self.refusal(rejected.reason))), true),
            Err(errand) => {
                let submitted = self.executor.submit(errand);
                (fate(submitted.map_err(|rejected| self.refusal(rejected.reason))), false)
            }
        }
    }
}

impl Pool {
    /// Runs a task that never comes into the queue.
    pub fn run_here(&self) -> Result<TaskHandle, Refusal> {
        // SAFETY: an errand borrows nothing.
        let ran = unsafe {
            self.executor.run_borrowing(Errand::new(&self.record, None), &mut Desk::default())
        };
        ran.map_err(|rejected| self.refusal(rejected.reason))
    }

    /// Cancels a task that never comes into the queue.
    pub fn cancel_here(&self) -> Result<TaskHandle, Refusal> {
        // SAFETY: an errand borrows nothing.
        let cancelled = unsafe { self.executor.cancel_borrowing(Errand::new(&self.record, None)) };
        cancelled.map_err(|rejected| self.refusal(rejected.reason))
    }

    /// The owner goes, and nobody is waited for.
    pub fn drop_owner(self) -> Ended {
        drop(self.executor);
        Ended(self.record)
    }
}

/// The record of a pool whose owner is gone.
pub struct Ended(Arc<Record>);

impl Ended {
    /// Checks that neither the engine nor a job is left.
    pub fn assert_all_gone(&self) {
        assert!(self.0.engine_gone.load(Relaxed), "the engine leaked");
        let jobs = self.0.jobs.load(Relaxed);
        assert_eq!(self.0.dropped_jobs.load(Relaxed), jobs, "a job leaked");
    }

    /// Checks that as many jobs ran as callers were told.
    pub fn with_fates(&self, fates: &[Fate]) {
        let ran = fates.iter().filter(|&&fate| fate == Fate::Ran).count();
        assert_eq!(self.0.runs.load(Relaxed), ran, "callers were told {fates:?}");
    }

    /// How many spawns failed.
    pub fn failed_spawns(&self) -> usize {
        self.0.failed_spawns.load(Relaxed)
    }

    /// How many workers were spawned.
    pub fn spawns(&self) -> usize {
        self.0.spawns.load(Relaxed)
    }
}

/// Waits for what was submitted.
pub fn fate(submitted: Result<TaskHandle, Refusal>) -> Fate {
    match submitted {
        Ok(handle) => wait(handle),
        Err(refusal) => Fate::GivenBack(refusal),
    }
}

/// Waits for a task.
pub fn wait(mut handle: TaskHandle) -> Fate {
    let parker = Arc::new(ModelPark::new());
    let waker = Waker::from(Arc::clone(&parker));
    let mut context = Context::from_waker(&waker);
    loop {
        match handle.poll_outcome(&mut context) {
            Poll::Ready(outcome) => return Fate::of(outcome),
            Poll::Pending => parker.wait(),
        }
    }
}
