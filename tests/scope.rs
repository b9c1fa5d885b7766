//! Scopes: tasks that borrow, panics, handles that go astray, nesting.

use core::future::Future;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::panic::{catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use asyncpal::{PoolError, ScopedHandle, Status, TaskError, ThreadPool};

fn pool(max_workers: usize) -> ThreadPool {
    ThreadPool::builder().max_workers(max_workers).build().expect("valid")
}

/// Counts its own drop, on the stack of whoever made the counter.
struct Witness<'a>(&'a AtomicUsize);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A panic of which nothing is printed.
fn quiet_panic(text: &'static str) -> ! {
    resume_unwind(Box::new(text))
}

/// What a scope panics with.
fn panic_of<R>(scope: impl FnOnce() -> R) -> &'static str {
    let Err(payload) = catch_unwind(AssertUnwindSafe(scope)) else { panic!("it did not panic") };
    *payload.downcast().expect("a text")
}

#[test]
fn tasks_change_disjoint_parts_of_what_they_borrow() {
    let pool = pool(4);
    let mut numbers: Vec<u64> = (0..1000).collect();

    pool.scope(|scope| {
        for part in numbers.chunks_mut(7) {
            drop(scope.submit(move || part.iter_mut().for_each(|n| *n *= 2)).expect("open"));
        }
    });

    assert!(numbers.iter().enumerate().all(|(at, &n)| n == 2 * at as u64));
}

#[test]
fn a_result_may_borrow_what_outlives_the_scope() {
    let pool = pool(2);
    let text = String::from("one two three");

    let words: Vec<&str> = pool.scope(|scope| {
        let split = scope.submit(|| text.split(' ').collect::<Vec<_>>()).expect("open");
        split.collect().expect("no panic")
    });

    assert_eq!(words, ["one", "two", "three"]);
}

#[test]
fn a_task_whose_handle_is_dropped_is_waited_for() {
    let pool = pool(2);
    for _ in 0..200 {
        let (mut ran, dropped) = (false, AtomicUsize::new(0));

        pool.scope(|scope| {
            drop(scope.submit(|| {
                ran = true;
                Witness(&dropped)
            }));
        });

        assert!(ran);
        assert_eq!(dropped.into_inner(), 1);
    }
}

#[test]
fn a_forgotten_handle_keeps_no_scope_open_and_its_output_is_never_touched() {
    let pool = pool(2);
    for _ in 0..200 {
        let (mut ran, dropped) = (false, AtomicUsize::new(0));

        pool.scope(|scope| {
            let handle = scope.submit(|| {
                ran = true;
                Witness(&dropped)
            });
            core::mem::forget(handle);
        });

        assert!(ran);
        assert_eq!(dropped.into_inner(), 0);
    }
}

#[test]
fn a_handle_in_a_cycle_with_its_own_output_keeps_no_scope_open() {
    /// What the handle of a task leads to is what holds the handle.
    struct Ring<'s, 'd>(
        #[expect(dead_code, reason = "it is there to be dropped")] Place<'s, 'd>,
        #[expect(dead_code, reason = "as above")] Witness<'d>,
    );
    type Place<'s, 'd> = Arc<Mutex<Option<ScopedHandle<'s, Ring<'s, 'd>>>>>;
    let pool = pool(1);
    let dropped = AtomicUsize::new(0);

    pool.scope(|scope| {
        let place = Arc::new(Mutex::new(None));
        let theirs = place.clone();
        let handle = scope.submit(|| Ring(theirs, Witness(&dropped))).expect("open");
        handle.wait();
        *place.lock().expect("no panic") = Some(handle);
    });

    assert_eq!(dropped.into_inner(), 0);
}

#[test]
fn a_handle_may_go_to_another_task_of_its_scope() {
    let pool = pool(2);
    let base = 20;

    let sum = pool.scope(|scope| {
        let first = scope.submit(|| base + 1).expect("open");
        let second = scope.submit(move || first.collect().map(|n| n * 2)).expect("open");
        second.collect().expect("no panic")
    });

    assert_eq!(sum.expect("no panic"), 42);
}

#[test]
fn a_panic_that_is_collected_is_not_the_scopes() {
    let pool = pool(1);

    let message = pool.scope(|scope| {
        let task = scope.submit(|| quiet_panic("expected")).expect("open");
        match task.collect() {
            Err(TaskError::Panicked(panic)) => panic.message().map(String::from),
            other => panic!("{other:?}"),
        }
    });

    assert_eq!(message.as_deref(), Some("expected"));
}

#[test]
fn a_scope_resumes_the_first_panic_that_nobody_collected_after_all_tasks_are_over() {
    let pool = pool(1);
    let mut last_ran = false;

    let text = panic_of(|| {
        pool.scope(|scope| {
            let collected = scope.submit(|| quiet_panic("collected")).expect("open");
            drop(scope.submit(|| quiet_panic("first")).expect("open"));
            core::mem::forget(scope.submit(|| quiet_panic("second")).expect("open"));
            drop(scope.submit(|| last_ran = true).expect("open"));
            assert!(collected.collect().is_err());
        });
    });

    assert_eq!(text, "first");
    assert!(last_ran);
}

