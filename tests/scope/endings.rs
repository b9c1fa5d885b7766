//! What ends tasks of a scope from outside: cancellations, shutdowns, breaks, leaving workers.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

use crate::Witness;
use crate::tasks::pool;
use asyncpal::{PoolError, Status, TaskError, ThreadPool};

#[test]
fn a_cancelled_task_drops_its_closure_at_once() {
    let pool = pool(1);
    let dropped = AtomicUsize::new(0);

    pool.scope(|scope| {
        let (gate, closed) = mpsc::channel::<()>();
        drop(scope.submit(move || closed.recv().is_err()));
        let witness = Witness(&dropped);
        let pending = scope.submit(move || drop(witness)).expect("open");

        assert!(pending.cancel());

        assert_eq!((dropped.load(Relaxed), pending.status()), (1, Status::Cancelled));
        assert!(matches!(pending.collect(), Err(TaskError::Cancelled(_))));
        drop(gate);
    });
}

#[test]
fn a_shutdown_meanwhile_cancels_what_is_pending_and_waits_for_what_runs() {
    let pool = pool(1);
    let (ran, dropped) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (gate, closed) = mpsc::channel::<()>();
    let (started, wait) = mpsc::channel();

    thread::scope(|threads| {
        pool.scope(|scope| {
            let ran = &ran;
            let running = scope.submit(move || {
                started.send(()).expect("waited for");
                let _ = closed.recv();
                ran.store(true, Relaxed);
            });
            let running = running.expect("open");
            let witness = Witness(&dropped);
            let pending = scope.submit(move || drop(witness)).expect("open");
            wait.recv().expect("it starts");
            threads.spawn(|| pool.shutdown());
            pending.wait();
            assert_eq!((pending.status(), dropped.load(Relaxed)), (Status::Cancelled, 1));

            let witness = Witness(&dropped);
            let refused = scope.submit(move || drop(witness)).expect_err("closed");
            assert!(matches!(refused.reason(), PoolError::Closed));
            assert_eq!(dropped.load(Relaxed), 1, "the closure comes back");
            refused.into_inner()();

            drop(gate);
            drop(running);
        });
        assert!(ran.load(Relaxed));
        assert_eq!(dropped.load(Relaxed), 2);
    });
}

#[test]
fn a_submit_without_any_thread_gives_the_closure_back_and_the_scope_ends() {
    // More than any address space has room for.
    let pool = ThreadPool::builder().stack_size(usize::MAX / 4 * 3).build().expect("valid");
    let dropped = AtomicUsize::new(0);

    pool.scope(|scope| {
        let witness = Witness(&dropped);
        let refused = scope.submit(move || drop(witness)).expect_err("no thread can start");
        assert!(matches!(refused.reason(), PoolError::Spawn(_)), "{refused}");
        assert_eq!(dropped.load(Relaxed), 0);
    });

    assert_eq!(dropped.into_inner(), 1);
}

#[test]
fn a_pool_that_breaks_cancels_the_tasks_of_its_scopes() {
    let pool = ThreadPool::builder()
        .max_workers(1)
        .initializer(|| Err::<(), _>("no licence"))
        .build()
        .expect("valid");
    let dropped = AtomicUsize::new(0);

    pool.scope(|scope| {
        for _ in 0..3 {
            let witness = Witness(&dropped);
            drop(scope.submit(move || drop(witness)));
        }
    });

    assert_eq!(dropped.into_inner(), 3);
}

#[test]
fn workers_that_leave_after_each_task_lose_none() {
    let pool = ThreadPool::builder().max_workers(2).max_tasks_per_worker(1).build().expect("valid");
    let count = AtomicUsize::new(0);

    pool.scope(|scope| {
        for _ in 0..100 {
            drop(scope.submit(|| count.fetch_add(1, Relaxed)).expect("open"));
        }
    });

    assert_eq!(count.into_inner(), 100);
}
