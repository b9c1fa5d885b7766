//! Pools and tasks that several test files use.
#![allow(dead_code, reason = "each of the test files uses a part")]

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};

use asyncpal::{Handle, TaskError, ThreadPool};

/// Never awaited.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// Long enough to see that something does not happen.
pub(crate) const SHORT: Duration = Duration::from_millis(10);

pub(crate) fn pool(max_workers: usize) -> ThreadPool {
    ThreadPool::builder().max_workers(max_workers).build().expect("valid")
}

/// A task that returns `value` once its gate is dropped.
pub(crate) fn gated(pool: &ThreadPool, value: u32) -> (Handle<u32>, Sender<()>) {
    gated_after(pool, value, || ())
}

/// The same, once it runs: its place in the queue is free.
pub(crate) fn started(pool: &ThreadPool, value: u32) -> (Handle<u32>, Sender<()>) {
    let (tell, told) = mpsc::channel();
    let gated = gated_after(pool, value, move || tell.send(()).expect("waited for"));
    told.recv().expect("it starts");
    gated
}

fn gated_after(
    pool: &ThreadPool,
    value: u32,
    before: impl FnOnce() + Send + 'static,
) -> (Handle<u32>, Sender<()>) {
    let (gate, closed) = mpsc::channel::<()>();
    let task = move || {
        before();
        let _ = closed.recv();
        value
    };
    (pool.submit(task).expect("open"), gate)
}

/// What a map's `next` returns.
pub(crate) type Outcome<T> = Option<Result<T, TaskError>>;

/// A function that returns its argument, for zero not before the gate is dropped.
pub(crate) fn zero_waits() -> (impl Fn(u32) -> u32 + Clone + Send + Sync + 'static, Sender<()>) {
    let (gate, closed) = mpsc::channel::<()>();
    let closed = Arc::new(Mutex::new(closed));
    let wait = move |n| {
        if n == 0 {
            let _ = closed.lock().expect("no panic").recv();
        }
        n
    };
    (wait, gate)
}

/// Items that count how many of them were taken.
pub(crate) fn counted() -> (impl Iterator<Item = u64> + 'static, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let items = (0..).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    (items, taken)
}

pub(crate) fn values<T>(results: impl IntoIterator<Item = Result<T, TaskError>>) -> Vec<T> {
    results.into_iter().map(|result| result.expect("no panic")).collect()
}

pub(crate) fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}
