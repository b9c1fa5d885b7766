//! The worker kind of the models, for engines on the heap and in a `static`: workers are the checker's
//! threads, and a script says which spawns fail, how often a keep-alive elapses, what an initializer
//! and a finalizer do.
//!
//! What the models count is counted by `std`'s atomics, which the checker does not see: they add
//! no step and order nothing.
#![allow(dead_code, reason = "each of two test files uses a part")]

use super::owner::{Leaked, Owner};
use super::park::ModelPark;
use asyncpal_core::clock::{Clock, Instant};
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{
    Executor, Heap, OpenError, Rejection, Shared, Static, WorkerKind, work,
};
use asyncpal_core::park::{Park, Unparked};
use asyncpal_core::task::{Handle, Job};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use loom::thread::{self, JoinHandle};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a worker failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Spawn,
    Open,
}

type Opening = fn(nth: usize) -> Result<(), OpenError<Cause>>;

/// What happens to workers.
pub struct Script {
    pub failing_spawns: usize,
    /// How many times the keep-alive of an idle worker elapses; then it lasts for ever.
    pub timeouts: usize,
    pub tasks_per_worker: usize,
    /// The result of the initializer, by how many were called before.
    pub opening: Opening,
    /// What a worker does before it is gone.
    pub finalizer: Option<Box<dyn Fn() + Send + Sync>>,
    /// A new thread may take arbitrarily long to start: all but so many take longer than the model.
    pub starting_workers: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            failing_spawns: 0,
            timeouts: 0,
            tasks_per_worker: usize::MAX,
            opening: |_| Ok(()),
            finalizer: None,
            starting_workers: usize::MAX,
        }
    }
}

/// What happened.
#[derive(Default)]
pub struct Record {
    threads: Mutex<Vec<JoinHandle<()>>>,
    timeouts: AtomicUsize,
    opened: AtomicUsize,
    spawns: AtomicUsize,
    failed_spawns: AtomicUsize,
    runs: AtomicUsize,
    jobs: AtomicUsize,
    dropped_jobs: AtomicUsize,
    engine_gone: AtomicBool,
    /// Whether the cause of a break was noted. The checker's, and Relaxed: that it is seen is due to
    /// the engine.
    has_cause: loom::sync::atomic::AtomicUsize,
}

impl Record {
    /// Waits until every worker that was spawned is gone.
    pub fn join_workers(&self) {
        loop {
            let thread = self.threads.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(thread) = thread else { return };
            thread.join().expect("no worker panics");
        }
    }
}

pub struct ModelKind<M> {
    parkers: Vec<ModelPark>,
    script: Script,
    record: Arc<Record>,
    memory: PhantomData<fn() -> M>,
}

impl<M> Clock for ModelKind<M> {
    fn now(&self) -> Instant {
        // A canceller asks for the time: that is where it touches its engine.
        assert!(!self.record.engine_gone.load(Relaxed), "a task outlived its engine");
        Instant::from_nanos(0)
    }
}

impl<M> Drop for ModelKind<M> {
    fn drop(&mut self) {
        self.record.engine_gone.store(true, Relaxed);
    }
}

