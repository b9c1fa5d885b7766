//! asyncpal as a [`Pool`]: the one file that names it.

use std::time::Duration;

use asyncpal::{Handle, ThreadPool};

use crate::pool::{Pool, Shutdown};

pub(crate) struct Ours(ThreadPool);

impl Pool for Ours {
    const NAME: &'static str = "ours";
    const SHUTDOWN: Shutdown = Shutdown::JoinsThreads;

    type Handle<T: Send + 'static> = Handle<T>;

    fn new(workers: usize) -> Self {
        Self(ThreadPool::builder().max_workers(workers).build().expect("a valid pool"))
    }

    fn with_idle_timeout(workers: usize, timeout: Duration) -> Option<Self> {
        let builder = ThreadPool::builder().max_workers(workers).idle_timeout(timeout);
        Some(Self(builder.build().expect("a valid pool")))
    }

    fn submit<T, F>(&self, task: F) -> Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        match self.0.submit(task) {
            Ok(handle) => handle,
            Err(_) => panic!("the pool takes no task"),
        }
    }

    fn wait<T: Send + 'static>(&self, handle: Handle<T>) -> T {
        match handle.collect() {
            Ok(value) => value,
            Err(_) => panic!("the task has no result"),
        }
    }

    fn spawn<F>(&self, task: F)
    where
        F: FnOnce() + Send + 'static,
    {
        drop(self.submit(task));
    }

    fn run<T, F>(&self, task: F) -> T
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        match self.0.run(task) {
            Ok(value) => value,
            Err(_) => panic!("the task has no result"),
        }
    }

    fn map<I, F>(&self, items: I, chunk_size: usize, f: F, mut sink: impl FnMut(u64))
    where
        I: Iterator<Item = u64> + Send + 'static,
        F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
    {
        for outcome in self.0.map(f, items).chunk_size(chunk_size) {
            match outcome {
                Ok(value) => sink(value),
                Err(_) => panic!("the item has no result"),
            }
        }
    }

    fn shutdown(self) {
        self.0.shutdown();
    }
}
