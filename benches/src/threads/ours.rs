//! asyncpal as a [`Pool`] and as two [`Queue`]s: the one file that names it.

use std::ptr::{self, NonNull};
use std::time::Duration;

use asyncpal::queue::{GrowableQueue, Pointer};
use asyncpal::{Handle, ThreadPool};

use super::UNTIMED;
use super::pool::{Pool, Shutdown};
use super::queue::{CAPACITY, Queue};

/// With tasks that are timed, as is the default, or not.
pub(crate) struct Ours<const TIMED: bool = true>(ThreadPool);

impl<const TIMED: bool> Pool for Ours<TIMED> {
    const NAME: &'static str = if TIMED { "ours" } else { UNTIMED };
    const SHUTDOWN: Shutdown = Shutdown::JoinsThreads;

    type Handle<T: Send + 'static> = Handle<T>;

    fn new(workers: usize) -> Self {
        let builder = ThreadPool::builder().max_workers(workers).time_tasks(TIMED);
        Self(builder.build().expect("a valid pool"))
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
        if self.0.spawn(task).is_err() {
            panic!("the pool takes no task");
        }
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
        self.0.map(f, items).chunk_size(chunk_size).for_each(|outcome| match outcome {
            Ok(value) => sink(value),
            Err(_) => panic!("the item has no result"),
        });
    }

    fn shutdown(self) {
        self.0.shutdown();
    }
}

pub(crate) type Bounded = asyncpal::queue::Queue<usize, CAPACITY>;

impl Queue for Bounded {
    fn new() -> Self {
        Self::new()
    }

    fn producer(&self) -> impl FnMut(usize) -> bool + Send {
        |item| self.push(item).is_ok()
    }

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send {
        || self.pop()
    }
}

pub(crate) type Growable = GrowableQueue<Word>;

/// A number where a pointer is wanted: nothing is allocated for it.
pub(crate) struct Word(usize);

impl Word {
    /// The lowest bits stay clear, and a pointer is not null.
    const UNIT: usize = 4;
}

// SAFETY: a multiple of four has its two lowest bits clear, and is turned back into its number.
unsafe impl Pointer for Word {
    fn into_raw(self) -> NonNull<()> {
        let address = (self.0 + 1) * Self::UNIT;
        NonNull::new(ptr::without_provenance_mut(address)).expect("one more than a number")
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self(raw.addr().get() / Self::UNIT - 1)
    }
}

impl Queue for Growable {
    fn new() -> Self {
        Self::new()
    }

    fn producer(&self) -> impl FnMut(usize) -> bool + Send {
        |item| {
            self.push(Word(item));
            true
        }
    }

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send {
        let mut consumer = self.consumer();
        move || consumer.pop().map(|Word(item)| item)
    }
}
