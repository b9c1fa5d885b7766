//! Maps on thread pools: lazy and eager, plain and star, ordered and unordered.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use asyncpal::{TaskError, ThreadPool};
use tasks::{counted, pool, sorted, values, zero_waits};

#[path = "common/tasks.rs"]
mod tasks;

fn add(x: u32, y: u32) -> u32 {
    x + y
}

#[test]
fn a_map_without_options_is_the_iterators_map() {
    let pool = ThreadPool::new();
    let squares: Vec<_> = (0..100_u64).map(|n| n * n).collect();
    let sums: Vec<_> = (0..100).map(|n| n + 7).collect();
    let pairs = || (0..100).map(|n| (n, 7));

    assert_eq!(values(pool.map(|n: u64| n * n, 0..100)), squares);
    assert_eq!(values(pool.starmap(add, pairs())), sums);
    assert_eq!(sorted(values(pool.map_unordered(|n: u64| n * n, 0..100))), squares);
    assert_eq!(sorted(values(pool.starmap_unordered(add, pairs()))), sums);
    assert_eq!(values(pool.map_all(|n: u64| n * n, 0..100, 1)), squares);
    assert_eq!(values(pool.starmap_all(add, pairs(), 1)), sums);
    assert_eq!(sorted(values(pool.map_all_unordered(|n: u64| n * n, 0..100, 1))), squares);
    assert_eq!(sorted(values(pool.starmap_all_unordered(add, pairs(), 1))), sums);
}

#[test]
fn ordered_forms_keep_the_order_whatever_the_chunks() {
    let pool = ThreadPool::new();
    let expected: Vec<_> = (0..100).map(|n| n * 3).collect();
    let pairs = || (0..100).map(|n| (n, 2 * n));

    for size in [1, 7, 100, 1000, usize::MAX] {
        for buffer in [1, 3, 64, usize::MAX] {
            let map = pool.map(|n: u32| n * 3, 0..100).chunk_size(size).buffer_size(buffer);
            assert_eq!(values(map), expected);
            let star = pool.starmap(add, pairs()).chunk_size(size).buffer_size(buffer);
            assert_eq!(values(star), expected);
        }
        assert_eq!(values(pool.map_all(|n: u32| n * 3, 0..100, size)), expected);
        assert_eq!(values(pool.starmap_all(add, pairs(), size)), expected);
    }
}

#[test]
fn an_empty_map_submits_nothing_and_is_at_its_end() {
    let pool = ThreadPool::new();

    assert!(pool.map(|n: u32| n, []).next().is_none());
    assert!(pool.map_unordered(|n: u32| n, []).next().is_none());
    assert!(pool.map_all(|n: u32| n, [], 5).next().is_none());
    assert!(pool.map_all_unordered(|n: u32| n, [], 5).next().is_none());

    assert_eq!(pool.submit(|| ()).expect("open").task_id(), 1);
}

#[test]
fn unordered_forms_return_what_is_ready_first() {
    fn check(mut results: impl Iterator<Item = Result<u32, TaskError>>, gate: mpsc::Sender<()>) {
        let quick = [results.next(), results.next()].map(|r| r.expect("an item").expect("fine"));
        assert_eq!(quick, [1, 2]);
        drop(gate);
        assert_eq!(results.next().expect("an item").expect("no panic"), 0);
        assert!(results.next().is_none());
    }
    let pool = pool(2);
    let items = || (0..3).map(|n| (n,));

    let (wait, gate) = zero_waits();
    check(pool.map_unordered(wait, 0..3), gate);
    let (wait, gate) = zero_waits();
    check(pool.starmap_unordered(wait, items()), gate);
    let (wait, gate) = zero_waits();
    check(pool.map_all_unordered(wait, 0..3, 1), gate);
    let (wait, gate) = zero_waits();
    check(pool.starmap_all_unordered(wait, items(), 1), gate);
}

#[test]
fn lazy_forms_take_nothing_before_the_first_next_and_then_at_most_their_buffer() {
    fn check(mut results: impl Iterator<Item = Result<u64, TaskError>>, taken: &AtomicUsize) {
        assert_eq!(taken.load(Ordering::SeqCst), 0);
        for n in 0..100 {
            results.next().expect("an item").expect("no panic");
            // Two items per chunk, three chunks, and the chunk whose results are being returned.
            let most = 2 * (3 + n / 2);
            assert!(taken.load(Ordering::SeqCst) <= most);
        }
    }
    let pool = pool(2);

    let (items, taken) = counted();
    check(pool.map(|n| n, items).chunk_size(2).buffer_size(3), &taken);
    let (items, taken) = counted();
    check(pool.map_unordered(|n| n, items).chunk_size(2).buffer_size(3), &taken);
    let (items, taken) = counted();
    check(pool.starmap(|n| n, items.map(|n| (n,))).chunk_size(2).buffer_size(3), &taken);
    let (items, taken) = counted();
    check(pool.starmap_unordered(|n| n, items.map(|n| (n,))).chunk_size(2).buffer_size(3), &taken);
}

