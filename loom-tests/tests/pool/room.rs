//! A capacity: who waits for room is let in when there is some.

use crate::Gate;
use asyncpal::{PoolError, ThreadPool};
use loom::thread;
use loom_tests::model_bounded;
use std::sync::Arc;

/// A pool of one worker and room for one pending task.
fn small_pool() -> ThreadPool {
    ThreadPool::single().capacity(1).idle_timeout(None).build().expect("the settings are valid")
}

/// **M2**: the worker gives the place back while the submitter is about to wait for it.
#[test]
fn a_submitter_that_waits_for_room_is_let_in() {
    model_bounded("a_submitter_that_waits_for_room_is_let_in", Some(1), || {
        let pool = small_pool();

        let handles = [1, 2].map(|n| pool.submit(move || n).expect("the pool is open"));

        assert_eq!(handles.map(|handle| handle.collect().expect("no panic")), [1, 2]);
    });
}

/// **M2**: one place, given back by a canceller, and two that wait for it one after the other.
#[test]
fn each_of_two_submitters_that_wait_is_let_in() {
    model_bounded("each_of_two_submitters_that_wait_is_let_in", Some(1), || {
        let pool = Arc::new(small_pool());
        let gate = Arc::new(Gate::default());
        let opened = gate.clone();
        let busy = pool.submit(move || opened.pass()).expect("the pool is open");
        let other = {
            let pool = pool.clone();
            thread::spawn(move || pool.submit(|| 1).expect("the pool is open"))
        };

        let mine = pool.try_submit(|| 2);
        gate.open();

        let other = other.join().expect("no panic");
        assert_eq!(other.collect().expect("no panic"), 1);
        match mine {
            Ok(handle) => assert_eq!(handle.collect().expect("no panic"), 2),
            Err(refused) => assert!(matches!(refused.reason(), PoolError::Full)),
        }
        busy.collect().expect("no panic");
    });
}

#[test]
fn a_shutdown_lets_go_of_who_waits_for_room() {
    model_bounded("a_shutdown_lets_go_of_who_waits_for_room", Some(1), || {
        let pool = Arc::new(small_pool());
        let other = {
            let pool = pool.clone();
            thread::spawn(move || [1, 2].map(|n| pool.submit(move || n)))
        };

        pool.shutdown();

        for submitted in other.join().expect("no panic") {
            match submitted {
                Ok(handle) => assert!(handle.collect().map_or_else(|e| e.is_cancelled(), |_| true)),
                Err(refused) => assert!(matches!(refused.reason(), PoolError::Closed)),
            }
        }
    });
}
