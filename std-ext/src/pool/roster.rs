//! The roster: a pool's threads. What the engine asks of them is in `worker_kind`.

mod worker_kind;

use crossbeam_utils::CachePadded;

use super::attendance::{Attendance, Returned};
use super::builder::Plan;
use super::ending::CancelledTask;
use super::keep_alive::KeepAlive;
use super::room::Room;
use super::spawn::Spawner;
use crate::clock::Deadline;
use crate::error::BrokenCause;
use crate::inline::CurrentWorker;
use crate::kind::Kind;
use crate::observe::Observer;
use crate::sync::thread::{JoinHandle, is_this};
use crate::sync::{Arc, AtomicUsize, Condvar, Mutex, OnceLock, Ordering, Weak, lock, wait};

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
    /// If the number of pending tasks has a limit.
    pub(super) room: Option<Room>,
    cancelled: AtomicUsize,
    kept: Mutex<Vec<CancelledTask<K>>>,
    /// One once running tasks should end.
    stop: AtomicUsize,
    roster: Mutex<Roster>,
    left: Condvar,
}

/// All workers that were spawned up to some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    last_serial: u64,
}

impl Present {
    /// All, also those to come.
    pub(super) const ALL: Self = Self { last_serial: u64::MAX };
}

#[derive(Debug, Default)]
struct Roster {
    attendance: Attendance,
    /// Threads that were started and not joined; those of left workers are about to end.
    threads: Vec<Enlisted>,
}

/// A worker's thread.
#[derive(Debug)]
pub(super) struct Enlisted {
    pub(super) serial: u64,
    pub(super) handle: JoinHandle<()>,
    /// Of what the thread keeps among its locals.
    pub(super) locals: Weak<()>,
}

impl Enlisted {
    /// Whether nothing of it is left to wait for. `is_finished` alone says that the thread's function
    /// has returned; destructors of its locals, which are the user's, may still run.
    fn is_gone(&self) -> bool {
        self.handle.is_finished() && self.locals.strong_count() == 0
    }
}

impl Roster {
    fn keep(&mut self, thread: Enlisted) {
        self.threads.retain(|thread| !thread.is_gone());
        self.threads.push(thread);
    }
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
            room: plan.capacity.map(Room::new),
            cancelled: AtomicUsize::new(0),
            kept: Mutex::default(),
            stop: AtomicUsize::new(0),
            roster: Mutex::default(),
            left: Condvar::new(),
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

    /// The workers up to now.
    pub(super) fn snapshot(&self) -> Present {
        Present { last_serial: lock(&self.roster).attendance.last_serial() }
    }

    /// Waits until those workers have left, the calling one excepted; false if some are still here
    /// at the deadline.
    pub(super) fn wait_until_left(
        &self,
        workers: Present,
        home: *const (),
        deadline: Deadline,
    ) -> bool {
        let caller = CurrentWorker::of(home).map(|worker| worker.serial);
        let mut roster = lock(&self.roster);
        while roster.attendance.has_any(workers.last_serial, caller) {
            let Some(woken) = wait(&self.left, roster, deadline) else { return false };
            roster = woken;
        }
        true
    }

    /// Joins the threads of the workers that have left: their thread-locals are gone afterwards.
    pub(super) fn join_threads(&self, home: *const ()) {
        let caller = CurrentWorker::of(home).map(|worker| worker.serial);
        let mut roster = lock(&self.roster);
        let Roster { attendance, threads } = &mut *roster;
        let (gone, staying): (Vec<_>, Vec<_>) = threads.drain(..).partition(|thread| {
            let Enlisted { serial, handle, .. } = thread;
            !attendance.is_present(*serial) && Some(*serial) != caller && !is_this(handle)
        });
        *threads = staying;
        drop(roster);
        for thread in gone {
            // `work` does not unwind: what users bring is caught. A spawner's thread is not ours.
            let _ = thread.handle.join();
        }
    }

    pub(super) fn worker_name(&self, slot: usize) -> String {
        format!("{}-{slot}", self.terms.name)
    }

    /// Looks at, or changes, who is there.
    pub(super) fn with_attendance<T>(&self, look: impl FnOnce(&mut Attendance) -> T) -> T {
        look(&mut lock(&self.roster).attendance)
    }

    /// Spawns a worker's thread, and keeps it.
    pub(super) fn enlist<E>(
        &self,
        spawn: impl FnOnce(u64) -> Result<Enlisted, E>,
    ) -> Result<(), E> {
        let mut roster = lock(&self.roster);
        let serial = roster.attendance.next_serial();
        let thread = spawn(serial)?;
        roster.keep(thread);
        roster.attendance.enter(serial);
        Ok(())
    }

    /// A spawner has returned.
    pub(super) fn spawner_returned(
        &self,
        serial: u64,
        thread: Option<Enlisted>,
        well: bool,
    ) -> Returned {
        let mut roster = lock(&self.roster);
        let returned = roster.attendance.returned(serial, well);
        if let (Returned::Spawned, Some(thread)) = (&returned, thread) {
            roster.keep(thread);
        }
        drop(roster);
        self.left.notify_all();
        returned
    }

    /// A worker is gone for good.
    pub(super) fn worker_left(&self, serial: u64) {
        self.with_attendance(|attendance| attendance.leave(serial));
        self.left.notify_all();
    }
}
