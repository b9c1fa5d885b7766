//! Pools come to an end.

use crate::{Gate, pool};
use asyncpal::{Handle, PoolError, TaskError, ThreadPool};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom_tests::model_bounded;
use std::sync::Arc;

#[test]
fn a_join_waits_for_what_was_submitted_and_leaves_the_pool_open() {
    model_bounded("a_join_waits_for_what_was_submitted_and_leaves_the_pool_open", Some(1), || {
        let pool = pool(1);
        let first = pool.submit(|| ()).expect("the pool is open");

        pool.join();

        assert!(first.is_done());
        assert_eq!(pool.count_workers(), 0);
        pool.run(|| ()).expect("no panic");
    });
}

/// A worker comes, claims the last task and works, while the join looks.
#[test]
fn a_join_waits_for_the_task_of_a_successor() {
    model_bounded("a_join_waits_for_the_task_of_a_successor", Some(2), || {
        let builder = ThreadPool::single().max_tasks_per_worker(1).idle_timeout(None);
        let pool = builder.build().expect("the settings are valid");
        let handles = [1, 2].map(|n| pool.submit(move || n).expect("the pool is open"));

        pool.join();

        assert!(handles.iter().all(Handle::is_done));
    });
}

#[test]
fn a_join_by_the_only_worker_runs_what_is_pending() {
    model_bounded("a_join_by_the_only_worker_runs_what_is_pending", Some(1), || {
        let pool = Arc::new(pool(1));
        let theirs = pool.clone();

        let joining = pool.submit(move || {
            let pending = theirs.submit(|| 1).expect("the pool is open");
            theirs.join();
            pending.is_completed()
        });

        assert!(joining.expect("the pool is open").collect().expect("no panic"));
    });
}

#[test]
fn a_drop_waits_for_the_task_that_has_closed_the_pool() {
    model_bounded("a_drop_waits_for_the_task_that_has_closed_the_pool", Some(1), || {
        let pool = Arc::new(pool(1));
        let theirs = pool.clone();
        let closed = Arc::new(Gate::default());
        let closes = closed.clone();
        let closing = pool.submit(move || {
            theirs.shutdown();
            drop(theirs);
            closes.open();
        });
        let closing = closing.expect("the pool is open");

        closed.pass();
        drop(pool);

        assert!(closing.is_completed());
    });
}

#[test]
fn a_dropped_pool_settles_what_was_submitted() {
    model_bounded("a_dropped_pool_settles_what_was_submitted", Some(2), || {
        let runs = Arc::new(AtomicUsize::new(0));
        let pool = pool(1);
        let handles = [(); 2].map(|()| {
            let runs = runs.clone();
            // ORDERING: Relaxed: the checker runs a model on one thread of the system.
            pool.submit(move || runs.fetch_add(1, Relaxed)).expect("the pool is open")
        });

        drop(pool);

        let mut ran = 0;
        for handle in handles {
            assert!(handle.is_done());
            match handle.collect() {
                Ok(_) => ran += 1,
                Err(TaskError::Cancelled(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(ran, runs.load(Relaxed));
    });
}

#[test]
fn a_submit_against_a_shutdown_is_settled() {
    model_bounded("a_submit_against_a_shutdown_is_settled", Some(1), || {
        let pool = Arc::new(pool(1));
        let theirs = pool.clone();
        let closer = loom::thread::spawn(move || assert!(theirs.shutdown()));

        match pool.submit(|| 1) {
            Ok(handle) => match handle.collect() {
                Ok(result) => assert_eq!(result, 1),
                Err(TaskError::Cancelled(_)) => {}
                Err(other) => panic!("{other}"),
            },
            Err(refused) => assert!(matches!(refused.reason(), PoolError::Closed)),
        }

        closer.join().expect("no panic");
        assert!(pool.is_terminated());
    });
}

#[test]
fn an_initializer_that_fails_breaks_the_pool_with_its_cause() {
    model_bounded("an_initializer_that_fails_breaks_the_pool_with_its_cause", Some(2), || {
        let pool = asyncpal::ThreadPool::builder()
            .max_workers(1)
            .initializer(|| Err::<(), _>("no licence"))
            .build()
            .expect("the settings are valid");

        // The worker may fail before, while or after the task is submitted.
        match pool.submit(|| ()) {
            Ok(task) => assert!(matches!(task.collect(), Err(TaskError::Cancelled(_)))),
            Err(refused) => assert!(matches!(refused.reason(), PoolError::Broken(_))),
        }

        let refusal = pool.submit(|| ()).expect_err("the pool is broken");
        assert!(matches!(refusal.reason(), PoolError::Broken(_)), "{refusal}");
    });
}

#[test]
fn a_task_that_drops_the_last_reference_to_its_pool_ends_it() {
    model_bounded("a_task_that_drops_the_last_reference_to_its_pool_ends_it", Some(1), || {
        let pool = loom::sync::Arc::new(pool(1));
        let last = pool.clone();

        let task = pool.submit(move || drop(last)).expect("the pool is open");
        drop(pool);

        task.collect().expect("a task that runs is not cancelled");
    });
}
