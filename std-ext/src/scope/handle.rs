//! The caller's end of a task that borrows: a handle that borrows itself.

use core::fmt;
use core::future::Future;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use asyncpal_core::task::{Durations, Status};

use super::held::Held;
use super::ledger::Ledger;
use super::wanted::Wanted;
use crate::error::TaskError;
use crate::handle::Handle;
use crate::sync::Arc;

/// The caller's end of a task of a scope.
///
/// What [`Handle`](crate::Handle) says of waiting, cancelling and nested waits holds here, too.
/// Dropping it detaches the task; the scope waits for it all the same. It has no callbacks.
#[must_use = "a handle that is dropped detaches its task"]
pub struct ScopedHandle<'scope, T> {
    task: Reference<T>,
    ledger: &'scope Ledger,
}

/// The task, under its pool's own handle.
pub(super) enum Reference<T> {
    /// Nobody else has it.
    Sole(Handle<Held<T>>),
    /// The list of the scope has it, too.
    Listed {
        handle: Arc<Handle<Held<T>>>,
        /// Of an output with a destructor.
        wanted: Option<Arc<Wanted>>,
    },
}

impl<T> Deref for Reference<T> {
    type Target = Handle<Held<T>>;

    fn deref(&self) -> &Handle<Held<T>> {
        match self {
            Self::Sole(handle) => handle,
            Self::Listed { handle, .. } => handle,
        }
    }
}

impl<T> Reference<T> {
    /// Calls `f` with what may take the outcome.
    fn with_mut<R>(&mut self, f: impl FnOnce(&mut Handle<Held<T>>) -> R) -> R {
        match self {
            Self::Sole(handle) => f(handle),
            Self::Listed { handle, .. } => {
                // SAFETY: a handle is a task's address. The task is kept by the original; the copy is
                // not dropped. The list asks for its state and claims it, which handles allow
                // through a shared reference; nobody else takes an outcome or registers a waker.
                let mut copy = ManuallyDrop::new(unsafe { core::ptr::read(&raw const **handle) });
                f(&mut copy)
            }
        }
    }
}

impl<'scope, T> ScopedHandle<'scope, T> {
    pub(super) fn new(task: Reference<T>, ledger: &'scope Ledger) -> Self {
        Self { task, ledger }
    }

    /// Waits for the task and returns its result.
    ///
    /// # Errors
    ///
    /// As [`Handle::collect`](crate::Handle::collect). A panic that is collected is not the scope's
    /// any more.
    pub fn collect(mut self) -> Result<T, TaskError> {
        self.wait();
        self.try_collect()
    }

    /// Waits for the task, at most so long, and returns its result.
    ///
    /// # Errors
    ///
    /// As [`Handle::collect_timeout`](crate::Handle::collect_timeout).
    pub fn collect_timeout(&mut self, timeout: Duration) -> Result<T, TaskError> {
        self.wait_timeout(timeout);
        self.try_collect()
    }

    /// The result, if the task is over, without waiting.
    ///
    /// # Errors
    ///
    /// As [`collect_timeout`](Self::collect_timeout).
    pub fn try_collect(&mut self) -> Result<T, TaskError> {
        let result = self.task.with_mut(Handle::try_collect);
        self.reveal(result)
    }

    fn reveal(&self, result: Result<Held<T>, TaskError>) -> Result<T, TaskError> {
        result.map(Held::into_inner).map_err(|error| match error {
            TaskError::Panicked(noted) => TaskError::Panicked(self.ledger.collect(noted)),
            other => other,
        })
    }

    /// Waits until the task is over.
    pub fn wait(&self) {
        self.task.wait();
    }

    /// Waits until the task is over, at most so long; false if it is not.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.task.wait_timeout(timeout)
    }

    /// Cancels the task if it is pending: its closure is dropped here and now. False if the task has
    /// started or is over.
    pub fn cancel(&self) -> bool {
        self.task.cancel()
    }

    /// Where the task is: a snapshot.
    pub fn status(&self) -> Status {
        self.task.status()
    }

    /// True once the task is over and its result can be collected.
    pub fn is_done(&self) -> bool {
        self.task.is_done()
    }

    /// How long the task waited for a worker, and how long it ran; `None` before it is over, and of a
    /// pool that does not [time its tasks](crate::Builder::time_tasks).
    pub fn durations(&self) -> Option<Durations> {
        self.task.durations()
    }

    /// The task's number in its pool: 1, 2, 3 … in the order of the submits.
    pub fn task_id(&self) -> usize {
        self.task.task_id()
    }

    /// The task's [label](crate::Labelled), if it has one.
    pub fn label(&self) -> Option<&str> {
        self.task.label()
    }
}

impl<T> Drop for ScopedHandle<'_, T> {
    fn drop(&mut self) {
        let Reference::Listed { wanted: Some(wanted), .. } = &self.task else { return };
        if wanted.give_up() {
            // The job has returned: whoever ran it is about to publish that.
            self.task.wait();
            drop(self.task.with_mut(Handle::try_collect));
        }
    }
}

impl<T> Unpin for ScopedHandle<'_, T> {}

/// For bodies and tasks that block on a future; the scope itself ends only when its body returns.
///
/// # Cancel safety
///
/// Strict: a dropped `.await` loses nothing while the handle is kept (await `&mut handle`).
impl<T> Future for ScopedHandle<'_, T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.task.with_mut(|handle| Pin::new(handle).poll(context));
        polled.map(|result| self.reveal(result))
    }
}

impl<T> fmt::Debug for ScopedHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut handle = f.debug_struct("ScopedHandle");
        handle.field("task_id", &self.task_id());
        if let Some(label) = self.label() {
            handle.field("label", &label);
        }
        handle.field("status", &self.status()).finish()
    }
}
