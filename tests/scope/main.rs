//! Scopes: tasks that borrow, and handles that go astray.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::task::{Context, Poll, Waker};
use std::panic::{catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use asyncpal::ScopedHandle;
use tasks::pool;

mod endings;
mod nested;
mod panics;
#[path = "../common/tasks.rs"]
mod tasks;

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
