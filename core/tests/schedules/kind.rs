//! The worker kind of the schedules: workers are shuttle's threads, and chance says which spawns
//! and initializers fail, whose keep-alive elapses, who is recycled.
//!
//! What happened is counted by `std`'s atomics, at which shuttle's threads do not change.

use super::park::SchedulePark;
use asyncpal_core::clock::{Clock, Instant};
use asyncpal_core::executor::{Heap, OpenError, Rejection, Shared, WorkerKind, work};
use asyncpal_core::task::Job;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::{self, JoinHandle};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a worker failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Spawn,
    Open,
}

/// What chance may do, in percent.
#[derive(Clone, Copy, Debug)]
pub struct Chances {
    pub spawn_fails: u32,
    /// As if the thread could not be spawned.
    pub no_worker: u32,
    /// Breaks the pool.
    pub initializer_fails: u32,
    /// Whether a sleeping worker has a keep-alive.
    pub keep_alive: u32,
    /// Whether a worker is recycled after a task.
    pub recycled: u32,
}

/// Nothing goes wrong, and nobody retires.
pub const CALM: Chances =
    Chances { spawn_fails: 0, no_worker: 0, initializer_fails: 0, keep_alive: 0, recycled: 0 };

/// Whether something of so many percent happens.
pub fn chance(percent: u32) -> bool {
    percent > 0 && thread_rng().gen_range(0..100) < percent
}

/// What happened.
#[derive(Default)]
pub struct Record {
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Workers that were spawned, and those of them that are gone.
    pub spawned: AtomicUsize,
    pub departed: AtomicUsize,
    pub jobs: AtomicUsize,
    pub dropped_jobs: AtomicUsize,
    /// The keep-alive of every worker elapses from now on.
    pub all_retire: AtomicBool,
    pub engine_gone: AtomicBool,
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

/// Workers, which may lend their seats.
pub struct ScheduleKind<const LENDS: bool> {
    parkers: Vec<SchedulePark>,
    /// By slot: whether a worker has opened it and not closed it.
    occupied: Vec<AtomicBool>,
    chances: Chances,
    record: Arc<Record>,
}

impl<const LENDS: bool> ScheduleKind<LENDS> {
    pub fn new(max_workers: usize, chances: Chances, record: &Arc<Record>) -> Self {
        let parkers = (0..max_workers).map(|_| SchedulePark::new()).collect();
        let occupied = (0..max_workers).map(|_| AtomicBool::new(false)).collect();
        Self { parkers, occupied, chances, record: Arc::clone(record) }
    }
}

impl<const LENDS: bool> ScheduleKind<LENDS> {
    fn open_or_fail(&self) -> Result<(), OpenError<Cause>> {
        if chance(self.chances.no_worker) {
            return Err(OpenError::Spawn(Cause::Open));
        }
        if chance(self.chances.initializer_fails) {
            return Err(OpenError::Initializer(Cause::Open));
        }
        Ok(())
    }
}

impl<const LENDS: bool> Clock for ScheduleKind<LENDS> {
    fn now(&self) -> Instant {
        if LENDS {
            // Whoever reads it may be late.
            thread::yield_now();
        }
        // A canceller asks for the time: that is where it touches its engine.
        assert!(!self.record.engine_gone.load(Relaxed), "a task outlived its engine");
        Instant::from_nanos(0)
    }
}

impl<const LENDS: bool> Drop for ScheduleKind<LENDS> {
    fn drop(&mut self) {
        self.record.engine_gone.store(true, Relaxed);
    }
}

impl<const LENDS: bool> WorkerKind for ScheduleKind<LENDS> {
    const LENDS: bool = LENDS;

    type Memory = Heap;
    type Park = SchedulePark;
    type Clock = Self;
    type Seat = ();
    type Failure = Cause;

    fn parker(&self, slot: usize) -> &SchedulePark {
        &self.parkers[slot]
    }

    fn clock(&self) -> &Self {
        self
    }

    fn spawn(&self, engine: &Shared<Self>, slot: usize) -> Result<(), Cause> {
        // The system call takes its time: what others do meanwhile matters.
        thread::yield_now();
        if chance(self.chances.spawn_fails) {
            return Err(Cause::Spawn);
        }
        self.record.spawned.fetch_add(1, Relaxed);
        let engine = engine.clone();
        let thread = thread::spawn(move || work::<Self>(&engine, slot));
        self.record.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn open(&self, slot: usize) -> Result<(), OpenError<Cause>> {
        let alone = !self.occupied[slot].swap(true, Relaxed);
        assert!(alone, "two workers in slot {slot}");
        let opened = self.open_or_fail();
        self.occupied[slot].store(opened.is_ok(), Relaxed);
        opened
    }

    fn may_go_on(&self, (): &(), _: usize) -> bool {
        !chance(self.chances.recycled)
    }

    fn lend(&self, (): &(), _: &SchedulePark) -> bool {
        !chance(10)
    }

    fn keep_alive(&self, _slot: usize) -> Option<Duration> {
        let elapses = self.record.all_retire.load(Relaxed) || chance(self.chances.keep_alive);
        elapses.then_some(Duration::ZERO)
    }

    fn may_spin(&self) -> bool {
        chance(50)
    }

    fn close(&self, slot: usize, (): ()) -> Result<(), Cause> {
        thread::yield_now();
        self.occupied[slot].store(false, Relaxed);
        Ok(())
    }

    fn broken(&self, _: Cause) {}

    fn cancellation(&self, why: Rejection<&Cause>) -> Option<Cause> {
        why.spawn_failure().copied()
    }

    fn departed(&self, _: usize) {
        self.record.departed.fetch_add(1, Relaxed);
    }
}

/// What a task does, on its worker's seat.
pub type Work = Box<dyn FnOnce(&mut ()) + Send>;

/// A job that counts its runs, and its drop.
pub struct Errand {
    pub record: Arc<Record>,
    pub runs: Arc<AtomicUsize>,
    pub work: Option<Work>,
}

impl Job<(), Cause> for Errand {
    type Output = Arc<AtomicUsize>;

    fn run(mut self, seat: &mut ()) -> Result<Arc<AtomicUsize>, Cause> {
        self.runs.fetch_add(1, Relaxed);
        if let Some(work) = self.work.take() {
            work(seat);
        }
        Ok(Arc::clone(&self.runs))
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.record.dropped_jobs.fetch_add(1, Relaxed);
    }
}
