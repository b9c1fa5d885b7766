//! The eager form of a map.

use core::iter::FusedIterator;
use core::time::Duration;

use super::results::Results;
use super::split::SplitTask;
use crate::clock::Deadline;
use crate::error::TaskError;
use crate::kind::{Accepts, Chunk};
use crate::pool::Pool;

/// Iterator over the results of a map whose chunks were all submitted when it was made, by
/// [`Pool::map_all`], [`Pool::starmap_all`] and their unordered forms.
///
/// It does not borrow the pool. Errors come as with [`Map`](crate::Map): one `Err` takes the place of
/// a failed chunk's results, and a pool that was closed or broken before the call is one
/// [`TaskError::Rejected`]. Dropping the iterator cancels the chunks that have not started. A pool that is
/// full makes the call wait for room, as with [`Map`](crate::Map).
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::ThreadPool;
///
/// let pool = ThreadPool::new();
/// // All ten chunks are on their way while this thread does something else.
/// let squares = pool.map_all(|n: u64| n * n, 0..1000, 100);
/// let expected: u64 = (0..1000).map(|n| n * n).sum();
/// assert_eq!(squares.sum::<Result<u64, _>>()?, expected);
/// # Ok::<(), asyncpal::TaskError>(())
/// ```
#[must_use = "dropping it cancels what has not started"]
#[derive(Debug)]
pub struct MapAll<T> {
    results: Results<T>,
    deadline: Deadline,
}

impl<T> MapAll<T> {
    pub(super) fn new<K, F, I>(pool: &Pool<K>, mut chunks: SplitTask<F, I>, ordered: bool) -> Self
    where
        I: Iterator,
        K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
    {
        let mut results = Results::new(ordered);
        results.submit(pool, &mut chunks, None, None, Deadline::NEVER);
        Self { results, deadline: Deadline::NEVER }
    }

    /// Ends the iteration with [`TaskError::TimedOut`] so long from now. Default: no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Deadline::after(timeout);
        self
    }
}

impl<T> Iterator for MapAll<T> {
    type Item = Result<T, TaskError>;

    fn next(&mut self) -> Option<Result<T, TaskError>> {
        self.results.next(self.deadline)
    }
}

impl<T> FusedIterator for MapAll<T> {}
