//! What a pool tells its hook.

use core::error::Error;
use core::fmt;
use core::time::Duration;

use asyncpal_core::executor::Departure;

use crate::error::{BrokenCause, TaskError};

/// Something that happened in a pool: what [`Builder::on_event`](crate::Builder::on_event) hears of.
///
/// Its `Display` is a line for people.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'e> {
    /// The pool's name.
    pub pool_name: &'e str,
    /// The number of the worker on whose thread it happened; `None` if that is no worker of this pool.
    pub worker: Option<usize>,
    /// What happened.
    pub kind: EventKind<'e>,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum EventKind<'e> {
    /// A task is about to run, on this thread.
    #[non_exhaustive]
    TaskStarted {
        /// Which one.
        task: TaskLabel<'e>,
        /// How long it was pending.
        waited: Duration,
    },
    /// A task is over; its handle tells so only after this. Told once of every task that has a number,
    /// also of one that is given back at the last moment, as cancelled.
    #[non_exhaustive]
    TaskEnded {
        /// Which one.
        task: TaskLabel<'e>,
        /// How.
        ending: Ending<'e>,
        /// How long it was pending.
        waited: Duration,
        /// How long it ran; zero for a task that was cancelled.
        ran: Duration,
    },
    /// A worker starts, on this thread; its initializer has not run.
    WorkerStarted,
    /// The worker that this thread is leaves; its finalizer has run.
    WorkerLeft(Departure),
    /// A worker could not be spawned. Its task waits for another one, or is given back if there is none.
    #[non_exhaustive]
    SpawnFailed {
        /// The number that it would have had.
        worker: usize,
        /// Why.
        error: &'e (dyn Error + 'static),
    },
    /// The pool is shut down: it takes no tasks any more, and cancels those that are pending.
    PoolClosed,
    /// The pool is broken, for this reason.
    PoolBroken(&'e BrokenCause),
}

/// A task, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskLabel<'e> {
    /// Its number in its pool: [`Handle::task_id`](crate::Handle::task_id).
    pub id: usize,
    /// Its [label](crate::Labelled), if it has one.
    pub label: Option<&'e str>,
}

/// How a task ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Ending<'e> {
    /// It returned a value.
    Completed,
    /// It panicked, returned an error, or was lost with its worker: the error says which.
    Failed(&'e TaskError),
    /// It was cancelled before it started.
    Cancelled,
}

impl<'e> Event<'e> {
    /// The task that it is about.
    pub fn task(&self) -> Option<TaskLabel<'e>> {
        match self.kind {
            EventKind::TaskStarted { task, .. } | EventKind::TaskEnded { task, .. } => Some(task),
            _ => None,
        }
    }

    /// True for what somebody should look at: a task or a spawn that failed, a broken pool.
    pub fn is_failure(&self) -> bool {
        matches!(
            self.kind,
            EventKind::TaskEnded { ending: Ending::Failed(_), .. }
                | EventKind::SpawnFailed { .. }
                | EventKind::PoolBroken(_)
        )
    }
}

impl fmt::Display for TaskLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        self.label.map_or(Ok(()), |label| write!(f, " {label:?}"))
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool_name, worker, kind } = self;
        write!(f, "pool {pool_name:?}")?;
        if let Some(worker) = worker {
            write!(f, ", worker {worker}")?;
        }
        f.write_str(": ")?;
        match kind {
            EventKind::TaskStarted { task, waited } => {
                write!(f, "{task} starts after {waited:.1?}")
            }
            EventKind::TaskEnded { task, ending: Ending::Completed, ran, .. } => {
                write!(f, "{task} completed in {ran:.1?}")
            }
            EventKind::TaskEnded { task, ending: Ending::Failed(error), ran, .. } => {
                write!(f, "{task} failed after {ran:.1?}: {error}")
            }
            EventKind::TaskEnded { task, ending: Ending::Cancelled, waited, .. } => {
                write!(f, "{task} was cancelled after {waited:.1?}, before it started")
            }
            EventKind::WorkerStarted => f.write_str("the worker starts"),
            EventKind::WorkerLeft(why) => write!(f, "the worker leaves: {why}"),
            EventKind::SpawnFailed { worker, error } => {
                write!(f, "worker {worker} could not be spawned: {error}")
            }
            EventKind::PoolClosed => f.write_str("it is shut down"),
            EventKind::PoolBroken(cause) => write!(f, "it is broken: {cause}"),
        }
    }
}
