//! The worker kind of the models, for engines on the heap and in a `static`: workers are the checker's
//! threads, and a script says which spawns fail, how often a keep-alive elapses, what an initializer
//! and a finalizer do.
//!
//! What the models count is counted by `std`'s atomics, which the checker does not see: they add
//! no step and order nothing.
#![allow(dead_code, reason = "each of two test files uses a part")]

use super::park::ModelPark;
use super::scenes::Signal;
use asyncpal_core::clock::{Clock, Instant};
use asyncpal_core::executor::{
    Heap, OpenError, Rejection, Shared, Static, WorkerKind, forsake, work,
};
use asyncpal_core::park::{Park, Unparked};
use asyncpal_core::task::{Handle, Job, Running};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use loom::cell::UnsafeCell;
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
    /// So many spawns succeed before those that fail.
    pub spared_spawns: usize,
    /// So many spawns seem to succeed, and nobody comes.
    pub forsaken_spawns: usize,
    /// Whether every look at the clock comes long after the one before; else time stands still.
    pub time_flies: bool,
    /// How many times the keep-alive of an idle worker elapses; then it lasts for ever.
    pub timeouts: usize,
    pub tasks_per_worker: usize,
    /// So many tasks a worker takes ahead, if its pool is one of those that do.
    pub ahead: usize,
    /// Whether a task gives back what was taken ahead behind it.
    pub recalls: bool,
    /// Whether a seat that is busy takes no announcement.
    pub refuses: bool,
    /// Both wait for this before they give back.
    pub gives_back: Option<Signal>,
    /// So many announced tasks the seat of a worker that leaves has begun.
    pub begun: usize,
    /// The result of the initializer, by how many were called before.
    pub opening: Opening,
    /// What a worker does before it is gone.
    pub finalizer: Option<Box<dyn Fn() + Send + Sync>>,
    /// What a worker does that is about to sleep.
    pub going_to_sleep: Option<Box<dyn Fn() + Send + Sync>>,
    /// Whether workers look a little longer before they sleep.
    pub spins: bool,
    /// A new thread may take arbitrarily long to start: all but so many take longer than the model.
    pub starting_workers: usize,
    /// Beside the first worker somebody comes whom nobody has called.
    pub is_unbidden: bool,
    /// The first workers start when these are given.
    pub starts: Vec<Signal>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            failing_spawns: 0,
            spared_spawns: 0,
            forsaken_spawns: 0,
            time_flies: false,
            timeouts: 0,
            tasks_per_worker: usize::MAX,
            ahead: 1,
            recalls: false,
            refuses: false,
            gives_back: None,
            begun: 0,
            opening: |_| Ok(()),
            finalizer: None,
            going_to_sleep: None,
            spins: false,
            starting_workers: usize::MAX,
            is_unbidden: false,
            starts: Vec::new(),
        }
    }
}

/// What happened.
#[derive(Default)]
pub struct Record {
    threads: Mutex<Vec<JoinHandle<()>>>,
    timeouts: AtomicUsize,
    pub opened: AtomicUsize,
    pub spawns: AtomicUsize,
    pub failed_spawns: AtomicUsize,
    looks_at_clock: AtomicUsize,
    pub runs: AtomicUsize,
    pub jobs: AtomicUsize,
    pub dropped_jobs: AtomicUsize,
    pub engine_gone: AtomicBool,
    /// Whether the cause of a break was noted. The checker's, and Relaxed: that it is seen is due to
    /// the engine.
    pub has_cause: loom::sync::atomic::AtomicUsize,
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

/// How a worker sleeps; the keep-alives that have elapsed are counted.
pub struct WorkerPark {
    parker: ModelPark,
    record: Arc<Record>,
}

impl Park for WorkerPark {
    fn park(&self, deadline: Option<Instant>) -> Unparked {
        let unparked = self.parker.park(deadline);
        if unparked == Unparked::TimedOut {
            self.record.timeouts.fetch_add(1, Relaxed);
        }
        unparked
    }