#[test]
fn a_body_that_panics_waits_for_its_tasks_and_its_panic_wins() {
    let pool = pool(1);
    let (mut ran, dropped) = (false, AtomicUsize::new(0));

    let text = panic_of(|| {
        pool.scope(|scope| {
            drop(scope.submit(|| quiet_panic("a task's")).expect("open"));
            let _handle = scope.submit(|| {
                ran = true;
                Witness(&dropped)
            });
            quiet_panic("the body's");
        })
    });

    assert_eq!(text, "the body's");
    assert!(ran);
    assert_eq!(dropped.into_inner(), 1);
}

#[test]
fn a_destructor_that_panics_is_a_panic_of_its_task() {
    struct Bomb<'a>(&'a AtomicUsize, &'static str);
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            quiet_panic(self.1);
        }
    }
    let pool = pool(1);
    let dropped = AtomicUsize::new(0);

    let of_output =
        panic_of(|| pool.scope(|scope| drop(scope.submit(|| Bomb(&dropped, "output")))));
    let of_closure = panic_of(|| {
        pool.scope(|scope| {
            let (gate, closed) = mpsc::channel::<()>();
            drop(scope.submit(move || closed.recv().is_err()));
            let bomb = Bomb(&dropped, "closure");
            let task = scope.submit(move || drop(bomb)).expect("open");
            assert!(task.cancel());
            drop(gate);
        })
    });

    assert_eq!((of_output, of_closure), ("output", "closure"));
    assert_eq!(dropped.into_inner(), 2);
    assert_eq!(pool.run(|| 1).expect("the worker is unharmed"), 1);
}

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
    let pool = pool(1);
    let ran = AtomicUsize::new(0);

    pool.scope(|outer| {
        let nested = outer.submit(|| {
            pool.scope(|scope| {
                for _ in 0..20 {
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

    assert_eq!(ran.into_inner(), 20);
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

#[test]
fn tasks_submit_to_their_own_scope() {
    let pool = pool(3);
    let count = AtomicUsize::new(0);

    pool.scope(|scope| {
        fn grow<'s>(scope: &'s asyncpal::Scope<'s, '_>, count: &'s AtomicUsize, depth: u32) {
            count.fetch_add(1, Relaxed);
            if depth > 0 {
                for _ in 0..2 {
                    drop(scope.submit(move || grow(scope, count, depth - 1)).expect("open"));
                }
            }
        }
        grow(scope, &count, 9);
    });

    assert_eq!(count.into_inner(), 1023);
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

#[test]
fn a_handle_can_be_polled_in_a_scope() {
    let pool = pool(1);
    let text = String::from("lent");

    pool.scope(|scope| {
        let (gate, closed) = mpsc::channel::<()>();
        let text = &*text;
        let task = scope.submit(move || {
            let _ = closed.recv();
            text
        });
        let mut task = pin!(task.expect("open"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(task.as_mut().poll(&mut context).is_pending());
        drop(gate);
        task.wait();
        let Poll::Ready(result) = task.as_mut().poll(&mut context) else { panic!("it is over") };
        assert_eq!(result.expect("no panic"), "lent");
    });
}

#[test]
fn an_empty_scope_returns_what_its_body_does() {
    assert_eq!(pool(1).scope(|_| 7), 7);
}

#[test]
fn whatever_happens_to_them_all_closures_and_outputs_are_gone_in_time() {
    // Each seed is one mix; a failing one says its number.
    for seed in 0..300_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        let pool = pool(1 + random(3) as usize);
        let shut_down = random(4) == 0;
        let nested = random(2) == 0;
        let (made, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut choices: Vec<u64> = (0..random(40)).map(|_| random(10)).collect();
        let body_panics = random(8) == 0;
        choices.push(0);

        let leaked = AtomicUsize::new(0);
        let mix = || {
            pool.scope(|scope| {
                let mut kept = Vec::new();
                for &choice in &choices {
                    let witness = || {
                        made.fetch_add(1, Relaxed);
                        Witness(&dropped)
                    };
                    let captured = witness();
                    let call = move || {
                        drop(captured);
                        match choice {
                            0 => quiet_panic("a task's"),
                            1 => drop(scope.submit(witness)),
                            _ => {}
                        }
                        witness()
                    };
                    let Ok(handle) = scope.submit(call) else { continue };
                    match choice {
                        2 => drop(handle),
                        3 => {
                            handle.cancel();
                        }
                        4 => drop(handle.collect()),
                        5 => {
                            // Its output is lost if it was made.
                            leaked.fetch_add(1, Relaxed);
                            core::mem::forget(handle);
                        }
                        6 => drop(scope.submit(move || handle.collect().is_ok())),
                        _ => kept.push(handle),
                    }
                }
                if shut_down {
                    thread::scope(|threads| {
                        threads.spawn(|| drop(kept));
                        pool.shutdown();
                    });
                } else if body_panics {
                    quiet_panic("the body's");
                }
            })
        };
        let result = if nested {
            // Caught inside, so that the outer scope has nothing to say.
            pool.scope(|outer| {
                let task = outer.submit(|| catch_unwind(AssertUnwindSafe(mix)));
                task.expect("open").collect().expect("it is caught")
            })
        } else {
            catch_unwind(AssertUnwindSafe(mix))
        };

        let (made, dropped) = (made.into_inner(), dropped.into_inner());
        assert!(dropped <= made && made - dropped <= leaked.into_inner(), "{seed}");
        assert!(result.is_err() || shut_down || nested, "{seed}: the last task panics");
    }
}