/// The kind for one memory: a blanket implementation would have to prove itself.
macro_rules! workers_of {
    ([$($generics:tt)*] $memory:ty) => {
        impl<$($generics)*> WorkerKind for ModelKind<$memory> {
            type Memory = $memory;
            type Park = ModelPark;
            type Clock = Self;
            type Seat = ();
            type Failure = Cause;

            fn parker(&self, slot: usize) -> &ModelPark {
                &self.parkers[slot]
            }

            fn clock(&self) -> &Self {
                self
            }

            fn spawn(&self, engine: &Shared<Self>, slot: usize) -> Result<(), Cause> {
                if self.record.failed_spawns.load(Relaxed) < self.script.failing_spawns {
                    self.record.failed_spawns.fetch_add(1, Relaxed);
                    // The system call takes its time: what others do meanwhile matters.
                    thread::yield_now();
                    return Err(Cause::Spawn);
                }
                let before = self.record.spawns.fetch_add(1, Relaxed);
                if before >= self.script.starting_workers {
                    return Ok(());
                }
                let engine = engine.clone();
                let thread = thread::spawn(move || work::<Self>(&engine, slot));
                self.record.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
                Ok(())
            }

            fn open(&self, _: usize) -> Result<(), OpenError<Cause>> {
                (self.script.opening)(self.record.opened.fetch_add(1, Relaxed))
            }

            fn may_go_on(&self, (): &(), tasks: usize) -> bool {
                tasks < self.script.tasks_per_worker
            }

            fn keep_alive(&self, _slot: usize) -> Option<Duration> {
                let left = self.record.timeouts.load(Relaxed) < self.script.timeouts;
                left.then_some(Duration::ZERO)
            }

            fn park(&self, (): &mut (), parker: &ModelPark, deadline: Option<Instant>) -> Unparked {
                let unparked = parker.park(deadline);
                if unparked == Unparked::TimedOut {
                    self.record.timeouts.fetch_add(1, Relaxed);
                }
                unparked
            }

            fn close(&self, _: usize, (): ()) -> Result<(), Cause> {
                if let Some(finalizer) = &self.script.finalizer {
                    finalizer();
                }
                Ok(())
            }

            fn broken(&self, _: Cause) {
                self.record.has_cause.store(1, Relaxed);
            }

            fn repeat(&self, cause: &Cause) -> Cause {
                *cause
            }

            fn departed(&self, _: usize) {}
        }
    };
}

workers_of!([] Heap);
workers_of!([const TASKS: usize, const WORKERS: usize] Static<TASKS, BYTES, WORKERS>);

/// Room for an [`Errand`].
pub const BYTES: usize = size_of::<Errand>();

/// A job that counts that it ran and that it was dropped.
pub struct Errand {
    record: Arc<Record>,
    work: Option<Box<dyn FnOnce() + Send>>,
}

impl Job<(), Cause> for Errand {
    type Output = ();

    fn run(mut self, (): &mut ()) -> Result<(), Cause> {
        self.record.runs.fetch_add(1, Relaxed);
        if let Some(work) = self.work.take() {
            work();
        }
        Ok(())
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.record.dropped_jobs.fetch_add(1, Relaxed);
    }
}

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

pub type TaskHandle = Handle<(), Cause>;

/// An executor, what happens to its workers, and what happened.
pub struct Pool<O: Owner = Executor<ModelKind<Heap>>> {
    pub executor: O,
    record: Arc<Record>,
    beds: Mutex<Vec<Leaked<ModelPark>>>,
}

impl<O: Owner> Pool<O> {
    pub fn new(max_workers: usize, script: Script) -> Self {
        let record = Arc::new(Record::default());
        let kind = ModelKind {
            parkers: (0..max_workers).map(|_| ModelPark::new()).collect(),
            script,
            record: Arc::clone(&record),
            memory: PhantomData,
        };
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
        self.record.jobs.fetch_add(1, Relaxed);
        let errand = Errand { record: Arc::clone(&self.record), work };
        self.executor.submit(errand).map_err(|rejected| match rejected.reason {
            Rejection::Closed => Refusal::Closed,
            Rejection::Broken => {
                let has_cause = self.record.has_cause.load(Relaxed);
                assert_eq!(has_cause, 1, "L3: the pool is seen broken before its cause");
                Refusal::Broken
            }
            Rejection::Full => Refusal::Full,
            Rejection::Spawn(cause) => Refusal::Spawn(cause),
            reason => unreachable!("{reason:?}"),
        })
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

    /// The owner goes; waits until every worker is gone.
    pub fn end(self) -> Ended {
        let Self { executor, record, beds: _beds } = self;
        executor.end(&record);
        let ended = Ended(record);
        ended.assert_all_gone();
        ended
    }
}

impl Pool {
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
