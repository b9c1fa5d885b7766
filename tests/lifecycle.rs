//! The life of a pool: join, shutdown, drop, break.

use core::error::Error;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Barrier, mpsc};

use asyncpal::{BrokenCause, Handle, PoolError, TaskError, ThreadPool};

#[test]
fn join_runs_everything_and_the_pool_stays_usable() {
    let pool = ThreadPool::builder().max_workers(2).build().expect("valid");
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let ran = ran.clone();
        drop(pool.submit(move || ran.fetch_add(1, Ordering::SeqCst)).expect("open"));
    }

    pool.join();

    assert_eq!(ran.load(Ordering::SeqCst), 100);
    assert_eq!(pool.count_workers(), 0);
    assert_eq!(pool.run(|| 1).expect("no panic"), 1);
}

/// A worker that was spawned before a join and started after it took itself for one of the new
/// generation: the join waited for its idle timeout.
#[test]
fn join_right_after_a_submit_does_not_wait_for_an_idle_timeout() {
    let pool = ThreadPool::builder().idle_timeout(None).build().expect("valid");
    for _ in 0..500 {
        drop(pool.submit(|| ()).expect("open"));
        pool.join();
        assert_eq!((pool.count_workers(), pool.count_pending_tasks()), (0, 0));
    }
}

#[test]
fn join_runs_what_recycled_workers_leave_to_their_successors() {
    let pool = ThreadPool::builder().max_workers(1).max_tasks_per_worker(1).build().expect("valid");
    let handles: Vec<_> = (0..50).map(|n| pool.submit(move || n).expect("open")).collect();

    pool.join();

    assert!(handles.iter().all(|handle| handle.is_completed()));
}

#[test]
fn join_gives_up_at_its_timeout() {
    let pool = ThreadPool::new();
    let (gate, closed) = mpsc::channel::<()>();
    drop(pool.submit(move || closed.recv().is_err()).expect("open"));

    assert!(!pool.join_timeout(Duration::from_millis(5)));

    drop(gate);
    assert!(pool.join_timeout(Duration::MAX));
}

#[test]
fn join_from_a_task_of_the_pool_does_not_wait_for_itself() {
    let pool = Arc::new(ThreadPool::builder().max_workers(2).build().expect("valid"));
    let inner = pool.clone();

    pool.run(move || inner.join()).expect("no panic");
}

#[test]
fn join_from_the_only_worker_runs_what_is_pending() {
    let pool = Arc::new(ThreadPool::single().build().expect("valid"));
    let (submitted, wait) = mpsc::channel::<()>();
    let theirs = pool.clone();
    let joining = pool.submit(move || {
        wait.recv().expect("sent");
        theirs.join_timeout(Duration::from_secs(60))
    });
    let pending = [1, 2, 3].map(|n| pool.submit(move || n).expect("open"));
    submitted.send(()).expect("waited for");

    assert!(joining.expect("open").collect().expect("no panic"));

    assert!(pending.iter().all(Handle::is_completed));
    assert_eq!(pool.stats().run_by_waiters, 3);
}

#[test]
fn tasks_that_all_join_do_not_wait_for_one_another() {
    let pool = Arc::new(ThreadPool::dual().build().expect("valid"));
    let both_run = Arc::new(Barrier::new(2));
    let joining = [(); 2].map(|()| {
        let (theirs, both_run) = (pool.clone(), both_run.clone());
        pool.submit(move || {
            both_run.wait();
            theirs.join();
        })
    });

    for handle in joining {
        handle.expect("open").collect().expect("no panic");
    }
    pool.join();
    assert_eq!(pool.count_workers(), 0, "others wait for those that join");
}

#[test]
fn shutdown_cancels_what_is_pending_and_finishes_what_runs() {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let (started, wait) = mpsc::channel();
    let running = pool
        .submit(move || {
            started.send(()).expect("waited for");
            let _ = closed.recv();
            8
        })
        .expect("open");
    wait.recv().expect("started");
    let pending: Vec<_> = (0..10).map(|_| pool.submit(|| ()).expect("open")).collect();

    std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| pool.shutdown());
        pending.iter().for_each(|handle| handle.wait());
        assert!(!pool.is_terminated());
        drop(gate);
        assert!(shutdown.join().expect("no panic"), "it was open");
    });

    assert!(pending.iter().all(|handle| handle.is_cancelled()));
    assert_eq!(running.collect().expect("no panic"), 8);
    assert!(pool.is_closed() && pool.is_terminated());
    assert!(!pool.shutdown(), "closed before");
    assert_eq!((pool.count_workers(), pool.count_pending_tasks()), (0, 0));
}

#[test]
fn submit_after_close_gives_the_task_back() {
    let pool = ThreadPool::new();
    pool.shutdown();

    let error = pool.submit(|| 11).expect_err("closed");

    assert!(matches!(error.reason(), PoolError::Closed));
    assert_eq!(error.to_string(), "the pool is shut down: it takes no tasks any more");
    assert_eq!(error.into_inner()(), 11);
    assert!(matches!(pool.check(), Err(PoolError::Closed)));
    assert!(matches!(pool.run(|| ()), Err(TaskError::Rejected(PoolError::Closed))));
}

