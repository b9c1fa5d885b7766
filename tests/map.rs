//! Map, wait, collect, as_done.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc;

use asyncpal::{TaskError, ThreadPool, as_done, collect, wait};

#[test]
fn an_ordered_map_keeps_the_order_whatever_the_chunks() {
    let pool = ThreadPool::new();
    let expected: Vec<_> = (0..100).map(|n| n * 3).collect();

    for chunk_size in [1, 7, 100, 1000] {
        for buffer_size in [1, 3, 64] {
            let results: Result<Vec<_>, _> = pool
                .map(|n: i32| n * 3, 0..100)
                .chunk_size(chunk_size)
                .buffer_size(buffer_size)
                .collect();

            assert_eq!(results.expect("no panic"), expected);
        }
    }
}

#[test]
fn an_unordered_map_returns_what_is_ready_first() {
    let pool = ThreadPool::builder().max_workers(2).build().expect("valid");
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let slow_first = move |n: u32| {
        if n == 0 {
            held.lock().expect("no panic").recv().expect("released");
        }
        n
    };

    let mut results = pool.map_unordered(slow_first, 0..3);

    let first = [results.next(), results.next()].map(|r| r.expect("an item").expect("no panic"));
    assert_eq!(first, [1, 2]);
    release.send(()).expect("waited for");
    assert_eq!(results.next().expect("an item").expect("no panic"), 0);
    assert!(results.next().is_none());
}

#[test]
fn a_map_is_lazy_and_has_at_most_its_buffer_in_flight() {
    let pool = ThreadPool::builder().max_workers(2).build().expect("valid");
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let endless = (0_u64..).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });

    let mut results = pool.map(|n| n, endless).chunk_size(2).buffer_size(3);
    assert_eq!(taken.load(Ordering::SeqCst), 0);
    assert_eq!(results.next().expect("an item").expect("no panic"), 0);

    assert_eq!(taken.load(Ordering::SeqCst), 6);
}

#[test]
fn a_panicking_chunk_is_one_error_and_the_map_goes_on() {
    let pool = ThreadPool::new();

    let results: Vec<_> =
        pool.map(|n: u32| if n == 3 { panic!("three") } else { n }, 0..8).chunk_size(2).collect();

    let values: Vec<_> = results.iter().filter_map(|r| r.as_ref().ok()).copied().collect();
    assert_eq!(values, [0, 1, 4, 5, 6, 7]);
    let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(matches!(&errors[..], [TaskError::Panicked(_)]), "{errors:?}");
}

#[test]
fn a_map_ends_at_its_timeout() {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let closed = std::sync::Mutex::new(closed);
    let stuck = move |_| closed.lock().expect("no panic").recv().is_err();

    let mut results = pool.map(stuck, 0..2).timeout(Duration::from_millis(10));

    assert!(matches!(results.next(), Some(Err(TaskError::TimedOut))));
    assert!(results.next().is_none());
    drop(gate);
}

#[test]
fn a_map_inside_a_task_of_a_one_worker_pool_finishes() {
    let pool = Arc::new(ThreadPool::builder().max_workers(1).build().expect("valid"));
    let inner = pool.clone();

    let sums = pool.run(move || {
        let ordered = inner.map(|n: u32| n, 0..10).map(|r| r.expect("no panic")).sum::<u32>();
        let unordered = inner.map_unordered(|n: u32| n, 0..10).chunk_size(3);
        (ordered, unordered.map(|r| r.expect("no panic")).sum::<u32>())
    });

    assert_eq!(sums.expect("no panic"), (45, 45));
}

#[test]
fn a_dropped_map_cancels_the_chunks_that_have_not_started() {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");
    let mut results = pool.map(|n| n, 0..100).buffer_size(100);
    results.next().expect("an item").expect("no panic");

    drop(results);

    assert_eq!(pool.count_pending_tasks(), 0);
}

#[test]
fn as_done_returns_each_handle_once() {
    let pool = ThreadPool::new();
    let handles = (0..50_u64).map(|n| pool.submit(move || n).expect("open"));

    let sum: u64 = as_done(handles).map(|handle| handle.collect().expect("no panic")).sum();

    assert_eq!(sum, 49 * 25);
}

#[test]
fn as_done_gives_back_what_was_not_done_in_time() {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let quick = pool.submit(|| true).expect("open");
    let stuck = pool.submit(move || closed.recv().is_err()).expect("open");

    let mut done = as_done([quick, stuck]).timeout(Duration::from_millis(50));

    assert!(done.next().expect("the quick one").is_completed());
    assert!(done.next().is_none());
    assert_eq!(done.into_rest().count(), 1);
    drop(gate);
}

#[test]
fn collect_keeps_the_order_of_the_handles_and_wait_sees_them_all_done() {
    let pool = ThreadPool::new();
    let handles: Vec<_> = (0..20).map(|n| pool.submit(move || n).expect("open")).collect();

    assert!(wait(&handles, Duration::from_secs(60)));
    assert!(handles.iter().all(|handle| handle.is_done()));

    assert!(collect(handles, None).expect("no panic").into_iter().eq(0..20));
}
