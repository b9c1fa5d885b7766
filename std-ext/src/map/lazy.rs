//! The lazy form of a map.

use core::fmt;
use core::num::NonZeroUsize;
use core::time::Duration;
use std::collections::VecDeque;
use std::vec;

use crate::clock::Deadline;
use crate::completions::Completions;
use crate::error::TaskError;
use crate::handle::Handle;
use crate::kind::{Accepts, Chunk, Kind};
use crate::pool::Pool;
use crate::sync::Arc;

/// Lazy iterator over the results of a map, made by [`Pool::map`] and [`Pool::map_unordered`].
///
/// Nothing is submitted before the first `next`. From then on at most
/// [`buffer_size`](Self::buffer_size) chunks are in flight, whatever the length of the items.
///
/// If a chunk fails (its function panicked, its worker was lost, the pool was closed), one `Err`
/// takes the place of that chunk's results and the iteration goes on with the next chunk. Dropping
/// the iterator cancels the chunks that have not started.
///
/// # Examples
///
/// ```
/// use asyncpal_std::ThreadPool;
///
/// let pool = ThreadPool::new();
/// let squares: Result<Vec<u32>, _> = pool.map(|n: u32| n * n, 0..100).chunk_size(25).collect();
/// assert_eq!(squares?, (0..100).map(|n| n * n).collect::<Vec<_>>());
/// # Ok::<(), asyncpal_std::TaskError>(())
/// ```
#[must_use = "iterators are lazy"]
pub struct Map<'p, K: Kind, F, I, T> {
    pool: &'p Pool<K>,
    function: Arc<F>,
    items: I,
    chunk_size: NonZeroUsize,
    buffer_size: NonZeroUsize,
    timeout: Option<Duration>,
    /// Set by the first `next`.
    deadline: Option<Deadline>,
    flight: Flight<T>,
    ready: vec::IntoIter<T>,
    over: bool,
}

impl<'p, K, F, I, T> Map<'p, K, F, I, T>
where
    I: Iterator,
    K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
    T: Send + 'static,
{
    pub(crate) fn new(pool: &'p Pool<K>, function: F, items: I, ordered: bool) -> Self {
        // Two chunks per worker: one at work, one behind it.
        let buffer_size = pool.max_workers().saturating_mul(2);
        Self {
            pool,
            function: Arc::new(function),
            items,
            chunk_size: NonZeroUsize::MIN,
            buffer_size: NonZeroUsize::new(buffer_size).unwrap_or(NonZeroUsize::MIN),
            timeout: None,
            deadline: None,
            flight: Flight::new(ordered),
            ready: Vec::new().into_iter(),
            over: false,
        }
    }

    /// Items per task. Default: 1. Choose it so that a task takes a hundred microseconds or more.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn chunk_size(mut self, items: usize) -> Self {
        self.chunk_size = NonZeroUsize::new(items).expect("a chunk has at least one item");
        self
    }

    /// Chunks in flight at once. Default: twice the pool's maximum of workers.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn buffer_size(mut self, chunks: usize) -> Self {
        self.buffer_size = NonZeroUsize::new(chunks).expect("at least one chunk is in flight");
        self
    }

    /// Ends the iteration with [`TaskError::TimedOut`] so long after the first `next`. Default:
    /// no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Submits chunks until so many are in flight as may be, or the items are at an end.
    fn refill(&mut self) -> Result<(), TaskError> {
        while self.flight.len() < self.buffer_size.get() {
            let items: Vec<_> = self.items.by_ref().take(self.chunk_size.get()).collect();
            if items.is_empty() {
                break;
            }
            let chunk = Chunk { function: self.function.clone(), items };
            self.flight.add(self.pool.submit(chunk)?);
        }
        Ok(())
    }

    fn fail<R>(&mut self, error: TaskError) -> Option<Result<R, TaskError>> {
        self.over = true;
        Some(Err(error))
    }
}

impl<K, F, I, T> Iterator for Map<'_, K, F, I, T>
where
    I: Iterator,
    K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
    T: Send + 'static,
{
    type Item = Result<T, TaskError>;

    fn next(&mut self) -> Option<Result<T, TaskError>> {
        loop {
            if let Some(result) = self.ready.next() {
                return Some(Ok(result));
            }
            if self.over {
                return None;
            }
            let timeout = self.timeout;
            let deadline = *self
                .deadline
                .get_or_insert_with(|| timeout.map_or(Deadline::NEVER, Deadline::after));
            if let Err(error) = self.refill() {
                return self.fail(error);
            }
            if self.flight.len() == 0 {
                self.over = true;
                return None;
            }
            let Some(chunk) = self.flight.land(deadline) else {
                return self.fail(TaskError::TimedOut);
            };
            match chunk.collect() {
                Ok(results) => self.ready = results.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<K: Kind, F, I, T> Drop for Map<'_, K, F, I, T> {
    fn drop(&mut self) {
        self.flight.cancel();
    }
}

impl<K: Kind, F, I, T> fmt::Debug for Map<'_, K, F, I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("chunk_size", &self.chunk_size)
            .field("buffer_size", &self.buffer_size)
            .field("in_flight", &self.flight.len())
            .finish_non_exhaustive()
    }
}

/// The chunks that were submitted and whose results were not returned.
enum Flight<T> {
    /// In the order of the items.
    Ordered(VecDeque<Handle<Vec<T>>>),
    /// In no order; a chunk's place is reused once it has landed.
    Unordered { places: Vec<Option<Handle<Vec<T>>>>, free: Vec<usize>, done: Completions },
}

impl<T> Flight<T> {
    fn new(ordered: bool) -> Self {
        if ordered {
            Self::Ordered(VecDeque::new())
        } else {
            Self::Unordered { places: Vec::new(), free: Vec::new(), done: Completions::default() }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Ordered(chunks) => chunks.len(),
            Self::Unordered { places, free, .. } => places.len() - free.len(),
        }
    }

    fn add(&mut self, chunk: Handle<Vec<T>>) {
        match self {
            Self::Ordered(chunks) => chunks.push_back(chunk),
            Self::Unordered { places, free, done } => {
                let place = free.pop().unwrap_or_else(|| {
                    places.push(None);
                    places.len() - 1
                });
                done.watch(place, &chunk);
                places[place] = Some(chunk);
            }
        }
    }

    /// The next chunk that is done; `None` at the deadline, or if none is in flight.
    fn land(&mut self, deadline: Deadline) -> Option<Handle<Vec<T>>> {
        match self {
            Self::Ordered(chunks) => {
                if !chunks.front()?.wait_until(deadline) {
                    return None;
                }
                chunks.pop_front()
            }
            Self::Unordered { places, free, done } => {
                let place = done.next_helping(deadline, places.iter().flatten())?;
                free.push(place);
                places[place].take()
            }
        }
    }

    fn cancel(&self) {
        let cancel = |chunk: &Handle<_>| {
            // Chunks that have started run to their end.
            let _ = chunk.cancel();
        };
        match self {
            Self::Ordered(chunks) => chunks.iter().for_each(cancel),
            Self::Unordered { places, .. } => places.iter().flatten().for_each(cancel),
        }
    }
}
