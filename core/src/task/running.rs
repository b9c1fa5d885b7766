//! A task, as it is seen while it runs, and when it will not.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::fmt;
use core::time::Duration;

#[cfg(feature = "alloc")]
use super::job::Label;
use super::live::Live;
use crate::clock::Instant;

/// When a task started, and when it ended if somebody has looked: one reading of the clock serves
/// all who want to know.
pub(crate) struct Clocked<'w> {
    started: Instant,
    ended: Cell<Option<Instant>>,
    /// What the worker has taken ahead, if its kind does that.
    behind: Option<&'w dyn Behind>,
}

/// The tasks that a worker has taken ahead of their turn, behind the one that it runs.
pub(crate) trait Behind {
    /// Gives the last so many back.
    fn give_back(&self, last: usize);
}

impl<'w> Clocked<'w> {
    pub(crate) const fn new(started: Instant) -> Self {
        Self { started, ended: Cell::new(None), behind: None }
    }

    pub(crate) const fn before(behind: &'w dyn Behind, started: Instant) -> Self {
        Self { behind: Some(behind), ..Self::new(started) }
    }

    /// The end of the task, which is over.
    pub(crate) fn ended(&self, now: impl FnOnce() -> Instant) -> Instant {
        self.ended.get().unwrap_or_else(now)
    }
}

/// A running task, as it sees itself: lent to [`Job::run_as`](super::Job::run_as) for as long as the
/// task runs.
pub struct Running<'t> {
    task: Live,
    clocked: &'t Clocked<'t>,
}

impl<'t> Running<'t> {
    /// The caller is the task's resolver (S1), and publishes no end while this is alive.
    pub(super) fn new(task: Live, clocked: &'t Clocked<'t>) -> Self {
        Self { task, clocked }
    }

    /// The task's number in its pool.
    pub fn id(&self) -> usize {
        self.task.header().id
    }

    /// The task's label, if it has one.
    #[cfg(feature = "alloc")]
    pub fn label(&self) -> Option<&Label> {
        self.task.label()
    }

    /// True once a [`cancel`](super::Handle::cancel) came too late, or the pool wants its running
    /// tasks to end ([`asks_to_stop`](crate::executor::WorkerKind::asks_to_stop)): the task should
    /// return as soon as it can. What happened before the cancel is seen.
    pub fn is_cancel_requested(&self) -> bool {
        self.task.header().state.get().is_cancel_requested() || self.task.asks_to_stop()
    }

    /// True once a [`cancel`](super::Handle::cancel) came too late, whatever the pool wants. What
    /// happened before the cancel is seen.
    pub fn is_cancel_called(&self) -> bool {
        self.task.header().state.get().is_cancel_requested()
    }

    /// How long the task was pending; zero if it is [not timed](crate::executor::WorkerKind::times_tasks).
    pub fn waited(&self) -> Duration {
        self.clocked.started.since(self.task.submitted())
    }

    /// Gives back the last so many of the tasks that were [announced](super::Job::announce) to the seat
    /// behind this one: the seat has not begun them and never will. They are pending again, before all
    /// others, and any worker may run them.
    pub fn give_back(&self, last: usize) {
        if let Some(behind) = self.clocked.behind {
            behind.give_back(last);
        }
    }

    /// Notes `now` as the end of the task; so long it ran. For a wrapper round a job that has returned:
    /// the clock is not read again.
    pub fn end(&self, now: Instant) -> Duration {
        self.clocked.ended.set(Some(now));
        now.since(self.clocked.started)
    }
}

impl fmt::Debug for Running<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("id", &self.id())
            .field("is_cancel_requested", &self.is_cancel_requested())
            .finish()
    }
}

/// A task that was cancelled just now, while it was pending.
pub struct Withdrawn<'t> {
    task: &'t Live,
    waited: Duration,
}

impl<'t> Withdrawn<'t> {
    /// The caller is the task's resolver (S1), and publishes no end while this is alive.
    pub(super) fn new(task: &'t Live, waited: Duration) -> Self {
        Self { task, waited }
    }

    /// The task's number in its pool.
    pub fn id(&self) -> usize {
        self.task.header().id
    }

    /// The task's label, if it has one.
    #[cfg(feature = "alloc")]
    pub fn label(&self) -> Option<&Label> {
        self.task.label()
    }

    /// How long it was pending; zero if it is [not timed](crate::executor::WorkerKind::times_tasks).
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl fmt::Debug for Withdrawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Withdrawn").field("id", &self.id()).field("waited", &self.waited).finish()
    }
}