#[test]
fn shutdown_against_submits_loses_no_task() {
    for _ in 0..300 {
        let pool = ThreadPool::builder().max_workers(2).build().expect("valid");
        let ran = Arc::new(AtomicUsize::new(0));

        std::thread::scope(|scope| {
            let submits = scope.spawn(|| {
                let task = || {
                    let ran = ran.clone();
                    move || ran.fetch_add(1, Ordering::SeqCst)
                };
                (0..50).map_while(|_| pool.submit(task()).ok()).collect::<Vec<_>>()
            });
            pool.shutdown();
            let handles = submits.join().expect("no panic");
            handles.iter().for_each(|handle| handle.wait());
            let completed = handles.iter().filter(|handle| handle.is_completed()).count();
            assert_eq!(completed, ran.load(Ordering::SeqCst));
        });
    }
}

#[test]
fn dropping_a_pool_ends_its_threads_and_their_locals() {
    thread_local! {
        static LOCAL: core::cell::RefCell<Option<Arc<()>>> = const { core::cell::RefCell::new(None) };
    }
    let token = Arc::new(());
    let pool = ThreadPool::builder().max_workers(3).build().expect("valid");
    let theirs = token.clone();
    pool.map(move |_| LOCAL.set(Some(theirs.clone())), 0..30).for_each(drop);

    drop(pool);

    assert_eq!(Arc::strong_count(&token), 1);
}

/// A thread whose function had returned counted as gone when the next one was spawned, though its
/// locals' destructors were still at work.
#[test]
fn dropping_a_pool_waits_for_the_locals_of_recycled_workers() {
    struct Slow(mpsc::Sender<()>, Arc<AtomicUsize>);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.send(()).expect("waited for");
            std::thread::sleep(Duration::from_millis(300));
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    thread_local! {
        static LOCAL: core::cell::RefCell<Option<Slow>> = const { core::cell::RefCell::new(None) };
    }
    let pool = ThreadPool::single().max_tasks_per_worker(1).build().expect("valid");
    let (begun, wait) = mpsc::channel();
    let ended = Arc::new(AtomicUsize::new(0));
    let slow = Slow(begun, ended.clone());
    pool.run(move || LOCAL.set(Some(slow))).expect("no panic");
    wait.recv().expect("its worker leaves");
    pool.run(|| ()).expect("by another worker");

    drop(pool);

    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

#[test]
fn a_pool_dropped_by_its_own_task_does_not_hang() {
    let pool = ThreadPool::builder().max_workers(2).build().expect("valid");
    let pool = Arc::new(pool);
    let inner = pool.clone();
    let (gate, opened) = mpsc::channel::<()>();

    let handle = pool
        .submit(move || {
            let _ = opened.recv();
            drop(inner);
        })
        .expect("open");
    drop(pool);
    drop(gate);

    handle.collect().expect("no panic");
}

#[test]
fn initializer_and_finalizer_run_once_per_worker() {
    let counts = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let [begun, ended] = [0, 1].map(|which| {
        let counts = counts.clone();
        move || {
            counts[which].fetch_add(1, Ordering::SeqCst);
        }
    });
    let pool = ThreadPool::builder()
        .max_workers(1)
        .max_tasks_per_worker(2)
        .initializer(begun)
        .finalizer(ended)
        .build()
        .expect("valid");

    for _ in 0..6 {
        pool.run(|| ()).expect("no panic");
    }
    pool.shutdown();

    assert_eq!(counts.each_ref().map(|count| count.load(Ordering::SeqCst)), [3, 3]);
}

#[test]
fn a_failing_initializer_breaks_the_pool_with_its_cause() {
    let pool =
        ThreadPool::builder().initializer(|| Err::<(), _>("no flour")).build().expect("valid");

    let handles: Vec<_> = (0..5).map_while(|_| pool.submit(|| ()).ok()).collect();
    handles.iter().for_each(|handle| handle.wait());

    assert!(handles.iter().all(|handle| handle.is_cancelled()));
    let error = pool.submit(|| ()).expect_err("broken");
    let PoolError::Broken(cause) = error.reason() else { panic!("{error:?}") };
    assert!(matches!(&**cause, BrokenCause::Initializer(error) if error.to_string() == "no flour"));
    assert_eq!(
        error.to_string(),
        "the pool is broken, build another: an initializer failed: no flour"
    );
    assert!(error.source().is_none(), "the text has it all");
    assert!(error.reason().inner().is_some_and(|cause| cause.to_string() == "no flour"));
    assert!(pool.is_broken() && pool.check().is_err());
    assert!(pool.shutdown());
    assert!(pool.is_broken(), "for good");
}

#[test]
fn a_run_says_what_broke_the_pool_under_it() {
    for _ in 0..100 {
        let builder = ThreadPool::builder().initializer(|| "x".parse::<u8>().map(drop));
        let pool = builder.build().expect("valid");

        let error = pool.run(|| ()).expect_err("no worker can start");

        assert!(error.to_string().ends_with("invalid digit found in string"), "{error}");
        assert!(error.downcast_ref::<core::num::ParseIntError>().is_some(), "{error:?}");
    }
}

#[test]
fn a_panicking_finalizer_breaks_the_pool() {
    fn spoil() {
        panic!("no salt");
    }
    let pool = ThreadPool::builder().finalizer(spoil).build().expect("valid");
    pool.run(|| ()).expect("no panic");
    assert!(pool.check().is_ok());

    pool.join();

    let Err(PoolError::Broken(cause)) = pool.check() else { panic!("{pool:?}") };
    assert!(matches!(*cause, BrokenCause::Finalizer(_)));
}