#[test]
fn a_map_without_a_buffer_size_gets_further_ahead_if_its_workers_run_out_of_chunks() {
    let pool = Arc::new(pool(2));
    let taken_for_two_results = |buffer_size: Option<usize>| {
        let (inner, ran) = (pool.clone(), AtomicUsize::new(0));
        // The caller waits for the first chunk until the other worker has run the next three.
        let wait = move |n: u64| {
            while n == 0 && (ran.load(Ordering::SeqCst) < 3 || inner.count_free_workers() == 0) {
                thread::yield_now();
            }
            ran.fetch_add(1, Ordering::SeqCst);
        };
        let (items, taken) = counted();
        let mut results = pool.map(wait, items);
        if let Some(chunks) = buffer_size {
            results = results.buffer_size(chunks);
        }
        values(results.take(2));
        taken.load(Ordering::SeqCst)
    };

    // It may happen that the first chunk is done before the caller comes to wait.
    assert!((0..100).any(|_| taken_for_two_results(None) == 1 + 32));
    assert!((0..100).all(|_| taken_for_two_results(Some(4)) == 1 + 4));
}

/// More chunks would only wait, here for workers and there for the caller.
#[test]
fn a_map_gets_no_further_ahead_of_busy_workers_or_of_a_caller_that_need_not_wait() {
    let pool = pool(2);
    let (items, taken) = counted();
    let (wait, gate) = zero_waits();

    let mut results = pool.map(move |n| wait(u32::from(n < 2)), items);
    values(results.by_ref().take(2));
    assert_eq!(taken.load(Ordering::SeqCst), 1 + 4);

    drop(gate);
    while pool.count_free_workers() < 2 {
        thread::yield_now();
    }
    values(results.by_ref().take(2));
    assert_eq!(taken.load(Ordering::SeqCst), 3 + 4);
}

