//! Waiting for several tasks.

use core::fmt;
use core::time::Duration;

use crate::clock::Deadline;
use crate::error::TaskError;
use crate::flight::Flight;
use crate::handle::Handle;

/// Waits until all tasks are over, at most `timeout`; false if some are not. `None` means without a
/// limit.
pub fn wait<'h, T: 'h>(
    handles: impl IntoIterator<Item = &'h Handle<T>>,
    timeout: impl Into<Option<Duration>>,
) -> bool {
    let deadline = Deadline::after(timeout);
    handles.into_iter().all(|handle| handle.wait_until(deadline))
}

/// Waits for all tasks and returns their results in the order of the handles; stops at the first
/// error. `None` means without a limit.
///
/// # Errors
///
/// The first task's that has no result; [`TaskError::TimedOut`] at the time limit. The other
/// handles are dropped: their tasks run all the same.
pub fn collect<T>(
    handles: impl IntoIterator<Item = Handle<T>>,
    timeout: impl Into<Option<Duration>>,
) -> Result<Vec<T>, TaskError> {
    let deadline = Deadline::after(timeout);
    handles
        .into_iter()
        .map(|mut handle| {
            handle.wait_until(deadline);
            handle.try_collect()
        })
        .collect()
}

/// The handles, each as its task is done.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{ThreadPool, as_done};
///
/// let pool = ThreadPool::new();
/// let handles = (1..=3).map(|n| pool.submit(move || n * n)).collect::<Result<Vec<_>, _>>()?;
///
/// let mut squares: Vec<_> = as_done(handles).filter_map(|handle| handle.collect().ok()).collect();
///
/// squares.sort();
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub fn as_done<T>(handles: impl IntoIterator<Item = Handle<T>>) -> AsDone<T> {
    AsDone::new(handles, false)
}

/// The handles in their order, each once its task is done.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{ThreadPool, as_done_in_order};
///
/// let pool = ThreadPool::new();
/// let handles = (1..=3).map(|n| pool.submit(move || n * n)).collect::<Result<Vec<_>, _>>()?;
///
/// let squares = as_done_in_order(handles).filter_map(|handle| handle.collect().ok());
///
/// assert!(squares.eq([1, 4, 9]));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[doc(alias = "keep_order")]
pub fn as_done_in_order<T>(handles: impl IntoIterator<Item = Handle<T>>) -> AsDone<T> {
    AsDone::new(handles, true)
}

/// Iterator of [`as_done`] and [`as_done_in_order`].
#[must_use = "iterators are lazy"]
pub struct AsDone<T> {
    flight: Flight<T>,
    deadline: Deadline,
}

impl<T> AsDone<T> {
    fn new(handles: impl IntoIterator<Item = Handle<T>>, ordered: bool) -> Self {
        let mut flight = Flight::new(ordered);
        handles.into_iter().for_each(|handle| flight.add(handle));
        Self { flight, deadline: Deadline::NEVER }
    }

    /// Ends the iteration so long from now; [`into_rest`](Self::into_rest) has what was not done.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Deadline::after(timeout);
        self
    }

    /// The handles that were not returned, in the order in which they were given.
    pub fn into_rest(mut self) -> impl Iterator<Item = Handle<T>> {
        self.flight.rest().into_iter()
    }
}

impl<T> Iterator for AsDone<T> {
    type Item = Handle<T>;

    fn next(&mut self) -> Option<Handle<T>> {
        self.flight.land(self.deadline)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.flight.len()))
    }
}

impl<T> fmt::Debug for AsDone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsDone").field("left", &self.flight.len()).finish_non_exhaustive()
    }
}
