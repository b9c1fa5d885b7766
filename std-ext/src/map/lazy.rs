//! The lazy form of a map.

use core::fmt;
use core::iter::FusedIterator;
use core::num::NonZeroUsize;
use core::time::Duration;

use asyncpal_core::task::Label;

use super::lookahead::Lookahead;
use super::results::Results;
use super::split::{SplitTask, checked};
use crate::clock::Deadline;
use crate::error::TaskError;
use crate::kind::{Accepts, Chunk, Kind};
use crate::pool::Pool;

/// Lazy iterator over the results of a map, made by [`Pool::map`], [`Pool::starmap`] and their
/// unordered forms.
///
/// Nothing is submitted before the first `next`. From then on at most
/// [`buffer_size`](Self::buffer_size) chunks are in flight, whatever the length of the items.
///
/// If a chunk fails (its function panicked, its worker was lost, its items cannot be sent), one
/// `Err` takes the place of that chunk's results and the iteration goes on with the next chunk. If
/// the pool is closed or broken meanwhile, the first chunk that it does not take is the last, and
/// so is its error. Dropping the iterator cancels the chunks that have not started.
///
/// A pool that has a [capacity](crate::Builder::capacity) and is full makes the map wait, whatever
/// [its policy](crate::WhenFull): for room, or for a result of its own. So no chunk is refused or dropped for
/// want of room, and no task is dropped in favour of one. Only `RunHere` it follows; and a worker of the pool runs
/// the chunk itself, unless the map has a timeout. Under `DropOldest` a submit of somebody else's may still
/// cancel a chunk: that is the chunk's error.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::ThreadPool;
///
/// let pool = ThreadPool::new();
/// let squares: Result<Vec<u32>, _> = pool.map(|n: u32| n * n, 0..100).chunk_size(25).collect();
/// assert_eq!(squares?, (0..100).map(|n| n * n).collect::<Vec<_>>());
/// # Ok::<(), asyncpal::TaskError>(())
/// ```
#[must_use = "iterators are lazy"]
pub struct Map<'p, K: Kind, F, I: Iterator, T> {
    pool: &'p Pool<K>,
    chunks: SplitTask<F, I>,
    lookahead: Lookahead,
    timeout: Option<Duration>,
    /// Set by the first `next`.
    deadline: Option<Deadline>,
    label: Option<Label>,
    results: Results<T>,
}

impl<'p, K, F, I, T> Map<'p, K, F, I, T>
where
    I: Iterator,
    K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
    T: Send + 'static,
{
    pub(super) fn new(pool: &'p Pool<K>, function: F, items: I, ordered: bool) -> Self {
        Self {
            pool,
            chunks: SplitTask::new(function, items, NonZeroUsize::MIN),
            lookahead: Lookahead::for_workers(pool.max_workers()),
            timeout: None,
            deadline: None,
            label: None,
            results: Results::new(ordered),
        }
    }

    /// Items per task. Default: 1. Choose it so that a task takes a hundred microseconds or more.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn chunk_size(mut self, items: usize) -> Self {
        self.chunks.set_chunk_size(checked(items));
        self
    }

    /// Chunks in flight at once. Default: twice the pool's maximum of workers; at least 32 from the moment on when
    /// chunks turn out so brief that the workers run out of them while the caller is woken.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn buffer_size(mut self, chunks: usize) -> Self {
        let limit = NonZeroUsize::new(chunks)
            .expect("the buffer size is zero: at least one chunk is in flight");
        self.lookahead = Lookahead::fixed(limit);
        self
    }

    /// Ends the iteration with [`TaskError::TimedOut`] so long after the first `next`. Default:
    /// no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A [label](crate::Labelled) for every chunk's task. Default: none.
    pub fn label(mut self, label: impl Into<Label>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl<K, F, I, T> Map<'_, K, F, I, T>
where
    I: Iterator,
    K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
    T: Send + 'static,
{
    /// The first result of the next chunk, or its error.
    #[inline(never)]
    fn next_chunk(&mut self) -> Option<Result<T, TaskError>> {
        let timeout = self.timeout;
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::after(timeout));
        self.results.submit(
            self.pool,
            &mut self.chunks,
            Some(self.lookahead.limit()),
            self.label.as_ref(),
            deadline,
        );
        let waits = !self.results.is_next_done();
        let result = self.results.next(deadline);
        if waits && self.results.is_dry() {
            self.lookahead.grow();
        }
        result
    }
}

impl<K, F, I, T> Iterator for Map<'_, K, F, I, T>
where
    I: Iterator,
    K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
    T: Send + 'static,
{
    type Item = Result<T, TaskError>;

    // Inlined: most calls find a result that is there already.
    #[inline]
    fn next(&mut self) -> Option<Result<T, TaskError>> {
        match self.results.ready() {
            Some(result) => Some(Ok(result)),
            None => self.next_chunk(),
        }
    }

    // A chunk at a time.
    fn fold<B, G>(mut self, mut folded: B, mut fold: G) -> B
    where
        G: FnMut(B, Self::Item) -> B,
    {
        while let Some(result) = self.next() {
            folded = fold(folded, result);
            let rest = self.results.all_ready();
            folded = rest.fold(folded, |folded, result| fold(folded, Ok(result)));
        }
        folded
    }
}

impl<K, F, I, T> FusedIterator for Map<'_, K, F, I, T>
where
    I: Iterator,
    K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
    T: Send + 'static,
{
}

impl<K: Kind, F, I: Iterator, T> fmt::Debug for Map<'_, K, F, I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("chunks", &self.chunks)
            .field("buffer_size", &self.lookahead.limit())
            .field("results", &self.results)
            .finish_non_exhaustive()
    }
}
