//! A task's failure on its way to whoever collects it; if nobody does, the pool's hook hears of it.
//!
//! The failure itself knows where to report, since it may outlive its pool in a handle. It learns that
//! when the task fails, so a task that succeeds pays nothing.

use core::fmt;
use core::ops::Deref;

use asyncpal_core::task::Label;

use crate::error::{Cancelled, TaskError};
use crate::observe::{Observer, TaskLabel};
use crate::sync::program::AtomicUsize;
use crate::sync::{Arc, Ordering};

/// A task's failure as the engine carries it: one word.
///
/// It is made of a [`TaskError`] with `into`. That of a task is reported when it is dropped before
/// anybody has seen the error. Tasks that are cancelled for the same reason share one.
#[derive(Debug)]
pub struct Failure(Arc<Parcel>);

#[derive(Debug)]
struct Parcel {
    /// `None` once it was collected.
    error: Option<TaskError>,
    /// `None` if it is not of a task that ran.
    origin: Option<Origin>,
    /// One once a user has looked at the error.
    seen: AtomicUsize,
}

/// Where a failure comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) observer: Arc<Observer>,
    pub(crate) task_id: usize,
    pub(crate) label: Option<Label>,
    pub(crate) cancel_requested: bool,
}

impl Failure {
    /// What somebody has wanted: it is nobody's loss if nobody collects it, so it is not reported.
    pub fn by_request(error: TaskError) -> Self {
        let failure = Self::from(error);
        failure.look();
        failure
    }

    /// That of a task.
    pub(crate) fn come_from(mut self, origin: Origin) -> Self {
        // Those that are shared are of tasks that did not run.
        if let Some(parcel) = Arc::get_mut(&mut self.0) {
            parcel.origin = Some(origin);
        }
        self
    }

    /// The same, for another task that is cancelled.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }

    /// The error, collected.
    pub(crate) fn into_error(mut self) -> TaskError {
        match Arc::get_mut(&mut self.0) {
            Some(parcel) => parcel.error.take().expect("only this moves the error out"),
            None => TaskError::Cancelled(self.cancelled()),
        }
    }

    fn cancelled(&self) -> Cancelled {
        let TaskError::Cancelled(cancelled) = &**self else {
            unreachable!("{self:?}: others are not shared")
        };
        cancelled.clone()
    }

    /// The error, for a user to see: as good as collected.
    pub(crate) fn look(&self) -> &TaskError {
        // ORDERING: Relaxed: who drops the failure has it after all who looked.
        self.0.seen.store(1, Ordering::Relaxed);
        self
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self(Arc::new(Parcel { error: Some(error), origin: None, seen: AtomicUsize::new(0) }))
    }
}

impl Deref for Failure {
    type Target = TaskError;

    fn deref(&self) -> &TaskError {
        self.0.error.as_ref().expect("only `into_error` moves the error out")
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        let (Some(error), Some(origin)) = (&self.error, &self.origin) else { return };
        if *self.seen.get_mut() == 0 {
            origin.observer.report(&UncollectedFailure {
                pool_name: origin.observer.pool_name(),
                task_id: origin.task_id,
                label: origin.label.as_deref(),
                cancel_requested: origin.cancel_requested,
                error,
            });
        }
    }
}

/// What nobody will ever collect: a task that has panicked or failed, and whose handle is gone.
///
/// Given to the hook that [`Builder::on_uncollected`](crate::Builder::on_uncollected) sets.
#[derive(Clone, Copy, Debug)]
pub struct UncollectedFailure<'f> {
    pool_name: &'f str,
    task_id: usize,
    label: Option<&'f str>,
    cancel_requested: bool,
    error: &'f TaskError,
}

impl<'f> UncollectedFailure<'f> {
    /// The name of the task's pool.
    pub fn pool_name(&self) -> &'f str {
        self.pool_name
    }

    /// The task's number in its pool.
    pub fn task_id(&self) -> usize {
        self.task_id
    }

    /// The task's [label](crate::Labelled), if it has one.
    pub fn label(&self) -> Option<&'f str> {
        self.label
    }

    /// True if the task had been asked to stop when it failed: the failure may be its answer.
    pub fn was_cancel_requested(&self) -> bool {
        self.cancel_requested
    }

    /// The task's failure.
    pub fn error(&self) -> &'f TaskError {
        self.error
    }
}

impl fmt::Display for UncollectedFailure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool_name, task_id, label, cancel_requested, error } = self;
        let task = TaskLabel { id: *task_id, label: *label };
        write!(f, "pool {pool_name:?}: {task}, which nobody collected")?;
        if *cancel_requested {
            f.write_str(" and which was asked to stop")?;
        }
        write!(f, ": {error}")
    }
}

/// Called with what nobody collected.
pub(crate) type ReportHook = Arc<dyn Fn(&UncollectedFailure<'_>) + Send + Sync>;