#[test]
fn eager_forms_submit_all_before_they_return() {
    let pool = pool(1);
    let (gate, closed) = mpsc::channel::<()>();
    let (started, is_busy) = mpsc::channel();
    drop(pool.submit(move || {
        started.send(()).expect("waited for");
        closed.recv()
    }));
    is_busy.recv().expect("started");

    let ordered = pool.map_all(|n: u32| n, 0..10, 3);
    assert_eq!(pool.count_pending_tasks(), 4);
    let unordered = pool.map_all_unordered(|n: u32| n, 0..10, 5);
    assert_eq!(pool.count_pending_tasks(), 6);
    let star = pool.starmap_all(|n: u32| n, (0..10).map(|n| (n,)), 1);
    assert_eq!(pool.count_pending_tasks(), 16);
    let star_unordered = pool.starmap_all_unordered(|n: u32| n, (0..10).map(|n| (n,)), 10);
    assert_eq!(pool.count_pending_tasks(), 17);

    drop(gate);
    for all in [ordered, unordered, star, star_unordered] {
        assert_eq!(sorted(values(all)), (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn a_failed_chunk_is_one_error_in_its_place_and_the_map_goes_on() {
    fn check(results: impl Iterator<Item = Result<u32, TaskError>>, ordered: bool) {
        check_all(results.collect(), ordered);
    }
    fn check_all(results: Vec<Result<u32, TaskError>>, ordered: bool) {
        let good = |r: &Result<u32, _>| r.as_ref().ok().copied();
        assert_eq!(sorted(results.iter().filter_map(good).collect()), [0, 1, 4, 5, 6, 7]);
        let place = results.iter().position(Result::is_err).expect("one error");
        assert!(!ordered || place == 2, "{results:?}");
        let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        assert!(matches!(&errors[..], [TaskError::Panicked(_)]), "{errors:?}");
    }
    fn burn(n: u32) -> u32 {
        if n == 3 { panic!("three") } else { n }
    }
    let pool = ThreadPool::new();
    let items = || (0..8).map(|n| (n,));

    check(pool.map(burn, 0..8).chunk_size(2), true);
    let mut inside = Vec::new();
    pool.map(burn, 0..8).chunk_size(2).for_each(|result| inside.push(result));
    check_all(inside, true);
    check(pool.starmap(burn, items()).chunk_size(2), true);
    check(pool.map_all(burn, 0..8, 2), true);
    check(pool.starmap_all(burn, items(), 2), true);
    check(pool.map_unordered(burn, 0..8).chunk_size(2), false);
    check(pool.starmap_unordered(burn, items()).chunk_size(2), false);
    check(pool.map_all_unordered(burn, 0..8, 2), false);
    check(pool.starmap_all_unordered(burn, items(), 2), false);
}

#[test]
fn every_form_inside_a_task_of_a_one_worker_pool_finishes() {
    let pool = Arc::new(pool(1));
    let inner = pool.clone();

    let sums = pool.run(move || {
        let items = || (0..10).map(|n| (n,));
        let id = |n: u32| n;
        let sum = |values: Vec<u32>| values.into_iter().sum::<u32>();
        [
            sum(values(inner.map(id, 0..10).chunk_size(3))),
            sum(values(inner.map_unordered(id, 0..10).chunk_size(3))),
            sum(values(inner.starmap(id, items()).chunk_size(3))),
            sum(values(inner.starmap_unordered(id, items()).chunk_size(3))),
            sum(values(inner.map_all(id, 0..10, 3))),
            sum(values(inner.map_all_unordered(id, 0..10, 3))),
            sum(values(inner.starmap_all(id, items(), 3))),
            sum(values(inner.starmap_all_unordered(id, items(), 3))),
        ]
    });

    assert_eq!(sums.expect("no panic"), [45; 8]);
}

/// A chunk that took the place of an earlier one in the buffer was run before older ones.
#[test]
fn a_worker_that_waits_for_an_unordered_map_runs_the_oldest_chunk() {
    let pool = Arc::new(pool(1));
    let inner = pool.clone();

    let started = pool.run(move || {
        let started = Arc::new(Mutex::new(Vec::new()));
        let log = started.clone();
        let note = move |n: u32| log.lock().expect("no panic").push(n);
        values(inner.map_unordered(note, 0..20).buffer_size(3));
        started.lock().expect("no panic").clone()
    });

    assert_eq!(started.expect("no panic"), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_chunk_or_a_buffer_of_nothing_is_refused_with_its_reason() {
    fn message<R>(call: impl FnOnce() -> R + core::panic::UnwindSafe) -> String {
        let payload = catch_unwind(call).err().expect("it panics");
        payload.downcast_ref::<String>().cloned().unwrap_or_else(|| {
            (*payload.downcast_ref::<&str>().expect("a panic has a message")).to_owned()
        })
    }
    let no_chunk = [
        message(|| drop(ThreadPool::new().map(|n| n, 0..9).chunk_size(0))),
        message(|| drop(ThreadPool::new().map_all(|n| n, 0..9, 0))),
        message(|| drop(ThreadPool::new().map_all_unordered(|n| n, 0..9, 0))),
        message(|| drop(ThreadPool::new().starmap_all(|n| n, [(1,)], 0))),
        message(|| drop(asyncpal::get_chunks(0..9, 0))),
        message(|| drop(asyncpal::split_map_task(|n: u8| n, 0..9, 0))),
        message(|| drop(asyncpal::split_starmap_task(|n: u8| n, [(1,)], 0))),
    ];
    let no_buffer = message(|| drop(ThreadPool::new().map(|n| n, 0..9).buffer_size(0)));

    for message in no_chunk {
        assert_eq!(message, "the chunk size is zero: a chunk has at least one item");
    }
    assert_eq!(no_buffer, "the buffer size is zero: at least one chunk is in flight");
}

#[test]
fn a_starmap_takes_tuples_of_one_to_six() {
    let pool = ThreadPool::new();

    assert_eq!(values(pool.starmap(|a: u8| a, [(1,)])), [1]);
    assert_eq!(values(pool.starmap(|a: u8, b: u8| a + b, [(1, 2)])), [3]);
    assert_eq!(values(pool.starmap(|a: u8, b: u8, c: u8| a + b + c, [(1, 2, 3)])), [6]);
    let four = |a: u8, b: u8, c: u8, d: u8| a + b + c + d;
    assert_eq!(values(pool.starmap(four, [(1, 2, 3, 4)])), [10]);
    let five = |a: u8, b: u8, c: u8, d: u8, e: u8| a + b + c + d + e;
    assert_eq!(values(pool.starmap(five, [(1, 2, 3, 4, 5)])), [15]);
    let text = |a: u8, b: char, c: &str, d: bool, e: f32, f: ()| format!("{a}{b}{c}{d}{e}{f:?}");
    let words = values(pool.starmap(text, [(1, '-', "two", true, 0.5, ())]));
    assert_eq!(words, ["1-twotrue0.5()"]);
}
