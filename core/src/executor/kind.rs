//! What makes a worker a thread, a child process, a hart or a model.

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;
use core::time::Duration;

use super::memory::{Memory, Shared};
use crate::clock::Clock;
use crate::park::Park;
use crate::task::Withdrawn;
#[cfg(feature = "alloc")]
use crate::task::{KeptJob, Label, Slabs};

/// Why a worker cannot start.
#[derive(Debug)]
pub enum OpenError<E> {
    /// Its initializer failed: the pool breaks.
    Initializer(E),
    /// It could not be made: as if its thread could not be spawned.
    Spawn(E),
}

/// Why a worker left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Departure {
    /// It was idle for longer than its keep-alive.
    Idle,
    /// It had run its last task: as many as it may run, or its seat was not fit for more.
    Recycled,
    /// It lost its seat, in a task or while it was idle.
    SeatLost,
    /// It was sent home: by a join, or because the pool closed or broke.
    Dismissed,
    /// Its initializer failed.
    NotOpened,
}

impl Departure {
    pub(super) const COUNT: usize = 5;
    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::Idle, Self::Recycled, Self::SeatLost, Self::Dismissed, Self::NotOpened];
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "it was idle for too long",
            Self::Recycled => "it had run its last task",
            Self::SeatLost => "it was lost",
            Self::Dismissed => "it was sent home",
            Self::NotOpened => "its initializer failed",
        })
    }
}

