//! Map: a function applied to every item of an iterator, in chunks, in parallel.
//!
//! `split` makes chunks of the items, each with its function a task; `results` submits them and
//! returns what becomes of them, in order or not; `lazy` and `eager` say when, `lookahead` how many.

mod eager;
mod lazy;
mod lookahead;
mod results;
mod split;

pub use self::eager::MapAll;
pub use self::lazy::Map;
use self::split::checked;
pub use self::split::{Chunks, SplitTask, get_chunks, split_map_task, split_starmap_task};
use crate::kind::{Accepts, Chunk, Kind, Spread};
use crate::pool::Pool;

/// # Maps
///
/// | | results in the order of the items | results as they are ready |
/// |---|---|---|
/// | lazy: a bounded number of chunks in flight | [`map`](Pool::map), [`starmap`](Pool::starmap) | [`map_unordered`](Pool::map_unordered), [`starmap_unordered`](Pool::starmap_unordered) |
/// | eager: all submitted by the call | [`map_all`](Pool::map_all), [`starmap_all`](Pool::starmap_all) | [`map_all_unordered`](Pool::map_all_unordered), [`starmap_all_unordered`](Pool::starmap_all_unordered) |
///
/// The star forms take tuples, of one to six parts, for functions of as many arguments; so a
/// function of two arguments is mapped over two iterators with `starmap(f, a.zip(b))`.
///
/// On a pool that is full all of them wait, whatever [its policy](crate::WhenFull) (but `RunHere`): no item is
/// lost, and nobody else loses a task. See [`Map`].
impl<K: Kind> Pool<K> {
    /// Applies `function` to every item, lazily and in parallel; the results come in the order of
    /// the items. See [`Map`] for chunk size, buffer size and timeout.
    pub fn map<F, I, T>(&self, function: F, items: I) -> Map<'_, K, F, I::IntoIter, T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        Map::new(self, function, items.into_iter(), true)
    }

    /// As [`map`](Pool::map), but the results come chunk by chunk as they are ready.
    pub fn map_unordered<F, I, T>(&self, function: F, items: I) -> Map<'_, K, F, I::IntoIter, T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        Map::new(self, function, items.into_iter(), false)
    }

    /// As [`map`](Pool::map), with a function of several arguments and items that are tuples of
    /// them.
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use asyncpal::ThreadPool;
    ///
    /// let pool = ThreadPool::new();
    /// let powers: Result<Vec<_>, _> = pool.starmap(u32::pow, (2..5).zip(1..)).collect();
    /// assert_eq!(powers?, [2, 9, 64]);
    /// # Ok::<(), asyncpal::TaskError>(())
    /// ```
    pub fn starmap<F, I, T>(&self, function: F, items: I) -> Map<'_, K, Spread<F>, I::IntoIter, T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<Spread<F>, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        Map::new(self, Spread(function), items.into_iter(), true)
    }

    /// As [`starmap`](Pool::starmap), but the results come chunk by chunk as they are ready.
    pub fn starmap_unordered<F, I, T>(
        &self,
        function: F,
        items: I,
    ) -> Map<'_, K, Spread<F>, I::IntoIter, T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<Spread<F>, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        Map::new(self, Spread(function), items.into_iter(), false)
    }

    /// Applies `function` to every item in parallel, in tasks of `chunk_size` items that are all
    /// submitted before this returns, so the items must have an end; the results come in the order
    /// of the items. See [`MapAll`] for errors and timeout.
    ///
    /// # Panics
    ///
    /// If `chunk_size` is zero.
    #[track_caller]
    pub fn map_all<F, I, T>(&self, function: F, items: I, chunk_size: usize) -> MapAll<T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        self.submit_all(function, items, chunk_size, true)
    }

    /// As [`map_all`](Pool::map_all), but the results come chunk by chunk as they are ready.
    ///
    /// # Panics
    ///
    /// If `chunk_size` is zero.
    #[track_caller]
    pub fn map_all_unordered<F, I, T>(&self, function: F, items: I, chunk_size: usize) -> MapAll<T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        self.submit_all(function, items, chunk_size, false)
    }

    /// As [`map_all`](Pool::map_all), with a function of several arguments and items that are tuples
    /// of them.
    ///
    /// # Panics
    ///
    /// If `chunk_size` is zero.
    #[track_caller]
    pub fn starmap_all<F, I, T>(&self, function: F, items: I, chunk_size: usize) -> MapAll<T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<Spread<F>, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        self.submit_all(Spread(function), items, chunk_size, true)
    }

    /// As [`starmap_all`](Pool::starmap_all), but the results come chunk by chunk as they are ready.
    ///
    /// # Panics
    ///
    /// If `chunk_size` is zero.
    #[track_caller]
    pub fn starmap_all_unordered<F, I, T>(
        &self,
        function: F,
        items: I,
        chunk_size: usize,
    ) -> MapAll<T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<Spread<F>, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        self.submit_all(Spread(function), items, chunk_size, false)
    }

    #[track_caller]
    fn submit_all<F, I, T>(
        &self,
        function: F,
        items: I,
        chunk_size: usize,
        ordered: bool,
    ) -> MapAll<T>
    where
        I: IntoIterator,
        K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
        T: Send + 'static,
    {
        let chunk_size = checked(chunk_size);
        MapAll::new(self, SplitTask::new(function, items.into_iter(), chunk_size), ordered)
    }
}
