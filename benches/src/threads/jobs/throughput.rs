//! Many tasks at once, with a handle for each and without.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::threads::pool::Pool;
use crate::timing::{Span, median};

/// Nanoseconds per task.
pub(crate) fn with_handles<P: Pool>(workers: usize, producers: usize, tasks: usize) -> f64 {
    let pool = P::new(workers);
    let share = tasks / producers;
    let start = Barrier::new(producers);
    let produce = || produce(&pool, share, &start);

    let spans: Vec<Span> = thread::scope(|scope| {
        let others: Vec<_> = (1..producers).map(|_| scope.spawn(produce)).collect();
        let mine = produce();
        let theirs = others.into_iter().map(|other| other.join().expect("no producer panics"));
        theirs.chain([mine]).collect()
    });

    pool.shutdown();
    Span::across(&spans).as_nanos() as f64 / (share * producers) as f64
}

fn produce<P: Pool>(pool: &P, tasks: usize, start: &Barrier) -> Span {
    let mut handles = Vec::with_capacity(tasks);
    // The same amount first: threads live, queues and heap have their size.
    submit_and_collect(pool, tasks, &mut handles);

    start.wait();
    Span::of(|| submit_and_collect(pool, tasks, &mut handles)).0
}

fn submit_and_collect<P: Pool>(pool: &P, tasks: usize, handles: &mut Vec<P::Handle<u64>>) {
    let tasks = tasks as u64;
    handles.extend((0..tasks).map(|number| pool.submit(move || number)));
    let sum: u64 = handles.drain(..).map(|handle| pool.wait(handle)).sum();
    assert_eq!(sum, tasks * (tasks - 1) / 2, "every task returns its number");
}

/// Median nanoseconds per task on two workers, of as many turns as it takes for few tasks to be many.
pub(crate) fn growth<P: Pool>(tasks: usize) -> Option<f64> {
    let turns = (100_000 / tasks).clamp(1, 50);
    median((0..turns).map(|_| with_handles::<P>(2, 1, tasks)).collect())
}

/// Nanoseconds per task.
pub(crate) fn fire_and_forget<P: Pool>(workers: usize, tasks: usize) -> f64 {
    let pool = P::new(workers);
    fire_and_wait(&pool, tasks);

    let begun = Instant::now();
    fire_and_wait(&pool, tasks);
    let elapsed = begun.elapsed();

    pool.shutdown();
    elapsed.as_nanos() as f64 / tasks as f64
}

/// Counts down; the task that reaches zero wakes who waits.
struct Remaining {
    count: AtomicUsize,
    waiter: Thread,
}

fn fire_and_wait<P: Pool>(pool: &P, tasks: usize) {
    // Leaked, so that a task captures one word and no reference count is measured.
    let remaining: &'static Remaining = Box::leak(Box::new(Remaining {
        count: AtomicUsize::new(tasks),
        waiter: thread::current(),
    }));
    for _ in 0..tasks {
        pool.spawn(move || {
            // ORDERING: Relaxed: only the count matters, `unpark` orders the rest.
            if remaining.count.fetch_sub(1, Ordering::Relaxed) == 1 {
                remaining.waiter.unpark();
            }
        });
    }
    while remaining.count.load(Ordering::Relaxed) != 0 {
        thread::park();
    }
}