/// A kind of workers: the one thing that the worker loop is generic over.
///
/// The engine calls every method; `slot` is a number below the maximum of workers.
///
/// A kind borrows nothing: handles outlive its executor, which may be forgotten and then never closes, and go on asking
/// it for the time and telling it of cancellations.
///
/// ```compile_fail,E0477
/// # use core::time::Duration;
/// # use asyncpal_core::clock::{Clock, Instant, ManualClock};
/// # use asyncpal_core::executor::{Heap, OpenError, Rejection, Shared, WorkerKind};
/// # use asyncpal_core::park::{Park, Unparked};
/// # struct Sleepless;
/// # impl Park for Sleepless {
/// #     fn park(&self, _: Option<Instant>) -> Unparked { Unparked::TimedOut }
/// #     fn unpark(&self) {}
/// # }
/// struct Borrows<'a> {
///     clock: &'a ManualClock,
/// }
///
/// impl<'a> WorkerKind for Borrows<'a> {
///     type Clock = ManualClock;
///     // …
/// #     type Memory = Heap;
/// #     type Park = Sleepless;
/// #     type Seat = ();
/// #     type Failure = ();
/// #     fn parker(&self, _: usize) -> &Sleepless { &Sleepless }
/// #     fn clock(&self) -> &ManualClock { self.clock }
/// #     fn spawn(&self, _: &Shared<Self>, _: usize) -> Result<(), ()> { Ok(()) }
/// #     fn open(&self, _: usize) -> Result<(), OpenError<()>> { Ok(()) }
/// #     fn may_go_on(&self, (): &(), _: usize) -> bool { true }
/// #     fn keep_alive(&self, _: usize) -> Option<Duration> { None }
/// #     fn close(&self, _: usize, (): ()) -> Result<(), ()> { Ok(()) }
/// #     fn broken(&self, (): ()) {}
/// #     fn cancellation(&self, _: Rejection<&()>) -> Option<()> { None }
/// #     fn departed(&self, _: usize) {}
/// }
/// ```
pub trait WorkerKind: Send + Sync + Sized + 'static {
    /// Where the engine and its tasks are.
    type Memory: Memory<Self>;
    /// How a worker sleeps. One per slot, for the life of the engine.
    type Park: Park;
    /// The time by which tasks are measured and workers retire.
    type Clock: Clock;
    /// What a worker owns while it lives, and lends to each task.
    type Seat;
    /// How a task of this kind can fail.
    type Failure: Send;

    /// The parker of a slot: the same one whenever it is asked for.
    fn parker(&self, slot: usize) -> &Self::Park;

    /// The clock.
    fn clock(&self) -> &Self::Clock;

    /// Makes a thread of execution that calls [`work`](super::work) with the engine and the slot.
    ///
    /// # Errors
    ///
    /// If there can be none now; then it has not called `work` and never will.
    fn spawn(&self, engine: &Shared<Self>, slot: usize) -> Result<(), Self::Failure>;

    /// Prepares a new worker, on its own thread.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    fn open(&self, slot: usize) -> Result<Self::Seat, OpenError<Self::Failure>>;

    /// Whether a worker with this seat, which has run so many tasks, may run another.
    fn may_go_on(&self, seat: &Self::Seat, tasks: usize) -> bool;

    /// Whether a seat with which the worker may not go on was lost in a task, and not just used up.
    fn is_lost(&self, seat: &Self::Seat) -> bool {
        let _ = seat;
        false
    }

    /// How long the idle worker of a slot waits for a task before it retires; `None`: for ever. Read
    /// anew whenever the worker is woken. The lowest slots are filled first.
    fn keep_alive(&self, slot: usize) -> Option<Duration>;

    /// Whether a worker without a task may look for one for a few microseconds before it sleeps, and let some gather.
    fn may_spin(&self) -> bool {
        false
    }

    /// Lets other threads have the processor, if there is a way. Called by workers that [may
    /// spin](Self::may_spin).
    fn yield_now(&self) {}

    /// Whether tasks are timed: if not, the clock is not read for them, and
    /// [`Handle::durations`](crate::task::Handle::durations) has nothing to tell.
    fn times_tasks(&self) -> bool {
        true
    }

    /// Whether tasks without a handle are timed, too (`Executor::spawn`): if others hear of their times.
    fn times_detached(&self) -> bool {
        self.times_tasks()
    }

    /// Calls `use_them` with the calling thread's [`Slabs`]; `None`, without a call, if it has none: then each
    /// task gets memory of its own. For kinds whose tasks are on the heap.
    #[cfg(feature = "alloc")]
    fn with_slabs<R>(use_them: impl FnOnce(&mut Slabs) -> R) -> Option<R> {
        let _ = use_them;
        None
    }

    /// Whether running tasks should end: what they see in
    /// [`Running::is_cancel_requested`](crate::task::Running::is_cancel_requested) beside their own
    /// cancellation.
    fn asks_to_stop(&self) -> bool {
        false
    }

    /// Whether callers may borrow the seats of idle workers, in order to run tasks there themselves
    /// (`Executor::run_on_idle`).
    const LENDS: bool = false;

    /// The worker is about to lend its seat: the parker gets what it needs to notice
    /// [the loss of the seat](crate::park::Unparked::SeatLost) by itself. It reports that once. False if the worker had
    /// better keep its seat: the parker cannot sleep.
    fn lend(&self, seat: &Self::Seat, parker: &Self::Park) -> bool {
        let _ = (seat, parker);
        true
    }

    /// Whether workers may take tasks ahead of their turn, and announce them to their seat
    /// ([`Job::announce`](crate::task::Job::announce)) while it is busy with an earlier one.
    const TAKES_AHEAD: bool = false;

    /// Whether a worker with this seat, to which so many tasks were announced since the worker began,
    /// those that have run included, may take one more ahead.
    fn may_take_ahead(&self, seat: &Self::Seat, tasks: usize) -> bool {
        let _ = (seat, tasks);
        false
    }

    /// The worker is about to leave: takes back what was announced to the seat and not begun. Says how many
    /// of the announced tasks have been begun: these, the oldest, will be [run](crate::task::Job::run), and
    /// fail if the seat is lost; the others are given back.
    fn recall(&self, seat: &mut Self::Seat) -> usize {
        let _ = seat;
        0
    }

    /// Ends a worker, on its own thread.
    ///
    /// # Errors
    ///
    /// If the finalizer failed: the pool breaks.
    fn close(&self, slot: usize, seat: Self::Seat) -> Result<(), Self::Failure>;

    /// The pool breaks because of this: called before anybody can see that it is broken. Several
    /// workers may fail at once; the first cause counts.
    fn broken(&self, cause: Self::Failure);

    /// What the handle of a task learns that the pool itself cancels, which it does for the reasons for which it takes
    /// none. `None`: nothing. It must not unwind.
    fn cancellation(&self, why: Rejection<&Self::Failure>) -> Option<Self::Failure>;

    /// A submitted task is not pending any more, or was not taken: called once per submit. If it was
    /// cancelled, before its job is dropped, whose destructor may submit.
    fn left_queue(&self) {}

    /// Whether the jobs of the tasks that the pool itself cancels go to [`kept`](Self::kept).
    fn keeps_jobs(&self) -> bool {
        false
    }

    /// A task was cancelled because the pool closed or broke, or because there can be no worker.
    fn cancelled(&self) {}

    /// What is kept of the job of such a task, with the task's number and its label if it has one; before
    /// the task's end can be seen.
    #[cfg(feature = "alloc")]
    fn kept(&self, id: usize, label: Option<Label>, job: KeptJob<Self::Seat, Self::Failure>) {
        let _ = (id, label);
        drop(job);
    }

    /// Calls `step`, which runs what users brought, outside of a task, on a thread that must go on:
    /// destructors of jobs and outcomes, wakers, callbacks. A kind that can catch panics does it here.
    fn contain(&self, step: impl FnOnce()) {
        step();
    }

    /// A pending task was cancelled, by whomever: called before anybody can see its end.
    ///
    /// Like the three below: for whoever wants to know; called under no lock; it must not unwind.
    fn withdrew(&self, task: &Withdrawn<'_>) {
        let _ = task;
    }

    /// The worker of a slot could not be spawned, or not open its seat.
    fn spawn_failed(&self, slot: usize, cause: &Self::Failure) {
        let _ = (slot, cause);
    }

    /// The worker of a slot is about to leave, on its own thread; its seat is closed.
    fn leaves(&self, slot: usize, why: Departure) {
        let _ = (slot, why);
    }

    /// The pool is closed; called once, by who closes, before it wakes the workers and cancels what is pending. Others
    /// that close, and workers that are awake, do not wait for that.
    fn closed(&self) {}

    /// Whether [`Totals::most_pending`](super::Totals::most_pending) is wanted: then each submit counts
    /// the pending tasks.
    fn measures_pending(&self) -> bool {
        false
    }

    /// The worker is gone: the last thing that its thread says. By then a successor may have been
    /// spawned for the slot.
    fn departed(&self, slot: usize);
}

/// A job that a caller gets back.
pub struct Rejected<J, E> {
    /// The job that was not taken.
    pub job: J,
    /// Why.
    pub reason: Rejection<E>,
}

/// Why a submit was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection<E> {
    /// The pool was shut down.
    Closed,
    /// The pool is broken.
    Broken,
    /// There is no room for a task.
    Full,
    /// Nobody lives to run it and no worker could be spawned.
    Spawn(E),
}

impl<E> Rejection<E> {
    /// Why no worker could be spawned, if it is that.
    pub fn spawn_failure(self) -> Option<E> {
        if let Self::Spawn(failure) = self { Some(failure) } else { None }
    }
}

impl<J, E: fmt::Debug> fmt::Debug for Rejected<J, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<J, E> fmt::Display for Rejected<J, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            Rejection::Closed => "the executor was shut down",
            Rejection::Broken => "the executor is broken",
            Rejection::Full => "the executor has no room for another task",
            Rejection::Spawn(_) => "there is no worker and none could be spawned",
        })
    }
}

impl<J, E: Error + 'static> Error for Rejected<J, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            Rejection::Spawn(cause) => Some(cause),
            _ => None,
        }
    }
}
