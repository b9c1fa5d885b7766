//! The numbers of a pool: what `Pool::stats` says.

use core::time::Duration;
use std::panic;
use std::sync::mpsc;
use std::sync::{Arc, Barrier};

use asyncpal::{Durations, Stats, ThreadPool, WhenFull};

/// What must hold once nothing happens any more.
#[track_caller]
fn assert_balanced(stats: &Stats) {
    let Stats { submitted, pending, running, completed, panicked, failed, cancelled, .. } = *stats;
    assert_eq!(
        submitted,
        pending + running + completed + panicked + failed + cancelled,
        "{stats:?}"
    );
    let Stats { spawned, workers, retired, recycled, dismissed, lost_workers, .. } = *stats;
    assert_eq!(spawned, workers + retired + recycled + dismissed + lost_workers, "{stats:?}");
}

/// A worker that is held until the returned sender goes.
fn held(pool: &ThreadPool) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    drop(pool.submit(move || {
        started.send(()).unwrap();
        let _ = released.recv();
    }));
    has_started.recv().unwrap();
    release
}

#[test]
fn a_pool_that_did_nothing_counts_nothing() {
    let stats = ThreadPool::new().stats();
    assert_eq!(stats, Stats::default());
    assert_eq!(
        stats.to_string(),
        "tasks: 0 submitted, 0 completed, 0 failed, 0 panicked, 0 cancelled, 0 running, 0 pending\n\
         workers: 0 (0 at most), 0 idle; 0 spawned, 0 not; 0 retired, 0 recycled, 0 sent home, \
         0 lost; 0 sleeps, 0 wake-ups"
    );
}

#[test]
fn every_task_is_counted_once_by_how_it_ended() {
    let pool = ThreadPool::builder().max_workers(1).on_uncollected(|_| ()).build().unwrap();
    let release = held(&pool);

    pool.submit(|| 1).unwrap().cancel();
    let fails = pool.submit_fallible(|| "x".parse::<u8>()).unwrap();
    let panics = pool.submit(|| panic::resume_unwind(Box::new("on purpose"))).unwrap();
    let returns = pool.submit(|| 1).unwrap();
    let held = pool.stats();
    assert_eq!((held.submitted, held.pending, held.running, held.cancelled), (5, 3, 1, 1));
    drop(release);
    assert!(fails.collect().is_err());
    assert!(panics.collect().is_err());
    assert_eq!(returns.collect().unwrap(), 1);
    pool.join();

    let stats = pool.stats();
    let Stats { completed, failed, panicked, cancelled, .. } = stats;
    assert_eq!((completed, failed, panicked, cancelled), (2, 1, 1, 1));
    assert_eq!((stats.pending, stats.running, stats.workers, stats.dismissed), (0, 0, 0, 1));
    assert_balanced(&stats);
}

#[test]
fn tasks_that_waiters_run_are_counted_like_all_others() {
    let pool = Arc::new(ThreadPool::builder().max_workers(1).build().unwrap());
    let inner = Arc::clone(&pool);

    let nested = pool.submit(move || {
        let sum: u32 = (0..10).map(|n| inner.submit(move || n).unwrap().collect().unwrap()).sum();
        let fails = inner.submit_fallible(|| "x".parse::<u8>()).unwrap();
        (sum, fails.collect().is_err(), inner.stats())
    });
    let (sum, fails, within) = nested.unwrap().collect().unwrap();
    pool.join();

    assert_eq!((sum, fails), (45, true));
    assert_eq!((within.completed, within.failed, within.running), (10, 1, 1));
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.failed, stats.run_by_waiters), (11, 1, 11));
    assert_balanced(&stats);
}

#[test]
fn a_task_that_its_submitter_runs_is_counted() {
    let pool = ThreadPool::builder()
        .max_workers(1)
        .capacity(1)
        .when_full(WhenFull::RunHere)
        .measure_times(true)
        .on_uncollected(|_| ())
        .build()
        .unwrap();
    let release = held(&pool);

    let pending = pool.submit(|| 1).unwrap();
    assert_eq!(pool.submit(|| 2).unwrap().try_collect().unwrap(), 2);
    assert!(pool.submit_fallible(|| "x".parse::<u8>()).unwrap().try_collect().is_err());
    drop(release);
    assert_eq!(pending.collect().unwrap(), 1);
    pool.join();

    let stats = pool.stats();
    assert_eq!((stats.completed, stats.failed, stats.run_by_waiters), (3, 1, 2));
    assert_eq!(stats.running_times.as_ref().unwrap().count(), 4);
    assert_balanced(&stats);
}

