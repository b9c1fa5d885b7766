//! Chunks of items, and maps as tasks that the caller submits.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::catch_unwind;

use asyncpal::{ThreadPool, collect, get_chunks, split_map_task, split_starmap_task};

fn chunks(items: impl IntoIterator<Item = u32>, chunk_size: usize) -> Vec<Vec<u32>> {
    get_chunks(items, chunk_size).collect()
}

#[test]
fn no_items_make_no_chunks() {
    assert!(chunks([], 1).is_empty());
}

#[test]
fn chunks_have_their_size_but_the_last_may_be_smaller() {
    assert_eq!(chunks(0..4, 1), [[0], [1], [2], [3]]);
    assert_eq!(chunks(0..4, 2), [[0, 1], [2, 3]]);
    assert_eq!(chunks(0..6, 3), [[0, 1, 2], [3, 4, 5]]);
    assert_eq!(chunks(0..3, 2), [vec![0, 1], vec![2]]);
}

#[test]
fn a_chunk_size_beyond_the_items_makes_one_chunk() {
    assert_eq!(chunks(0..3, 5), [[0, 1, 2]]);
    assert_eq!(chunks(0..3, usize::MAX), [[0, 1, 2]]);
}

#[test]
fn chunks_are_taken_one_at_a_time_and_their_number_is_known() {
    let taken = AtomicUsize::new(0);
    let mut chunks = get_chunks((0..10).inspect(|_| _ = taken.fetch_add(1, Ordering::Relaxed)), 4);
    assert_eq!(chunks.size_hint(), (3, Some(3)));

    assert_eq!(chunks.next(), Some(vec![0, 1, 2, 3]));

    assert_eq!(taken.load(Ordering::Relaxed), 4);
    assert_eq!(chunks.size_hint(), (2, Some(2)));
    assert_eq!(chunks.by_ref().count(), 2);
    assert_eq!(chunks.next(), None);
}

/// Those of the chunk that is not full yet, too.
#[test]
fn a_source_that_panics_loses_none_of_the_items_before() {
    let mut chunks = get_chunks((0..8).inspect(|&n| assert!(n != 4, "as is to be expected")), 3);
    assert_eq!(chunks.next(), Some(vec![0, 1, 2]));

    assert!(catch_unwind(AssertUnwindSafe(|| chunks.next())).is_err());

    // The fourth is the one that the panic has cost.
    assert_eq!(chunks.size_hint(), (2, Some(2)));
    assert_eq!(chunks.by_ref().collect::<Vec<_>>(), [vec![3, 5, 6], vec![7]]);
    assert_eq!(chunks.next(), None);
}

#[test]
fn a_split_map_is_the_map_in_tasks_that_can_be_run_anywhere() {
    let square = |n: u32| n * n;
    let expected: Vec<_> = (0..10).map(square).collect();

    for (chunk_size, tasks) in [(1, 10), (2, 5), (3, 4)] {
        let split: Vec<_> = split_map_task(square, 0..10, chunk_size).collect();

        assert_eq!(split.len(), tasks);
        let results: Vec<_> = split.into_iter().flat_map(|task| task.run()).collect();
        assert_eq!(results, expected);
    }
}

#[test]
fn a_split_starmap_is_the_starmap_in_tasks_for_any_pool() {
    let pools = [ThreadPool::new(), ThreadPool::new()];
    let add = |x: u32, y: u32| x + y;
    let expected: Vec<_> = (0..10).map(|n| n + n).collect();

    for (chunk_size, tasks) in [(1, 10), (2, 5), (3, 4)] {
        let split = split_starmap_task(add, (0..10).zip(0..10), chunk_size);
        let handles: Vec<_> =
            split.enumerate().map(|(n, task)| pools[n % 2].submit(task).expect("open")).collect();

        assert_eq!(handles.len(), tasks);
        assert_eq!(collect(handles, None).expect("no panic").concat(), expected);
    }
}

#[test]
fn a_closed_pool_gives_a_task_of_a_map_back_to_be_run() {
    let pool = ThreadPool::new();
    pool.shutdown();
    let task = split_map_task(|n: u32| n + 1, 0..3, 3).next().expect("three items");

    let error = pool.submit(task).expect_err("closed");

    assert_eq!(error.into_inner().run(), [1, 2, 3]);
}
