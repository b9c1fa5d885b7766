//! A running task, as it sees itself.

use core::fmt;
use core::marker::PhantomData;

use super::live::Live;

/// A running task, as it sees itself: lent to [`Job::run_as`](super::Job::run_as) for as long as the
/// task runs.
pub struct Running<'t> {
    task: Live,
    lent: PhantomData<&'t ()>,
}

impl Running<'_> {
    /// The caller is the task's resolver (S1), and publishes no end while this is alive.
    pub(super) fn new(task: Live) -> Self {
        Self { task, lent: PhantomData }
    }

    /// The task's number in its pool.
    pub fn id(&self) -> usize {
        self.task.header().id
    }

    /// True once a [`cancel`](super::Handle::cancel) came too late, or the pool wants its running
    /// tasks to end ([`asks_to_stop`](crate::executor::WorkerKind::asks_to_stop)): the task should
    /// return as soon as it can. What happened before the cancel is seen.
    pub fn is_cancel_requested(&self) -> bool {
        self.task.header().state.get().is_cancel_requested() || self.task.asks_to_stop()
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
