//! What the engine asks of the staff.

use core::error::Error;
use core::time::Duration;

use asyncpal_core::executor::{Departure, Heap, OpenError, Rejection, Shared, WorkerKind};
use asyncpal_core::task::{KeptJob, Label, Slabs, Withdrawn};

use super::{CancelledTask, Staff, TurnedDown};
use crate::clock::StdClock;
use crate::contain::contain;
use crate::current::CurrentWorker;
use crate::error::{BrokenCause, PoolError, TaskError};
use crate::failure::Failure;
use crate::kind::Kind;
use crate::observe::{Ending, EventKind, TaskLabel};
use crate::parker::{Called, calls_workers};
use crate::slabs;
use crate::sync::{Arc, Ordering, lock};

impl<K: Kind> WorkerKind for Staff<K> {
    type Memory = Heap;
    type Park = K::Parker;
    type Clock = StdClock;
    type Seat = K::Seat;
    type Failure = Failure;

    fn parker(&self, slot: usize) -> &K::Parker {
        &self.parkers[slot]
    }

    fn clock(&self) -> &StdClock {
        &StdClock
    }

    fn spawn(&self, engine: &Shared<Self>, slot: usize) -> Result<(), Failure> {
        calls_workers(Called::Spawned);
        match &self.terms.spawner {
            None => self.spawn_thread(engine, slot),
            Some(spawner) => self.spawn_by(spawner, engine, slot),
        }
    }

    fn open(&self, slot: usize) -> Result<K::Seat, OpenError<Failure>> {
        self.terms.observer.tell(EventKind::WorkerStarted);
        self.kind.open(&self.worker_name(slot)).map_err(|error| match error {
            OpenError::Initializer(error) => {
                OpenError::Initializer(broken(BrokenCause::of_opening(error)))
            }
            OpenError::Spawn(error) => OpenError::Spawn(TaskError::not_spawned(error)),
        })
    }

    fn may_go_on(&self, seat: &K::Seat, tasks: usize) -> bool {
        self.may_run_more(tasks) && self.kind.is_sound(seat)
    }

    fn is_lost(&self, seat: &K::Seat) -> bool {
        self.kind.is_lost(seat)
    }

    const LENDS: bool = K::LENDS;

    fn lend(&self, seat: &K::Seat, parker: &K::Parker) -> bool {
        self.kind.lend(seat, parker)
    }

    const TAKES_AHEAD: bool = K::TAKES_AHEAD;

    fn may_take_ahead(&self, seat: &K::Seat, tasks: usize) -> bool {
        self.may_run_more(tasks) && self.kind.may_take_ahead(seat)
    }

    fn recall(&self, seat: &mut K::Seat) -> usize {
        self.kind.recall(seat)
    }

    fn may_spin(&self) -> bool {
        self.terms.spin
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn times_tasks(&self) -> bool {
        self.terms.time_tasks
    }

    fn keep_alive(&self, slot: usize) -> Option<Duration> {
        // The lowest slots are filled first, so these are the workers that stay.
        if slot < self.terms.min_workers { None } else { self.keep_alive.get() }
    }

    fn times_detached(&self) -> bool {
        self.terms.observer.is_wanted()
    }

    fn with_slabs<R>(use_them: impl FnOnce(&mut Slabs) -> R) -> Option<R> {
        slabs::with(use_them)
    }

    fn asks_to_stop(&self) -> bool {
        // ORDERING: Relaxed: as in `ask_to_stop`.
        self.stop.load(Ordering::Relaxed) == 1
    }

    fn close(&self, _slot: usize, seat: K::Seat) -> Result<(), Failure> {
        self.kind.close(seat).map_err(broken)
    }

    fn broken(&self, cause: Failure) {
        // A cause that comes too late is dropped here, and is the user's.
        contain(|| {
            if let TaskError::Rejected(PoolError::Broken(cause)) = cause.into_error() {
                if self.broken.set(cause.clone()).is_ok() {
                    self.terms.observer.tell(EventKind::PoolBroken(&cause));
                }
            }
        });
    }

    fn cancellation(&self, why: Rejection<&Failure>) -> Option<Failure> {
        let TurnedDown { closed, broken, full } = &self.turned_down;
        let (shared, error) = match why {
            Rejection::Spawn(cause) => return Some(cause.share()),
            Rejection::Closed => (closed, PoolError::Closed),
            Rejection::Broken => (broken, self.broken_or_closed()),
            _ => (full, PoolError::Full),
        };
        Some(shared.get_or_init(|| TaskError::turned_down(error)).share())
    }

    fn left_queue(&self) {
        if let Some(room) = &self.room {
            room.give_back();
        }
    }

    fn keeps_jobs(&self) -> bool {
        self.terms.keep_cancelled_tasks
    }

    fn cancelled(&self) {
        // ORDERING: Relaxed: a number.
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    fn kept(&self, id: usize, label: Option<Label>, job: KeptJob<K::Seat, Failure>) {
        lock(&self.kept).push(CancelledTask::new(id, label, job));
    }

    fn contain(&self, step: impl FnOnce()) {
        contain(step);
    }

    fn withdrew(&self, task: &Withdrawn<'_>) {
        let (ending, ran) = (Ending::Cancelled, Duration::ZERO);
        let waited = task.waited();
        let task = TaskLabel { id: task.id(), label: task.label().map(|label| &**label) };
        self.terms.observer.tell(EventKind::TaskEnded { task, ending, waited, ran });
    }

    fn spawn_failed(&self, worker: usize, cause: &Failure) {
        let cause: &TaskError = cause;
        // What has failed, not what becomes of a task by it.
        let error = cause.inner().map_or(cause as &(dyn Error + 'static), |error| error);
        self.terms.observer.tell(EventKind::SpawnFailed { worker, error });
    }

    fn leaves(&self, _slot: usize, why: Departure) {
        self.terms.observer.tell(EventKind::WorkerLeft(why));
    }

    fn closed(&self) {
        self.kind.closed();
        self.terms.observer.tell(EventKind::PoolClosed);
    }

    fn measures_pending(&self) -> bool {
        self.terms.observer.measures_times()
    }

    fn departed(&self, _slot: usize) {
        if let Some(worker) = CurrentWorker::get() {
            self.book.change(|present| present.leave(worker.serial));
        }
    }
}

/// A broken pool's cause as the engine carries it.
fn broken(cause: BrokenCause) -> Failure {
    TaskError::Rejected(PoolError::Broken(Arc::new(cause))).into()
}
