//! A map's items in chunks, and a chunk with its function as a task.

use core::fmt;
use core::iter::{Fuse, FusedIterator};
use core::mem;
use core::num::NonZeroUsize;

use asyncpal_core::chunk::count;

use crate::kind::{Chunk, Spread};
use crate::sync::Arc;

/// A size of chunks, as users give it.
///
/// # Panics
///
/// If it is zero.
#[track_caller]
pub(super) fn checked(chunk_size: usize) -> NonZeroUsize {
    NonZeroUsize::new(chunk_size).expect("the chunk size is zero: a chunk has at least one item")
}

/// The items in chunks of `chunk_size`, lazily; the last may be smaller, none is empty. If `items`
/// panic, those that were taken stay: the next call goes on with them.
///
/// # Panics
///
/// If `chunk_size` is zero.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::get_chunks;
///
/// let chunks: Vec<_> = get_chunks("abcde".chars(), 2).collect();
/// assert_eq!(chunks, [vec!['a', 'b'], vec!['c', 'd'], vec!['e']]);
/// ```
#[track_caller]
pub fn get_chunks<I: IntoIterator>(items: I, chunk_size: usize) -> Chunks<I::IntoIter> {
    Chunks::new(items.into_iter(), checked(chunk_size))
}

/// Iterator of [`get_chunks`].
#[must_use = "iterators are lazy"]
#[derive(Clone, Debug)]
pub struct Chunks<I: Iterator> {
    items: Fuse<I>,
    chunk_size: NonZeroUsize,
    /// The next chunk as far as it is there: its items were taken before `items` panicked, or it was put
    /// back.
    begun: Vec<I::Item>,
}

impl<I: Iterator> Chunks<I> {
    fn new(items: I, chunk_size: NonZeroUsize) -> Self {
        Self { items: items.fuse(), chunk_size, begun: Vec::new() }
    }

    /// Puts the chunk back that came last.
    fn put_back(&mut self, chunk: Vec<I::Item>) {
        debug_assert!(self.begun.is_empty(), "the last chunk came whole");
        self.begun = chunk;
    }
}

impl<I: Iterator> Iterator for Chunks<I> {
    type Item = Vec<I::Item>;

    fn next(&mut self) -> Option<Vec<I::Item>> {
        let missing = self.chunk_size.get().saturating_sub(self.begun.len());
        self.begun.extend(self.items.by_ref().take(missing));
        let chunk = mem::take(&mut self.begun);
        (!chunk.is_empty()).then_some(chunk)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.items.size_hint();
        let begun = self.begun.len();
        let chunks = |items| count(items, self.chunk_size);
        let most = most.and_then(|most| most.checked_add(begun));
        (chunks(least.saturating_add(begun)), most.map(chunks))
    }
}

impl<I: Iterator> FusedIterator for Chunks<I> {}

/// A map as tasks that the caller submits: each applies `function` to a chunk of the items and
/// returns the `Vec` of the results.
///
/// For control that [`Pool::map`](crate::Pool::map) does not give: which pool runs which chunk,
/// when, and who waits for it.
///
/// # Panics
///
/// If `chunk_size` is zero.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{ThreadPool, collect, split_map_task};
///
/// let pool = ThreadPool::new();
/// let handles = split_map_task(|n: u32| n * n, 0..100, 25)
///     .map(|task| pool.submit(task))
///     .collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(handles.len(), 4);
///
/// let squares = collect(handles, None)?.concat();
/// assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<_>>());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[track_caller]
pub fn split_map_task<F, I>(function: F, items: I, chunk_size: usize) -> SplitTask<F, I::IntoIter>
where
    I: IntoIterator,
{
    SplitTask::new(function, items.into_iter(), checked(chunk_size))
}

/// As [`split_map_task`], for a function of several arguments and items that are tuples of them.
///
/// # Panics
///
/// If `chunk_size` is zero.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{ThreadPool, split_starmap_task};
///
/// let pool = ThreadPool::new();
/// let mut tasks = split_starmap_task(u32::pow, [(2, 5), (3, 2), (10, 3)], 2);
///
/// let first = pool.submit(tasks.next().expect("two items"))?;
/// assert_eq!(first.collect()?, [32, 9]);
/// // A task can also be run where it is.
/// assert_eq!(tasks.next().expect("one item").run(), [1000]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[track_caller]
pub fn split_starmap_task<F, I>(
    function: F,
    items: I,
    chunk_size: usize,
) -> SplitTask<Spread<F>, I::IntoIter>
where
    I: IntoIterator,
{
    split_map_task(Spread(function), items, chunk_size)
}

/// Iterator of [`split_map_task`] and [`split_starmap_task`].
#[must_use = "iterators are lazy"]
pub struct SplitTask<F, I: Iterator> {
    function: Arc<F>,
    chunks: Chunks<I>,
}

impl<F, I: Iterator> SplitTask<F, I> {
    pub(super) fn new(function: F, items: I, chunk_size: NonZeroUsize) -> Self {
        Self { function: Arc::new(function), chunks: Chunks::new(items, chunk_size) }
    }

    /// Puts the task back that came last.
    pub(super) fn put_back(&mut self, task: Chunk<F, I::Item>) {
        self.chunks.put_back(task.items);
    }

    pub(super) fn set_chunk_size(&mut self, chunk_size: NonZeroUsize) {
        self.chunks.chunk_size = chunk_size;
    }
}

impl<F, I: Iterator> Iterator for SplitTask<F, I> {
    type Item = Chunk<F, I::Item>;

    fn next(&mut self) -> Option<Chunk<F, I::Item>> {
        let items = self.chunks.next()?;
        Some(Chunk { function: self.function.clone(), items })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks.size_hint()
    }
}

impl<F, I: Iterator> FusedIterator for SplitTask<F, I> {}

impl<F, I: Iterator> fmt::Debug for SplitTask<F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplitTask")
            .field("chunk_size", &self.chunks.chunk_size)
            .finish_non_exhaustive()
    }
}
