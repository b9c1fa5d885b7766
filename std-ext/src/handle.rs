//! The caller's end of a task.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use asyncpal_core::task::{Durations, Handle as CoreHandle, ObserverId, Registration, Status};

use crate::cancel_on_drop::CancelOnDrop;
use crate::clock::Deadline;
use crate::contain::contain;
use crate::error::TaskError;
use crate::failure::Failure;
use crate::inline::{is_ours, run_here};
use crate::kind::Kind;
use crate::parker::{Bed, spin};
use crate::pool::Pool;
use crate::watcher::{is_forked, ring_cancel_bells};

/// The caller's end of a task that returns a `T`.
///
/// Wait for the result with [`collect`](Handle::collect), with `.await` in any async runtime, or
/// be told by a [callback](Handle::add_callback). Dropping the handle detaches the task: it runs
/// all the same, calls its callbacks, and wakes nobody.
///
/// A worker that waits without a timeout for a pending task of its own pool runs that task itself,
/// so nested waits need no spare worker. The depth of such nesting is bounded by the stack. A worker
/// that waits in another way, in a channel or in an async runtime's `block_on`, only waits: if no other
/// worker is left for that task, it waits for ever.
///
/// A failure that nobody collects is reported: see
/// [`Builder::on_uncollected`](crate::Builder::on_uncollected).
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::ThreadPool;
///
/// let pool = ThreadPool::new();
/// let handle = pool.submit(|| "done")?;
/// assert_eq!(handle.collect()?, "done");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[doc(alias = "Future")]
#[must_use = "a handle that is dropped detaches its task"]
pub struct Handle<T> {
    core: CoreHandle<T, Failure>,
}

/// Names a callback of one handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId(ObserverId);

impl<T> Handle<T> {
    pub(crate) fn new(core: CoreHandle<T, Failure>) -> Self {
        Self { core }
    }

    /// Waits for the task and returns its result.
    ///
    /// # Errors
    ///
    /// [`TaskError`], if the task panicked, failed, was cancelled, or was lost with its worker.
    /// [`TaskError::AlreadyCollected`] if the result was had before, by one of the methods below;
    /// [`TaskError::Forked`], at once, in a child that was forked before the task was over.
    pub fn collect(mut self) -> Result<T, TaskError> {
        self.wait();
        self.take()
    }

    /// Waits for the task, at most so long, and returns its result.
    ///
    /// # Errors
    ///
    /// [`TaskError::TimedOut`] if the task is not over by then: the handle stays usable.
    /// Otherwise as [`collect`](Handle::collect).
    pub fn collect_timeout(&mut self, timeout: Duration) -> Result<T, TaskError> {
        self.wait_timeout(timeout);
        self.try_collect()
    }

    /// The result, if the task is over, without waiting.
    ///
    /// # Errors
    ///
    /// As [`collect_timeout`](Handle::collect_timeout).
    pub fn try_collect(&mut self) -> Result<T, TaskError> {
        if self.is_done() || self.is_forked() { self.take() } else { Err(TaskError::TimedOut) }
    }

    /// The result, in its place, if the task is over and the result was not collected. An error that
    /// was seen here counts as collected.
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use asyncpal::ThreadPool;
    ///
    /// let pool = ThreadPool::new();
    /// let handle = pool.submit(|| vec![1, 2, 3])?;
    /// handle.wait();
    ///
    /// assert!(matches!(handle.peek(), Some(Ok(numbers)) if numbers.len() == 3));
    /// assert_eq!(handle.collect()?, [1, 2, 3]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[doc(alias = "result")]
    #[doc(alias = "exception")]
    pub fn peek(&self) -> Option<Result<&T, &TaskError>>
    where
        T: Sync,
    {
        self.core.peek().map(TaskError::result_in_place)
    }

    fn take(&mut self) -> Result<T, TaskError> {
        match self.core.take() {
            Some(outcome) => TaskError::result(outcome),
            None if self.is_done() => Err(TaskError::AlreadyCollected),
            None => Err(TaskError::Forked),
        }
    }

    /// Whether the task runs in a process that this one was forked from: if it is not over, it will
    /// never be, here.
    pub(crate) fn is_forked(&self) -> bool {
        is_forked(self.core.home())
    }

    /// Waits until the task is over. In a child that was forked since the submit it returns at once:
    /// see [`TaskError::Forked`].
    pub fn wait(&self) {
        self.wait_until(Deadline::NEVER);
    }