#[test]
fn a_task_is_counted_by_its_own_pool_whatever_its_worker_is_at() {
    let ours = Arc::new(ThreadPool::single().build().unwrap());
    let theirs = ThreadPool::single().capacity(1).when_full(WhenFull::RunHere).build().unwrap();
    let theirs = Arc::new(theirs);
    let release = held(&theirs);
    theirs.spawn(|| ()).unwrap();

    // Our worker runs a task of theirs, which waits for one of ours.
    let (own, other) = (ours.clone(), theirs.clone());
    let nested = move || {
        let inner = own.submit(|| panic!("of ours")).unwrap();
        other.spawn(move || inner.wait()).unwrap();
    };
    ours.run(nested).unwrap();
    drop(release);
    ours.join();
    theirs.join();

    let [ours, theirs] = [ours.stats(), theirs.stats()];
    assert_eq!((ours.completed, ours.panicked, ours.run_by_waiters), (1, 1, 1));
    assert_eq!((theirs.completed, theirs.panicked, theirs.run_by_waiters), (3, 0, 1));
    [ours, theirs].iter().for_each(assert_balanced);
}

#[test]
fn the_most_workers_stay_known_when_they_are_gone() {
    const WORKERS: usize = 5;
    let pool = ThreadPool::builder().max_workers(8).build().unwrap();
    let all = Arc::new(Barrier::new(WORKERS));
    for _ in 0..WORKERS {
        let all = Arc::clone(&all);
        drop(pool.submit(move || all.wait()).unwrap());
    }
    pool.join();

    let stats = pool.stats();
    assert_eq!((stats.most_workers, stats.workers), (WORKERS, 0));
    assert_eq!((stats.spawned, stats.dismissed), (WORKERS, WORKERS));
    assert_balanced(&stats);
}

#[test]
fn workers_are_counted_by_why_they_left() {
    let pool = ThreadPool::builder()
        .max_workers(1)
        .max_tasks_per_worker(2)
        .idle_timeout(Duration::from_millis(1))
        .build()
        .unwrap();
    let release = held(&pool);
    let second = pool.submit(|| ()).unwrap();
    drop(release);
    second.collect().unwrap();
    // Its successor runs one task, and is idle for too long.
    pool.submit(|| ()).unwrap().collect().unwrap();
    while pool.count_workers() > 0 {
        std::thread::yield_now();
    }

    let stats = pool.stats();
    assert_eq!((stats.recycled, stats.retired), (1, 1));
    assert!(stats.sleeps >= 1);
    assert_balanced(&stats);

    let broken = ThreadPool::builder().initializer(|| Err("on purpose")).build().unwrap();
    assert!(broken.run(|| 1).is_err());
    broken.shutdown();
    assert_eq!(broken.stats().lost_workers, 1);
}

#[test]
fn a_sleeper_that_is_woken_for_a_task_is_counted() {
    let pool = ThreadPool::builder().max_workers(1).spin(false).build().unwrap();
    for round in 1..=10 {
        pool.submit(|| ()).unwrap().collect().unwrap();
        while pool.stats().sleeps < round {
            std::thread::yield_now();
        }
    }
    pool.join();

    // The first task came with its worker.
    assert_eq!(pool.stats().wake_ups, 9);
    assert_eq!(pool.stats().spawned, 1);
}

#[test]
fn times_are_measured_for_whoever_asked() {
    let pool = ThreadPool::builder().max_workers(1).measure_times(true).build().unwrap();
    let release = held(&pool);
    let handles: Vec<_> = (0..100).map(|n| pool.submit(move || n).unwrap()).collect();
    assert!(handles[99].cancel());
    drop(release);
    pool.join();

    let stats = pool.stats();
    assert_eq!(stats.most_pending, Some(100));
    let (waiting, running) = (stats.waiting_times.unwrap(), stats.running_times.unwrap());
    assert_eq!((waiting.count(), running.count()), (100, 100));
    // Each is in the bucket of what its handle says; the held task is one more.
    for (what, histogram, of) in [
        ("waiting", &waiting, (|durations| durations.pending) as fn(Durations) -> Duration),
        ("running", &running, |durations| durations.running),
    ] {
        let mut missing = 1;
        for bucket in histogram.buckets() {
            let ran = handles.iter().filter(|handle| !handle.is_cancelled());
            let durations = ran.map(|handle| of(handle.durations().unwrap()));
            let in_bucket = durations.filter(|it| (bucket.from..bucket.to).contains(it)).count();
            assert!(bucket.count - in_bucket <= missing, "{what}: {bucket:?}, {in_bucket}");
            missing -= bucket.count - in_bucket;
        }
        assert_eq!(missing, 0, "{what}");
    }

    let silent = ThreadPool::new();
    silent.run(|| ()).unwrap();
    let stats = silent.stats();
    assert_eq!((stats.most_pending, stats.waiting_times, stats.running_times), (None, None, None));
}

#[test]
fn trying_the_settings_out_leaves_no_trace_in_the_numbers() {
    let pool = ThreadPool::builder()
        .measure_times(true)
        .on_event(|event| panic!("an event: {event}"))
        .build()
        .unwrap();
    pool.test().unwrap();
    assert_eq!(pool.stats().submitted, 0);
    assert_eq!(pool.stats().running_times.unwrap().count(), 0);
}
