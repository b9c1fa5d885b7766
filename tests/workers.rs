//! Workers by hand, their minimum and maximum, and trying a pool's settings out.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Barrier};
use std::thread;

use asyncpal::{BrokenCause, BuildError, PoolError, TaskError, ThreadPool};

/// Waits for something that happens without a wait of its own.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn workers_spawned_by_hand_are_never_more_than_the_maximum() {
    let pool = ThreadPool::builder().max_workers(3).idle_timeout(None).build().expect("valid");

    assert_eq!(pool.spawn_workers(0).expect("open"), 0);
    assert_eq!(pool.spawn_workers(2).expect("open"), 2);
    assert_eq!(pool.count_workers(), 2);
    assert_eq!(pool.spawn_workers(5).expect("open"), 1);
    assert_eq!(pool.spawn_max_workers().expect("open"), 0);
    assert_eq!(pool.count_workers(), 3);
    eventually("all are free", || pool.count_free_workers() == 3);
    assert_eq!(pool.count_busy_workers(), 0);
}

#[test]
fn workers_spawned_by_hand_run_the_tasks_that_come() {
    let pool = ThreadPool::builder().max_workers(4).build().expect("valid");
    assert_eq!(pool.spawn_max_workers().expect("open"), 4);
    let all_here = Arc::new(Barrier::new(4));

    let handles = [(); 4].map(|()| {
        let all_here = all_here.clone();
        pool.submit(move || all_here.wait().is_leader()).expect("open")
    });

    let leaders = handles.map(|handle| usize::from(handle.collect().expect("no panic")));
    assert_eq!(leaders.iter().sum::<usize>(), 1);
    assert_eq!(pool.count_workers(), 4);
}

#[test]
fn a_closed_or_broken_pool_spawns_no_workers() {
    let closed = ThreadPool::new();
    closed.shutdown();
    assert!(matches!(closed.spawn_workers(1), Err(PoolError::Closed)));
    assert!(matches!(closed.spawn_max_workers(), Err(PoolError::Closed)));
    assert_eq!(closed.count_workers(), 0);

    let broken = ThreadPool::builder().initializer(|| Err::<(), _>("no")).build().expect("valid");
    assert_eq!(broken.spawn_workers(1).expect("a thread can be spawned"), 1);
    eventually("it is broken", || broken.is_broken());
    assert!(matches!(broken.spawn_workers(1), Err(PoolError::Broken(_))));
}

#[test]
fn the_minimum_of_workers_stays_and_the_others_leave() {
    let pool = ThreadPool::builder()
        .max_workers(4)
        .min_workers(2)
        .idle_timeout(Duration::from_millis(1))
        .build()
        .expect("valid");
    assert_eq!(pool.count_workers(), 0, "nobody is spawned before there is a task");

    pool.spawn_max_workers().expect("open");

    eventually("two have left", || pool.count_workers() == 2);
    pool.join();
    assert_eq!(pool.count_workers(), 0);
    assert_eq!(pool.run(|| 1).expect("no panic"), 1);
}

#[test]
fn a_minimum_above_the_maximum_is_refused() {
    let refused = ThreadPool::builder().max_workers(2).min_workers(3).build();

    let error = refused.expect_err("three of two");

    assert!(matches!(error, BuildError::MinAboveMax { min: 3, max: 2 }));
    assert_eq!(
        error.to_string(),
        "a minimum of 3 workers is more than the maximum of 2: `max_workers` sets that"
    );
}

#[test]
fn sized_pools_have_that_many_workers_at_most() {
    let pools =
        [ThreadPool::single(), ThreadPool::dual(), ThreadPool::triple(), ThreadPool::quad()]
            .map(|builder| builder.build().expect("valid"));

    let sizes = pools.map(|pool| (pool.max_workers(), pool.spawn_workers(9).expect("open")));

    assert_eq!(sizes, [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[test]
fn a_test_starts_and_ends_one_worker_and_leaves_the_pool_alone() {
    let counts = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let [begun, ended] = [0, 1].map(|which| {
        let counts = counts.clone();
        move || {
            counts[which].fetch_add(1, Ordering::SeqCst);
        }
    });
    let pool = ThreadPool::builder().initializer(begun).finalizer(ended).build().expect("valid");

    pool.test().expect("nothing fails");

    assert_eq!(counts.each_ref().map(|count| count.load(Ordering::SeqCst)), [1, 1]);
    assert_eq!(pool.count_workers(), 0);
}

#[test]
fn a_test_lets_the_error_of_a_hook_out_and_does_not_break_the_pool() {
    let initializer =
        ThreadPool::builder().initializer(|| Err::<(), _>("no flour")).build().expect("valid");
    let finalizer =
        ThreadPool::builder().finalizer(|| Err::<(), _>("no soap")).build().expect("valid");

    let errors = [initializer.test(), finalizer.test()].map(|result| result.expect_err("it fails"));

    let [
        TaskError::Rejected(PoolError::Broken(first)),
        TaskError::Rejected(PoolError::Broken(second)),
    ] = errors
    else {
        panic!("{errors:?}")
    };
    assert!(matches!(&*first, BrokenCause::Initializer(error) if error.to_string() == "no flour"));
    assert!(matches!(&*second, BrokenCause::Finalizer(error) if error.to_string() == "no soap"));
    assert!(initializer.check().is_ok() && finalizer.check().is_ok());
}

/// Whoever finds that somebody sleeps and was called relies on him, and he on whom he calls: also on a new worker.
#[test]
fn a_burst_whose_last_task_the_others_wait_for_has_as_many_workers() {
    const TASKS: usize = 6;
    for _ in 0..500 {
        let pool = ThreadPool::builder().max_workers(TASKS).build().expect("valid");
        pool.spawn_workers(2).expect("open");
        while pool.stats().idle_workers < 2 {
            thread::yield_now();
        }
        let all = Arc::new(Barrier::new(TASKS));

        let handles: Vec<_> = (0..TASKS)
            .map(|_| {
                let all = all.clone();
                pool.submit(move || all.wait().is_leader()).expect("open")
            })
            .collect();

        assert!(handles.iter().all(|handle| handle.wait_timeout(Duration::from_secs(20))));
    }
}