    /// Waits until the task is over, at most so long; false if it is not.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.is_done() || self.wait_until(Deadline::after(timeout))
    }

    pub(crate) fn wait_until(&self, deadline: Deadline) -> bool {
        if self.is_done() {
            return true;
        }
        if self.is_forked() {
            return false;
        }
        if deadline.is_never() && self.run_here() {
            return true;
        }
        if spin(self.core.is_far(), || self.is_done()) {
            return true;
        }
        Bed::with(|bed| {
            let waker = bed.waker();
            match self.core.register(waker) {
                Registration::Done => true,
                Registration::Armed(_registered) => self.sleep(bed, deadline),
                Registration::Busy => {
                    // A second waiter on one handle.
                    let theirs = waker.clone();
                    let id = self.core.on_done(Box::new(move |_| theirs.wake()));
                    let done = self.sleep(bed, deadline);
                    if let Some(id) = id {
                        self.core.remove_observer(id);
                    }
                    done
                }
            }
        })
    }

    fn sleep(&self, bed: &Bed, deadline: Deadline) -> bool {
        // A token may be left from an earlier wait.
        while !self.is_done() {
            if !bed.sleep(deadline) {
                return self.is_done();
            }
        }
        true
    }

    /// Runs the task here if this thread is a worker of its pool and the task is pending.
    pub(crate) fn run_here(&self) -> bool {
        !self.is_forked() && run_here(&self.core)
    }

    /// Whether [`run_here`](Self::run_here) would run the task if it was pending.
    pub(crate) fn is_ours(&self) -> bool {
        !self.is_forked() && is_ours(&self.core)
    }

    /// Cancels the task if it is pending: its closure is dropped here and now, and the handle
    /// resolves to [`TaskError::Cancelled`].
    ///
    /// False if the task has started or is over. One that has started is asked to stop: it sees that
    /// in [`is_cancel_requested`](crate::is_cancel_requested), if it looks, and ends as it likes. A pool
    /// of processes that was built with `kill_on_cancel` kills its worker.
    pub fn cancel(&self) -> bool {
        if self.is_forked() {
            return false;
        }
        let cancelled = self.core.cancel();
        if !cancelled && !self.is_done() {
            ring_cancel_bells();
        }
        cancelled
    }

    /// True if the task was cancelled, or asked to stop by [`cancel`](Handle::cancel).
    #[doc(alias = "cancel_flag")]
    pub fn is_cancel_requested(&self) -> bool {
        self.core.is_cancel_requested()
    }

    /// Ties the task to the handle: dropping what is returned before the task is over cancels it.
    #[doc(alias = "AbortOnDrop")]
    pub fn cancel_on_drop(self) -> CancelOnDrop<T> {
        CancelOnDrop::new(self)
    }

    /// Where the task is: a snapshot.
    pub fn status(&self) -> Status {
        self.core.status()
    }

    /// True while the task waits for a worker.
    pub fn is_pending(&self) -> bool {
        self.status() == Status::Pending
    }

    /// True while a worker runs the task.
    pub fn is_running(&self) -> bool {
        self.status() == Status::Running
    }

    /// True if the task returned a value.
    pub fn is_completed(&self) -> bool {
        self.status() == Status::Completed
    }

    /// True if the task panicked, returned an error, or was lost with its worker.
    pub fn is_failed(&self) -> bool {
        self.status() == Status::Failed
    }

    /// True if the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.status() == Status::Cancelled
    }

    /// True once the task is over and its result can be collected.
    pub fn is_done(&self) -> bool {
        self.core.is_done()
    }

    /// How long the task waited for a worker, and how long it ran; `None` before it is over, and of a
    /// pool that does not [time its tasks](crate::Builder::time_tasks).
    #[doc(alias = "duration")]
    pub fn durations(&self) -> Option<Durations> {
        self.core.durations()
    }

    /// The task's number in its pool: 1, 2, 3 … in the order of the submits.
    pub fn task_id(&self) -> usize {
        self.core.id()
    }

    /// The task's [label](crate::Labelled), if it has one.
    pub fn label(&self) -> Option<&str> {
        self.core.label()
    }

    /// True if the task was submitted to `pool`. Pools are told apart by where they are in memory, so
    /// of a pool that is gone this says nothing.
    #[doc(alias = "pool")]
    pub fn is_of<K: Kind>(&self, pool: &Pool<K>) -> bool {
        self.core.home() == pool.home()
    }

    /// Calls `callback` with the final status when the task is over: on the thread that ends it,
    /// or here and now (`None`) if it is over already. Callbacks of one handle are called in the
    /// order in which they were added, under no lock. One that panics is caught; the panic hook
    /// has reported it by then.
    ///
    /// That thread is usually a worker. A callback may submit; in a pool of processes it must not wait for tasks of
    /// that pool, whose replies this very thread may have to read, and it holds up what its worker was sent ahead.
    pub fn add_callback(
        &self,
        callback: impl FnOnce(Status) + Send + 'static,
    ) -> Option<CallbackId> {
        let guarded = move |status| contain(|| callback(status));
        self.core.on_done(Box::new(guarded)).map(CallbackId)
    }

    /// Removes a callback; false if it was called or removed before.
    pub fn remove_callback(&self, id: CallbackId) -> bool {
        self.core.remove_observer(id.0)
    }
}

impl<T> Unpin for Handle<T> {}

/// The result, as of [`Handle::collect`]; [`TaskError::AlreadyCollected`] if it is polled again.
///
/// # Cancel safety
///
/// Strict: a dropped `.await` loses nothing while the handle is kept (await `&mut handle`).
impl<T> Future for Handle<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.core.is_taken() {
            return Poll::Ready(Err(TaskError::AlreadyCollected));
        }
        if self.is_forked() && !self.is_done() {
            return Poll::Ready(Err(TaskError::Forked));
        }
        self.core.poll_outcome(context).map(TaskError::result)
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut handle = f.debug_struct("Handle");
        handle.field("task_id", &self.task_id());
        if let Some(label) = self.label() {
            handle.field("label", &label);
        }
        handle
            .field("status", &self.status())
            .field("is_cancel_requested", &self.is_cancel_requested())
            .field("durations", &self.durations())
            .finish()
    }
}
