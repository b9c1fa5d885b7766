//! What a pool must offer to take part: submit, wait, end.

use super::tasks::{Task, Trivial, Value};

/// A pool of processes under measurement.
pub(crate) trait Pool: Send + Sized + 'static {
    /// The name in `--pool` and in the tables.
    const NAME: &'static str;

    /// How many tasks may be submitted before the first is collected.
    const MAX_PENDING: usize = usize::MAX;

    /// The same where results are so large that no pipe holds them.
    const MAX_LARGE_PENDING: usize = usize::MAX;

    /// The caller's end of a task.
    type Handle<T: Value>: Send;

    /// A pool of at most `workers` processes.
    fn new(workers: usize) -> Self;

    fn submit<T: Task>(&self, argument: T::Argument) -> Self::Handle<T::Output>;

    /// Blocks until the task has ended and returns its result; `None` if it failed.
    fn wait<T: Value>(&self, handle: Self::Handle<T>) -> Option<T>;

    /// Submits and waits.
    fn run<T: Task>(&self, argument: T::Argument) -> T::Output {
        self.wait(self.submit::<T>(argument)).expect("the task has a result")
    }

    /// Maps the numbers below `items` as [`Trivial`] does and hands the results to `sink` in order, one task per
    /// chunk.
    ///
    /// The default is what a user writes on a pool that has no map: submit every chunk, wait in order.
    fn map(&self, items: u64, chunk_size: usize, sink: impl FnMut(u64)) {
        let starts = (0..items).step_by(chunk_size);
        let chunks = starts.map(|start| start..items.min(start + chunk_size as u64));
        let handles: Vec<_> = chunks.map(|chunk| self.submit::<Trivial>(chunk.collect())).collect();
        let results = handles.into_iter().map(|handle| self.wait(handle));
        results.flat_map(|chunk| chunk.expect("the chunk has a result")).for_each(sink);
    }

    /// Returns when every worker has ended.
    fn shutdown(self);
}