    fn unpark(&self) {
        self.parker.unpark();
    }
}

pub struct ModelKind<M> {
    parkers: Vec<WorkerPark>,
    script: Script,
    record: Arc<Record>,
    memory: PhantomData<fn() -> M>,
}

impl<M> ModelKind<M> {
    pub fn new(max_workers: usize, script: Script, record: &Arc<Record>) -> Self {
        let parker = |_| WorkerPark { parker: ModelPark::new(), record: Arc::clone(record) };
        Self {
            parkers: (0..max_workers).map(parker).collect(),
            script,
            record: Arc::clone(record),
            memory: PhantomData,
        }
    }
}

impl<M> Clock for ModelKind<M> {
    fn now(&self) -> Instant {
        // A canceller asks for the time: that is where it touches its engine.
        assert!(!self.record.engine_gone.load(Relaxed), "a task outlived its engine");
        let looks = self.record.looks_at_clock.fetch_add(1, Relaxed) as u64;
        Instant::from_nanos(if self.script.time_flies { looks * 10_000_000_000 } else { 0 })
    }
}

impl<M> Drop for ModelKind<M> {
    fn drop(&mut self) {
        self.record.engine_gone.store(true, Relaxed);
    }
}

/// In the place of [`Heap`]: workers on the heap that take tasks ahead.
pub struct HeapAhead;

/// In the place of [`Heap`]: workers on the heap that lend their seats.
pub struct HeapLending;

/// What a worker sits on: it notes what was announced to it.
#[derive(Default)]
pub struct Desk {
    announced: usize,
    recalls: bool,
    refuses: bool,
    gives_back: Option<Signal>,
    /// Another one when it has given tasks back.
    number: usize,
    is_left: bool,
    /// One thread at a time uses it: the checker watches.
    used: UnsafeCell<usize>,
}

impl Desk {
    fn wait_to_give_back(&mut self) {
        if let Some(signal) = self.gives_back.take() {
            signal.wait();
        }
    }

