//! Thread pools: submitting, growing, shrinking, nesting.

use core::time::Duration;
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use asyncpal::{BuildError, TaskError, ThreadPool};

/// Waits for what another thread is about to make true, without a limit: a test that hangs names
/// itself.
fn eventually(what: impl Fn() -> bool) {
    while !what() {
        std::thread::yield_now();
    }
}

#[test]
fn every_submitted_task_runs_once() {
    let pool = ThreadPool::builder().max_workers(3).build().expect("valid");

    let handles: Vec<_> = (0..10_000_u64).map(|n| pool.submit(move || n).expect("open")).collect();
    let sum: u64 = handles.into_iter().map(|handle| handle.collect().expect("no panic")).sum();

    assert_eq!(sum, 9_999 * 5_000);
    assert_eq!(pool.count_pending_tasks(), 0);
}

#[test]
fn a_function_is_submitted_with_its_arguments() {
    fn between(low: i32, value: i32, high: i32) -> bool {
        low <= value && value <= high
    }
    let pool = ThreadPool::new();

    let inside = pool.submit_with(between, (1, 2, 3)).expect("open");
    let text = pool.submit_with(str::to_uppercase, ("word",)).expect("open");

    assert!(inside.collect().expect("no panic"));
    assert_eq!(text.collect().expect("no panic"), "WORD");
}

#[test]
fn one_worker_starts_tasks_in_the_order_of_their_submits() {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");
    let (started, order) = mpsc::channel();

    for n in 0..1000 {
        let started = started.clone();
        drop(pool.submit(move || started.send(n)).expect("open"));
    }
    drop(started);

    assert!(order.into_iter().eq(0..1000));
}

#[test]
fn a_dropped_handle_detaches_its_task() {
    let pool = ThreadPool::new();
    let (done, wait) = mpsc::channel();

    drop(pool.submit(move || done.send(7)).expect("open"));

    assert_eq!(wait.recv(), Ok(7));
}

#[test]
fn task_ids_count_the_submits_of_their_pool() {
    let pool = ThreadPool::new();

    let ids: Vec<_> = (0..3).map(|_| pool.submit(|| ()).expect("open").task_id()).collect();

    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn a_hundred_thousand_sequential_runs_leave_at_most_two_workers() {
    let pool = ThreadPool::builder().max_workers(8).build().expect("valid");

    for n in 0..100_000 {
        assert_eq!(pool.run(move || n).expect("no panic"), n);
    }

    assert!(pool.count_workers() <= 2, "{pool:?}");
}

#[test]
fn the_pool_grows_while_tasks_block_and_no_further_than_its_maximum() {
    let pool = ThreadPool::builder().max_workers(4).build().expect("valid");
    let all_here = Arc::new(Barrier::new(5));

    // Each waits for the other three and for this thread: four workers, or a hang.
    for _ in 0..4 {
        let all_here = all_here.clone();
        drop(pool.submit(move || all_here.wait().is_leader()).expect("open"));
    }
    let fifth = pool.submit(|| ()).expect("open");
    all_here.wait();
    fifth.collect().expect("no panic");

    assert_eq!(pool.count_workers(), 4);
}

#[test]
fn a_task_that_waits_for_a_later_one_does_not_keep_it_from_starting() {
    let pool = ThreadPool::builder().max_workers(2).build().expect("valid");
    for _ in 0..2000 {
        let (send, receive) = mpsc::channel();

        let waiting = pool.submit(move || receive.recv().expect("sent")).expect("open");
        drop(pool.submit(move || send.send(1).expect("received")).expect("open"));

        assert_eq!(waiting.collect().expect("no panic"), 1);
    }
}

#[test]
fn one_worker_survives_waits_nested_five_deep() {
    fn nest(pool: &Arc<ThreadPool>, depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        let inner = pool.clone();
        pool.submit(move || nest(&inner, depth - 1)).expect("open").collect().expect("no panic") + 1
    }
    let pool = Arc::new(ThreadPool::builder().max_workers(1).build().expect("valid"));

    assert_eq!(nest(&pool, 6), 6);
    assert_eq!(pool.count_workers(), 1);
}

#[test]
fn four_threads_run_side_by_side_through_one_pool() {
    let pool = ThreadPool::builder().max_workers(4).build().expect("valid");
    let all_here = Arc::new(Barrier::new(4));

    // Each run waits for the other three: they hang if a run holds up the others.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let all_here = all_here.clone();
            let pool = &pool;
            scope.spawn(move || pool.run(move || all_here.wait().is_leader()).expect("no panic"));
        }
    });
}

