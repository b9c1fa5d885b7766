//! Waiting for several tasks.

use core::fmt;
use core::time::Duration;

use crate::clock::Deadline;
use crate::completions::Completions;
use crate::error::TaskError;
use crate::handle::Handle;

/// Waits until all tasks are over, at most `timeout`; false if some are not. `None` means without a
/// limit.
pub fn wait<'h, T: 'h>(
    handles: impl IntoIterator<Item = &'h Handle<T>>,
    timeout: impl Into<Option<Duration>>,
) -> bool {
    let deadline = timeout.into().map_or(Deadline::NEVER, Deadline::after);
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
    let deadline = timeout.into().map_or(Deadline::NEVER, Deadline::after);
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
/// use asyncpal_std::{ThreadPool, as_done};
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
    let completions = Completions::default();
    let handles: Vec<_> = handles.into_iter().map(Some).collect();
    for (index, handle) in handles.iter().enumerate() {
        completions.watch(index, handle.as_ref().expect("none is taken yet"));
    }
    AsDone { left: handles.len(), handles, completions, deadline: Deadline::NEVER }
}

/// Iterator of [`as_done`].
#[must_use = "iterators are lazy"]
pub struct AsDone<T> {
    handles: Vec<Option<Handle<T>>>,
    left: usize,
    completions: Completions,
    deadline: Deadline,
}

impl<T> AsDone<T> {
    /// Ends the iteration so long from now; [`into_rest`](Self::into_rest) has what was not done.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Deadline::after(timeout);
        self
    }

    /// The handles that were not returned.
    pub fn into_rest(self) -> impl Iterator<Item = Handle<T>> {
        self.handles.into_iter().flatten()
    }
}

impl<T> Iterator for AsDone<T> {
    type Item = Handle<T>;

    fn next(&mut self) -> Option<Handle<T>> {
        if self.left == 0 {
            return None;
        }
        let index = self.completions.next_helping(self.deadline, self.handles.iter().flatten())?;
        self.left -= 1;
        self.handles[index].take()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl<T> fmt::Debug for AsDone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsDone").field("left", &self.left).finish_non_exhaustive()
    }
}
