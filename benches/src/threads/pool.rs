//! What a pool must offer to take part: submit, wait, spawn, end.
//!
//! Every method is generic over the closure, so that a peer is called the way its own users call
//! it and boxes only where its own interface does.

use std::time::Duration;

/// What is over when [`Pool::shutdown`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// Every worker thread has ended.
    JoinsThreads,
    /// Every task has ended; the threads leave on their own time.
    AwaitsTasks,
    /// Nothing: the pool is global and has no end.
    Unsupported,
}

/// A pool of threads under measurement.
pub(crate) trait Pool: Sync + Sized {
    /// The name in `--pool` and in the tables.
    const NAME: &'static str;

    const SHUTDOWN: Shutdown;

    /// Of one pool.
    const MAX_WORKERS: usize = usize::MAX;

    /// The caller's end of a task.
    type Handle<T: Send + 'static>: Send;

    /// A pool of at most `workers` threads.
    fn new(workers: usize) -> Self;

    /// A pool whose threads, all of them, retire after `timeout` without a task.
    ///
    /// `None` where the peer cannot be told so.
    fn with_idle_timeout(_workers: usize, _timeout: Duration) -> Option<Self> {
        None
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static;

    /// Blocks until the task has ended and returns its result.
    fn wait<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T;

    /// Runs `task` without a handle.
    fn spawn<F>(&self, task: F)
    where
        F: FnOnce() + Send + 'static;

    /// Submits and waits.
    fn run<T, F>(&self, task: F) -> T
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.wait(self.submit(task))
    }

    /// Hands `f` of every item to `sink`, in the order of the items, one task per chunk.
    ///
    /// The default is what a user writes on a pool that has no map: gather, submit, wait in order.
    fn map<I, F>(&self, items: I, chunk_size: usize, f: F, sink: impl FnMut(u64))
    where
        I: Iterator<Item = u64> + Send + 'static,
        F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
    {
        let mut items = items.fuse();
        let mut handles = Vec::new();
        loop {
            let chunk: Vec<u64> = items.by_ref().take(chunk_size).collect();
            if chunk.is_empty() {
                break;
            }
            handles.push(self.submit(move || chunk.into_iter().map(f).collect::<Vec<u64>>()));
        }
        handles.into_iter().flat_map(|handle| self.wait(handle)).for_each(sink);
    }

    fn shutdown(self);
}