#[test]
fn idle_workers_leave_after_the_idle_timeout_down_to_none() {
    let pool = ThreadPool::builder()
        .max_workers(4)
        .idle_timeout(Duration::from_millis(20))
        .build()
        .expect("valid");
    let all_here = Arc::new(Barrier::new(4));
    let theirs = all_here.clone();

    let tasks: Result<Vec<_>, _> = pool.map(move |_| theirs.wait().is_leader(), 0..4).collect();
    assert_eq!(tasks.expect("no panic").len(), 4);

    eventually(|| pool.count_workers() == 0);
    assert_eq!(pool.run(|| 1).expect("no panic"), 1, "it grows again");
}

#[test]
fn a_new_idle_timeout_reaches_workers_that_are_idle_already() {
    let pool = ThreadPool::builder().idle_timeout(None).build().expect("valid");
    pool.run(|| ()).expect("no panic");
    assert_eq!(pool.idle_timeout(), None);
    assert_eq!(pool.count_workers(), 1);

    pool.set_idle_timeout(Duration::from_millis(1));

    eventually(|| pool.count_workers() == 0);
}

#[test]
fn workers_are_recycled_after_their_share_of_tasks() {
    let pool = ThreadPool::builder().max_workers(1).max_tasks_per_worker(3).build().expect("valid");

    let threads: Vec<_> = (0..9)
        .map(|_| pool.submit(|| std::thread::current().id()).expect("open"))
        .map(|handle| handle.collect().expect("no panic"))
        .collect();

    for share in threads.chunks(3) {
        assert!(share.iter().all(|id| *id == share[0]));
    }
    let mut distinct = threads;
    distinct.dedup();
    assert_eq!(distinct.len(), 3);
}

#[test]
fn workers_carry_the_name_of_their_pool() {
    let pool = ThreadPool::builder().name("baker").build().expect("valid");

    let name = pool.run(|| std::thread::current().name().map(str::to_owned)).expect("no panic");

    assert_eq!(name.as_deref(), Some("baker-0"));
    assert_eq!(pool.name(), "baker");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let no_workers = ThreadPool::builder().max_workers(0).build();
    let too_many = ThreadPool::builder().max_workers(usize::MAX).build();
    let no_tasks = ThreadPool::builder().max_tasks_per_worker(0).build();
    let name = ThreadPool::builder().name("a\0b").build();

    assert!(matches!(no_workers, Err(BuildError::NoWorkers)));
    assert!(matches!(too_many, Err(BuildError::TooManyWorkers { .. })));
    assert!(matches!(no_tasks, Err(BuildError::NoTasksPerWorker)));
    assert!(matches!(name, Err(BuildError::Name)));
}

#[test]
fn a_timed_wait_never_runs_the_task_on_the_waiting_worker() {
    let pool = Arc::new(ThreadPool::builder().max_workers(1).build().expect("valid"));
    let inner = pool.clone();

    let outer = pool.submit(move || {
        let mut pending = inner.submit(|| 5).expect("open");
        let begun = Instant::now();
        let timed_out = pending.collect_timeout(Duration::from_millis(10));
        assert!(matches!(timed_out, Err(TaskError::TimedOut)));
        assert!(begun.elapsed() >= Duration::from_millis(10));
        pending.collect().expect("runs here, untimed")
    });

    assert_eq!(outer.expect("open").collect().expect("no panic"), 5);
}