    fn use_it(&self) {
        // SAFETY: who has the desk is alone with it; the checker reports it if not.
        self.used.with_mut(|used| unsafe { *used += 1 });
    }
}

// SAFETY: the cell is reached by whoever has the desk.
unsafe impl Send for Desk {}

/// The kind for one memory: a blanket implementation would have to prove itself.
macro_rules! workers_of {
    ([$($generics:tt)*] $name:ty, $memory:ty, $ahead:literal, $lends:literal) => {
        impl<$($generics)*> WorkerKind for ModelKind<$name> {
            const TAKES_AHEAD: bool = $ahead;
            const LENDS: bool = $lends;

            type Memory = $memory;
            type Park = WorkerPark;
            type Clock = Self;
            type Seat = Desk;
            type Failure = Cause;

            fn parker(&self, slot: usize) -> &WorkerPark {
                &self.parkers[slot]
            }

            fn clock(&self) -> &Self {
                self
            }

            fn spawn(&self, engine: &Shared<Self>, slot: usize) -> Result<(), Cause> {
                let spared = self.record.spawns.load(Relaxed) < self.script.spared_spawns;
                if !spared && self.record.failed_spawns.load(Relaxed) < self.script.failing_spawns {
                    self.record.failed_spawns.fetch_add(1, Relaxed);
                    // The system call takes its time: what others do meanwhile matters.
                    thread::yield_now();
                    return Err(Cause::Spawn);
                }
                let before = self.record.spawns.fetch_add(1, Relaxed);
                if before >= self.script.starting_workers {
                    return Ok(());
                }
                if before == 0 && self.script.is_unbidden {
                    let engine = engine.clone();
                    let thread = thread::spawn(move || work::<Self>(&engine, slot));
                    self.record.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
                }
                let engine = engine.clone();
                let forsaken = before < self.script.forsaken_spawns;
                let start = self.script.starts.get(before).cloned();
                let thread = thread::spawn(move || {
                    if let Some(start) = start {
                        start.wait();
                    }
                    match forsaken {
                        false => work::<Self>(&engine, slot),
                        true => forsake::<Self>(&engine, slot, &Cause::Spawn),
                    }
                });
                self.record.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
                Ok(())
            }

            fn open(&self, _: usize) -> Result<Desk, OpenError<Cause>> {
                (self.script.opening)(self.record.opened.fetch_add(1, Relaxed))?;
                let number = self.record.opened.load(Relaxed) * 100;
                let Script { recalls, refuses, ref gives_back, .. } = self.script;
                let gives_back = gives_back.clone();
                Ok(Desk { recalls, refuses, gives_back, number, ..Desk::default() })
            }

            fn may_go_on(&self, desk: &Desk, tasks: usize) -> bool {
                desk.use_it();
                tasks < self.script.tasks_per_worker
            }

            fn may_take_ahead(&self, desk: &Desk, _: usize) -> bool {
                !desk.is_left && desk.announced <= self.script.ahead
            }

            fn recall(&self, desk: &mut Desk) -> usize {
                desk.is_left = true;
                desk.announced = desk.announced.min(self.script.begun);
                desk.announced
            }

            fn keep_alive(&self, _slot: usize) -> Option<Duration> {
                if let Some(going_to_sleep) = &self.script.going_to_sleep {
                    going_to_sleep();
                }
                let left = self.record.timeouts.load(Relaxed) < self.script.timeouts;
                left.then_some(Duration::ZERO)
            }

            fn may_spin(&self) -> bool {
                self.script.spins
            }

            fn close(&self, _: usize, desk: Desk) -> Result<(), Cause> {
                desk.use_it();
                assert_eq!(desk.announced, 0, "D2: a worker left with tasks in its hands");
                if let Some(finalizer) = &self.script.finalizer {
                    finalizer();
                }
                Ok(())
            }

            fn broken(&self, _: Cause) {
                self.record.has_cause.store(1, Relaxed);
            }

            fn cancellation(&self, why: Rejection<&Cause>) -> Option<Cause> {
                why.spawn_failure().copied()
            }

            fn departed(&self, _: usize) {}
        }
    };
}

workers_of!([] Heap, Heap, false, false);
workers_of!([] HeapAhead, Heap, true, false);
workers_of!([] HeapLending, Heap, false, true);
workers_of!(
    [const TASKS: usize, const WORKERS: usize]
    Static<TASKS, BYTES, WORKERS>,
    Static<TASKS, BYTES, WORKERS>,
    false,
    false
);

/// Room for an [`Errand`].
pub const BYTES: usize = size_of::<Errand>();

/// A job that counts that it ran and that it was dropped.
pub struct Errand {
    record: Arc<Record>,
    work: Option<Box<dyn FnOnce() + Send>>,
    /// To the desk of this number.
    announced_to: Option<usize>,
}

impl Errand {
    pub fn new(record: &Arc<Record>, work: Option<Box<dyn FnOnce() + Send>>) -> Self {
        record.jobs.fetch_add(1, Relaxed);
        Self { record: Arc::clone(record), work, announced_to: None }
    }
}

impl Job<Desk, Cause> for Errand {
    type Output = ();

    fn announce(&mut self, desk: &mut Desk) -> bool {
        if desk.refuses && desk.announced > 0 {
            desk.wait_to_give_back();
            return false;
        }
        let before = self.announced_to.replace(desk.number);
        desk.announced += usize::from(before != Some(desk.number));
        true
    }

    fn run_as(self, desk: &mut Desk, this: &Running<'_>) -> Result<(), Cause> {
        // This one is begun.
        desk.announced -= usize::from(self.announced_to == Some(desk.number));
        if desk.recalls && desk.announced > 0 {
            desk.wait_to_give_back();
            desk.number += 1;
            this.give_back(core::mem::take(&mut desk.announced));
        }
        self.run(desk)
    }

    fn run(mut self, desk: &mut Desk) -> Result<(), Cause> {
        desk.use_it();
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

pub type TaskHandle = Handle<(), Cause>;
