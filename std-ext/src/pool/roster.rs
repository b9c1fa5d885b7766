//! The staff: a pool's threads. What the engine asks of them is in `worker_kind`.

pub(super) mod book;
mod worker_kind;

use crossbeam_utils::CachePadded;

use self::book::Book;
use super::builder::Plan;
use super::ending::CancelledTask;
use super::keep_alive::KeepAlive;
use super::room::Room;
use super::spawn::Spawner;
use crate::error::{BrokenCause, PoolError};
use crate::failure::Failure;
use crate::kind::Kind;
use crate::observe::Observer;
use crate::sync::{Arc, AtomicUsize, Mutex, OnceLock, Ordering, lock, program};

/// What a pool's staff is hired with.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) name: String,
    /// So many are not sent home for being idle.
    pub(super) min_workers: usize,
    pub(super) stack_size: Option<usize>,
    /// How threads are spawned, if not as usual.
    pub(super) spawner: Option<Spawner>,
    pub(super) max_tasks_per_worker: Option<usize>,
    /// Whether tasks that the pool cancels are kept for somebody to take them.
    pub(super) keep_cancelled_tasks: bool,
    /// Whether workers may spin before they sleep.
    pub(super) spin: bool,
    /// Whether the clock is read for tasks.
    pub(super) time_tasks: bool,
    /// Hears of what happens.
    pub(super) observer: Arc<Observer>,
}

/// The worker kind of every pool: operating-system threads on seats of kind `K`.
#[derive(Debug)]
pub(crate) struct Staff<K: Kind> {
    pub(super) kind: K,
    parkers: Box<[CachePadded<K::Parker>]>,
    pub(super) terms: Terms,
    pub(super) keep_alive: KeepAlive,
    broken: OnceLock<Arc<BrokenCause>>,
    turned_down: TurnedDown,
    /// If the number of pending tasks has a limit.
    pub(super) room: Option<Room>,
    cancelled: AtomicUsize,
    kept: Mutex<Vec<CancelledTask<K>>>,
    /// One once running tasks should end.
    stop: AtomicUsize,
    book: Arc<Book>,
}

/// What the tasks learn that the pool cancels, for each reason.
#[derive(Debug, Default)]
struct TurnedDown {
    closed: program::OnceLock<Failure>,
    broken: program::OnceLock<Failure>,
    full: program::OnceLock<Failure>,
}

impl<K: Kind> Staff<K> {
    pub(super) fn new(kind: K, plan: &Plan<K>) -> Self {
        let parkers = (0..plan.max_workers).map(|_| CachePadded::new(kind.parker())).collect();
        Self {
            kind,
            parkers,
            terms: plan.terms.clone(),
            keep_alive: KeepAlive::new(plan.idle_timeout),
            broken: OnceLock::new(),
            turned_down: TurnedDown::default(),
            room: plan.capacity.map(Room::new),
            cancelled: AtomicUsize::new(0),
            kept: Mutex::default(),
            stop: AtomicUsize::new(0),
            book: Arc::default(),
        }
    }

    /// Whether a worker that has run so many tasks may run another.
    fn may_run_more(&self, tasks: usize) -> bool {
        self.terms.max_tasks_per_worker.is_none_or(|most| tasks < most)
    }

    /// What broke the pool, once it is broken.
    pub(super) fn broken_cause(&self) -> Option<&Arc<BrokenCause>> {
        self.broken.get()
    }

    /// Why it is not open.
    pub(super) fn broken_or_closed(&self) -> PoolError {
        // The cause is set before the phase, so it is there for all who saw the phase.
        self.broken.get().cloned().map_or(PoolError::Closed, PoolError::Broken)
    }

    /// How many tasks the pool itself has cancelled.
    pub(super) fn cancelled(&self) -> usize {
        // ORDERING: Relaxed: a number; who wants it exact has seen the workers leave.
        self.cancelled.load(Ordering::Relaxed)
    }

    /// What was kept of them.
    pub(super) fn take_kept(&self) -> Vec<CancelledTask<K>> {
        let mut kept = core::mem::take(&mut *lock(&self.kept));
        // Workers and whoever closes the pool cancel side by side.
        kept.sort_by_key(CancelledTask::task_id);
        kept
    }

    /// Asks every task that runs, or will run, to stop: for an end that waits for a limited time.
    pub(super) fn ask_to_stop(&self) {
        // ORDERING: Relaxed: nothing is read by it.
        self.stop.store(1, Ordering::Relaxed);
    }

    /// Who is there, and whose threads are to be joined.
    pub(super) fn book(&self) -> &Arc<Book> {
        &self.book
    }

    pub(super) fn worker_name(&self, slot: usize) -> String {
        format!("{}-{slot}", self.terms.name)
    }
}
