//! How a pool ends, and what it leaves behind.

use core::fmt;
use core::time::Duration;

use asyncpal_core::task::{Job, KeptJob, Label, Running};

use super::Pool;
use super::admission::Patience;
use crate::clock::Deadline;
use crate::contain::caught;
use crate::error::{SubmitError, TaskError};
use crate::failure::Failure;
use crate::handle::Handle;
use crate::kind::{Kind, LabelledJob};
use crate::observe::ended_and_running;
use crate::threads::{ThreadSeat, Threads};

/// What became of a pool's tasks when it was shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that ended meanwhile.
    pub completed: usize,
    /// Tasks that were pending, and were cancelled.
    pub cancelled: usize,
    /// Tasks that still run.
    pub running: usize,
    /// Workers that have not left: those that run these tasks, a finalizer, or destructors of their threads'
    /// locals.
    pub workers: usize,
}

impl ShutdownReport {
    /// True if nobody of the pool is left.
    pub const fn is_complete(&self) -> bool {
        self.workers == 0
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { completed, cancelled, running, workers } = self;
        write!(f, "{completed} tasks completed, {cancelled} cancelled, {running} still running")?;
        if *workers > *running {
            write!(f, ", {} workers about to leave", workers - running)?;
        }
        Ok(())
    }
}

impl<K: Kind> Pool<K> {
    /// Closes the pool: cancels what is pending, waits for what is running and for the workers to
    /// leave. Running tasks are not asked to stop. False if it was closed before; it waits all the same.
    ///
    /// Called by one of the pool's own workers, it waits for those of the others that do not wait in this way
    /// themselves.
    pub fn shutdown(&self) -> bool {
        if self.inner.is_forked() {
            return false;
        }
        let first = self.inner.executor.close();
        self.inner.wait_until_empty(Deadline::NEVER);
        first
    }

    /// As [`shutdown`](Pool::shutdown), but waits at most so long, and says what became of the tasks.
    ///
    /// Running tasks are asked to stop, see [`is_cancel_requested`](crate::is_cancel_requested). Those that
    /// still run at the deadline go on: call it again to wait for them. Dropping the pool then does not wait for
    /// them, but the end of the program does, up to the pool's [grace](crate::Builder::grace). What it reports as
    /// completed is counted from the beginning of the call, what is cancelled from that of the pool.
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use core::time::Duration;
    /// use asyncpal::ThreadPool;
    ///
    /// let pool = ThreadPool::new();
    /// let report = pool.shutdown_timeout(Duration::from_secs(5));
    /// assert!(report.is_complete());
    /// assert_eq!(report.to_string(), "0 tasks completed, 0 cancelled, 0 still running");
    /// ```
    pub fn shutdown_timeout(&self, timeout: Duration) -> ShutdownReport {
        let deadline = Deadline::after(timeout);
        let counts = || {
            let totals = self.inner.executor.engine().totals();
            ended_and_running(&totals, &self.inner.staff().terms.observer)
        };
        let (ended_before, _) = counts();
        if !self.inner.is_forked() {
            // First: what the close cancels may wait for what runs.
            self.inner.staff().ask_to_stop();
            self.inner.executor.close();
            self.inner.give_up_at(deadline);
        }
        let (ended, running) = counts();
        ShutdownReport {
            completed: ended.wrapping_sub(ended_before),
            cancelled: self.inner.staff().cancelled(),
            running,
            workers: self.inner.unfinished_workers(),
        }
    }

    /// The tasks that were cancelled because the pool was shut down, broke or could spawn no worker,
    /// in the order of their submits: each is returned once. Empty unless the pool was built to
    /// [keep them](crate::Builder::keep_cancelled_tasks).
    ///
    /// Their handles have resolved to [`TaskError::Cancelled`]; what the tasks return when they are run
    /// all the same is dropped.
    #[doc(alias = "cancelled_tasks")]
    pub fn take_cancelled_tasks(&self) -> Vec<CancelledTask<K>> {
        if self.inner.is_forked() { Vec::new() } else { self.inner.staff().take_kept() }
    }

    /// Submits a task that another pool of this kind has cancelled. It keeps its
    /// [label](crate::Labelled).
    ///
    /// # Errors
    ///
    /// As [`submit`](Pool::submit), with the task.
    pub fn resubmit(
        &self,
        task: CancelledTask<K>,
    ) -> Result<Handle<()>, SubmitError<CancelledTask<K>>> {
        let patience = Patience::Policy(self.inner.plan.when_full);
        let CancelledTask { id, label, job } = task;
        let job = Again::<K>(job);
        let submitted = match label {
            None => self.inner.submit(job, patience).map_err(|(job, reason)| (None, job, reason)),
            Some(label) => {
                let submitted = self.inner.submit(LabelledJob { label, job }, patience);
                submitted.map_err(|(LabelledJob { label, job }, reason)| (Some(label), job, reason))
            }
        };
        submitted.map_err(|(label, Again(job), reason)| SubmitError {
            call: CancelledTask::new(id, label, job),
            reason,
        })
    }
}

/// A task that its pool has cancelled, with all that it needs to run: see
/// [`Pool::take_cancelled_tasks`].
#[must_use = "dropping it drops the task's closure"]
pub struct CancelledTask<K: Kind> {
    id: usize,
    label: Option<Label>,
    job: KeptJob<K::Seat, Failure>,
}

impl<K: Kind> CancelledTask<K> {
    pub(super) fn new(id: usize, label: Option<Label>, job: KeptJob<K::Seat, Failure>) -> Self {
        Self { id, label, job }
    }

    /// The number that it had in the pool that has cancelled it.
    pub fn task_id(&self) -> usize {
        self.id
    }

    /// The task's [label](crate::Labelled), if it has one.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

impl CancelledTask<Threads> {
    /// Runs it here, and drops what it returns.
    ///
    /// # Errors
    ///
    /// [`TaskError`], if it panics or fails.
    pub fn run(self) -> Result<(), TaskError> {
        caught(|| self.job.run_boxed(&mut ThreadSeat::new(), None)).map_err(Failure::into_error)
    }
}

impl<K: Kind> fmt::Debug for CancelledTask<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut task = f.debug_struct("CancelledTask");
        task.field("task_id", &self.id);
        if let Some(label) = self.label() {
            task.field("label", &label);
        }
        task.finish_non_exhaustive()
    }
}

/// A cancelled task's job, to be tried again.
struct Again<K: Kind>(KeptJob<K::Seat, Failure>);

impl<K: Kind> Job<K::Seat, Failure> for Again<K> {
    type Output = ();

    fn run(self, seat: &mut K::Seat) -> Result<(), Failure> {
        self.0.run_boxed(seat, None)
    }

    fn run_as(self, seat: &mut K::Seat, this: &Running<'_>) -> Result<(), Failure> {
        self.0.run_boxed(seat, Some(this))
    }

    fn keep(self) -> Option<KeptJob<K::Seat, Failure>> {
        Some(self.0)
    }
}
