//! Scopes in tasks.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use std::sync::mpsc;
use std::thread;

use crate::Witness;
use crate::tasks::pool;
use asyncpal::{Status, TaskError, ThreadPool};

#[test]
fn scopes_nest_on_a_pool_of_one_worker() {
    fn sum(pool: &ThreadPool, numbers: &[u64]) -> u64 {
        if let [number] = numbers {
            return *number;
        }
        let (left, right) = numbers.split_at(numbers.len() / 2);
        let (mut of_left, mut of_right) = (0, 0);
        pool.scope(|scope| {
            drop(scope.submit(|| of_left = sum(pool, left)).expect("open"));
            // Even a task whose handle is lost is found and run.
            core::mem::forget(scope.submit(|| of_right = sum(pool, right)).expect("open"));
        });
        of_left + of_right
    }
    let pool = pool(1);
    let numbers: Vec<u64> = (1..=100).collect();

    let total = pool.scope(|scope| {
        scope.submit(|| sum(&pool, &numbers)).expect("open").collect().expect("no panic")
    });

    assert_eq!((total, pool.count_workers()), (5050, 1));
}

#[test]
fn a_nested_scope_collects_waits_and_cancels_as_any_other() {
    let pool = pool(1);
    let dropped = AtomicUsize::new(0);
    let base = 40;

    pool.scope(|outer| {
        let nested = outer.submit(|| {
            pool.scope(|scope| {
                let mut collected = scope.submit(|| base + 2).expect("open");
                let cancelled = scope.submit(|| base).expect("open");
                assert!(!collected.wait_timeout(Duration::ZERO));
                assert!(matches!(collected.try_collect(), Err(TaskError::TimedOut)));
                assert!(cancelled.cancel());
                collected.wait();
                assert_eq!(collected.try_collect().expect("no panic"), 42);
                assert!(matches!(collected.try_collect(), Err(TaskError::AlreadyCollected)));

                let done = scope.submit(|| Witness(&dropped)).expect("open");
                done.wait();
                assert_eq!(dropped.load(Relaxed), 0);
                drop(done);
                assert_eq!(dropped.load(Relaxed), 1, "its output goes with it");
            });
        });
        nested.expect("open").collect().expect("no panic");
    });
}

#[test]
fn an_output_of_a_nested_scope_that_submits_when_it_is_dropped_is_waited_for() {
    struct Submits<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Submits<F> {
        fn drop(&mut self) {
            self.0.take().expect("once")();
        }
    }
    for (workers, tasks) in [(1, 1), (1, 20), (2, 1), (2, 20)] {
        let pool = pool(workers);
        let ran = AtomicUsize::new(0);

        pool.scope(|outer| {
            let nested = outer.submit(|| {
                pool.scope(|scope| {
                    for _ in 0..tasks {
                        let again = || {
                            drop(scope.submit(|| {
                                ran.fetch_add(1, Relaxed);
                            }));
                        };
                        drop(scope.submit(move || Submits(Some(again))).expect("open"));
                    }
                });
            });
            nested.expect("open").collect().expect("no panic");
        });

        assert_eq!(ran.into_inner(), tasks);
    }
}

#[test]
fn a_detached_task_of_a_workers_scope_keeps_nothing_of_its_output() {
    let pool = pool(2);

    pool.scope(|outer| {
        let nested = outer.submit(|| {
            pool.scope(|scope| {
                let (output, gone) = mpsc::channel::<()>();
                drop(scope.submit(move || output).expect("open"));
                // Another worker runs it.
                assert!(gone.recv().is_err());
            });
        });
        nested.expect("open").collect().expect("no panic");
    });
}

#[test]
fn a_sleeping_scope_of_a_worker_runs_what_another_worker_submits_to_it() {
    let pool = pool(2);
    let done = AtomicBool::new(false);
    let (submitted, go) = mpsc::channel();
    let (finished, last) = mpsc::channel();

    pool.scope(|outer| {
        let (pool, done) = (&pool, &done);
        let worker = outer.submit(move || {
            pool.scope(|scope| {
                let task = scope.submit(move || {
                    // The other worker blocks on what only the sleeping one can run.
                    drop(scope.submit(move || {
                        done.store(true, Relaxed);
                        finished.send(()).expect("waited for");
                    }));
                    submitted.send(()).expect("waited for");
                    last.recv().expect("the caller of the scope runs it");
                });
                // Runs elsewhere: a wait would claim it.
                let task = task.expect("open");
                while task.status() == Status::Pending {
                    thread::yield_now();
                }
            });
        });
        go.recv().expect("submitted");
        worker.expect("open").collect().expect("no panic");
    });

    assert!(done.into_inner());
}

#[test]
fn a_scope_may_be_entered_by_a_worker_of_another_pool() {
    let (near, far) = (pool(1), pool(1));
    let text = String::from("borrowed twice");

    let length = near.scope(|outer| {
        let task = outer
            .submit(|| far.scope(|inner| inner.submit(|| text.len()).expect("open").collect()));
        task.expect("open").collect().expect("no panic").expect("nor there")
    });

    assert_eq!(length, 14);
}
