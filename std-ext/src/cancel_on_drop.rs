//! A handle that takes its task along.

use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::error::TaskError;
use crate::handle::Handle;

/// A handle that [cancels](Handle::cancel) its task when it is dropped before the task is over: a
/// pending task never starts, a running one is [asked to stop](crate::is_cancel_requested).
///
/// Made by [`Handle::cancel_on_drop`]. It has the methods of the handle, and can be awaited: so a
/// timeout or a `select` that drops it gives the work up, too.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use std::sync::mpsc;
/// use asyncpal::{Status, ThreadPool};
///
/// let pool = ThreadPool::builder().max_workers(1).build()?;
/// let (gate, closed) = mpsc::channel::<()>();
/// let _running = pool.submit(move || closed.recv())?;
/// let handle = pool.submit(|| println!("never printed"))?.cancel_on_drop();
/// let (tell, status) = mpsc::channel();
/// handle.add_callback(move |status| tell.send(status).unwrap());
///
/// drop(handle);
///
/// assert_eq!(status.recv()?, Status::Cancelled);
/// # drop(gate);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[must_use = "dropping it cancels the task"]
pub struct CancelOnDrop<T> {
    /// `None` only once it was moved out.
    handle: Option<Handle<T>>,
}

impl<T> CancelOnDrop<T> {
    pub(crate) fn new(handle: Handle<T>) -> Self {
        Self { handle: Some(handle) }
    }

    /// The handle; from then on nothing cancels the task by itself.
    pub fn into_inner(mut self) -> Handle<T> {
        self.handle.take().expect("only this moves the handle out")
    }

    /// Drops the handle and lets the task run.
    pub fn detach(self) {
        drop(self.into_inner());
    }

    /// Waits for the task and returns its result.
    ///
    /// # Errors
    ///
    /// As [`Handle::collect`].
    pub fn collect(self) -> Result<T, TaskError> {
        self.into_inner().collect()
    }
}

impl<T> Deref for CancelOnDrop<T> {
    type Target = Handle<T>;

    fn deref(&self) -> &Handle<T> {
        self.handle.as_ref().expect("only `into_inner` moves the handle out")
    }
}

impl<T> DerefMut for CancelOnDrop<T> {
    fn deref_mut(&mut self) -> &mut Handle<T> {
        self.handle.as_mut().expect("only `into_inner` moves the handle out")
    }
}

/// # Cancel safety
///
/// A dropped `.await` cancels the task: that is what this is for. Await `&mut` it, and nothing is lost
/// while it is kept.
///
/// # Panics
///
/// If it is polled again after it returned the result.
impl<T> Future for CancelOnDrop<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut **self).poll(context)
    }
}

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            // One that has started is asked to stop by it.
            let _ = handle.cancel();
        }
    }
}

impl<T> fmt::Debug for CancelOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelOnDrop").field(&self.handle).finish()
    }
}
