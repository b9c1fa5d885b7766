//! The executor in a `static`: what has room is taken, runs once, and gives its room back.
#![cfg(not(asyncpal_loom))]

mod counting;
mod desks;

use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;
use std::thread;

use asyncpal_core::error::Outcome;
use asyncpal_core::executor::Rejection;
use asyncpal_core::lifecycle::Phase;
use asyncpal_core::park::{Park, waker};
use asyncpal_core::task::Status;
use counting::{allocations, watch_this_thread};
use desks::{Absent, Bed, Desk, Desks, Pool, hire};

/// The calling thread's own parker.
fn bed() -> &'static Bed {
    Box::leak(Box::default())
}

/// A task that runs until it is told to end, and the means to tell it.
fn gate() -> (impl FnOnce() + Send + 'static, impl FnOnce()) {
    let bed = bed();
    (
        move || {
            let _ = bed.park(None);
        },
        || bed.unpark(),
    )
}

/// Waits until `condition` holds; fails if it does not within a minute.
fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if condition() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("it never came true");
}

#[test]
fn results_come_back_to_their_handles() {
    static POOL: Pool<8, 16, 2> = Pool::new(Desks::new());
    hire(&POOL);
    let bed = bed();

    let handles: [_; 8] = core::array::from_fn(|n| POOL.submit(move || n * n).unwrap());

    for (n, handle) in handles.into_iter().enumerate() {
        assert!(matches!(handle.join(bed), Outcome::Completed(square) if square == n * n));
    }
}

#[test]
fn a_closure_without_room_comes_back_and_is_taken_later() {
    static POOL: Pool<2, 64, 1> = Pool::new(Desks::new());
    hire(&POOL);
    let (first, open) = gate();
    let running = POOL.submit(first).unwrap();
    let pending = POOL.submit(|| 2).unwrap();

    let word = String::from("kept");
    let rejected = POOL.submit(move || word).unwrap_err();

    assert!(matches!(rejected.reason, Rejection::Full));
    open();
    assert!(matches!(running.join_spinning(), Outcome::Completed(())));
    assert!(matches!(pending.join_spinning(), Outcome::Completed(2)));
    let taken = POOL.submit(rejected.job).unwrap();
    assert!(matches!(taken.join(bed()), Outcome::Completed(word) if word == "kept"));
}

#[test]
fn a_cancelled_task_drops_its_closure_at_once_and_its_room_is_used_again() {
    static POOL: Pool<2, 64, 1> = Pool::new(Desks::new());
    hire(&POOL);
    let (first, open) = gate();
    let running = POOL.submit(first).unwrap();
    let token = Arc::new(());

    for _ in 0..100 {
        let theirs = Arc::clone(&token);
        let handle = POOL.submit(move || drop(theirs)).unwrap();
        while running.status() == Status::Pending {
            core::hint::spin_loop();
        }
        assert!(handle.cancel());
        assert_eq!(Arc::strong_count(&token), 1);
        assert_eq!(handle.status(), Status::Cancelled);
    }

    open();
    assert!(matches!(running.join(bed()), Outcome::Completed(())));
}

#[test]
fn an_outcome_that_nobody_wants_is_dropped_and_its_room_is_used_again() {
    static POOL: Pool<1, 64, 1> = Pool::new(Desks::new());
    hire(&POOL);
    let token = Arc::new(());

    for _ in 0..100 {
        let result = Arc::clone(&token);
        let mut call = move || result;
        while let Err(rejected) = POOL.submit(call) {
            call = rejected.job;
        }
    }

    eventually(|| Arc::strong_count(&token) == 1);
}

#[test]
fn a_worker_that_waits_for_a_pending_task_runs_it() {
    static POOL: Pool<4, 64, 1> = Pool::new(Desks::new());
    hire(&POOL);

    let outer = POOL.submit_with_seat(|desk: &mut Desk| {
        let inner = POOL.submit_with_seat(|desk: &mut Desk| {
            let innermost = POOL.submit(|| 1).unwrap();
            let bed = POOL.kind().bed(desk);
            let Outcome::Completed(one) = POOL.join_nested(desk, bed, innermost) else { panic!() };
            one + 1
        });
        let bed = POOL.kind().bed(desk);
        let Outcome::Completed(two) = POOL.join_nested(desk, bed, inner.unwrap()) else { panic!() };
        two + 1
    });

    assert!(matches!(outer.unwrap().join(bed()), Outcome::Completed(3)));
}

#[test]
fn one_caller_after_the_other_needs_one_worker() {
    static POOL: Pool<8, 16, 4> = Pool::new(Desks::new());
    hire(&POOL);
    let bed = bed();

    for n in 0..1000 {
        assert!(
            matches!(POOL.submit(move || n).unwrap().join(bed), Outcome::Completed(m) if m == n)
        );
    }

    assert!(POOL.counts().workers <= 2, "{:?}", POOL.counts());
}

#[test]
fn idle_workers_leave_and_others_are_called_for() {
    static POOL: Pool<8, 16, 3> = Pool::new(Desks::new());
    hire(&POOL);
    POOL.kind().set_keep_alive(Duration::from_millis(5));
    let fan_out = || {
        let gates: [_; 3] = core::array::from_fn(|_| gate());
        let open = gates.map(|(task, open)| {
            let handle = POOL.submit(task).unwrap();
            move || {
                open();
                handle.join_spinning()
            }
        });
        eventually(|| POOL.counts().workers == 3 && POOL.counts().pending == 0);
        for open in open {
            assert!(matches!(open(), Outcome::Completed(())));
        }
    };

    fan_out();
    eventually(|| POOL.counts().workers == 0);
    fan_out();
    eventually(|| POOL.counts().workers == 0);

    assert_eq!(POOL.kind().called(), 6);
}

#[test]
fn a_closed_executor_cancels_what_is_pending_and_takes_nothing_more() {
    static POOL: Pool<4, 16, 1> = Pool::new(Desks::new());
    hire(&POOL);
    let (first, open) = gate();
    let running = POOL.submit(first).unwrap();
    while running.status() == Status::Pending {
        core::hint::spin_loop();
    }
    let pending = POOL.submit(|| ()).unwrap();

    assert!(POOL.close());

    assert!(matches!(pending.join(bed()), Outcome::Cancelled(None)));
    assert!(matches!(POOL.submit(|| ()).unwrap_err().reason, Rejection::Closed));
    assert_eq!(POOL.phase(), Phase::Draining);
    open();
    assert!(matches!(running.join(bed()), Outcome::Completed(())));
    eventually(|| POOL.counts().workers == 0);
}

#[test]
fn a_closure_comes_back_if_nobody_can_be_called_for() {
    static POOL: Pool<4, 64, 2> = Pool::new(Desks::new());
    POOL.kind().set_absent();

    for _ in 0..10 {
        let word = String::from("kept");
        let rejected = POOL.submit(move || word).unwrap_err();

        assert!(matches!(rejected.reason, Rejection::Spawn(Absent)));
        assert_eq!((rejected.job)(), "kept");
    }
}

#[test]
fn a_handle_can_be_awaited() {
    static POOL: Pool<4, 16, 1> = Pool::new(Desks::new());
    hire(&POOL);
    let bed = bed();
    let waker = waker(bed);
    let mut context = Context::from_waker(&waker);
    let mut sum = pin!(async {
        let mut sum = 0;
        for n in 0..100 {
            if let Outcome::Completed(n) = POOL.submit(move || n).unwrap().await {
                sum += n;
            }
        }
        sum
    });

    let sum = loop {
        match sum.as_mut().poll(&mut context) {
            Poll::Ready(sum) => break sum,
            Poll::Pending => {
                let _ = bed.park(None);
            }
        }
    };

    assert_eq!(sum, 4950);
}

#[test]
fn many_submitters_and_workers_lose_nothing() {
    static POOL: Pool<16, 16, 4> = Pool::new(Desks::new());
    static SUM: AtomicUsize = AtomicUsize::new(0);
    hire(&POOL);
    POOL.kind().set_keep_alive(Duration::from_micros(50));
    let submitters: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                let bed = bed();
                for n in 0..5_000 {
                    let mut call = move || {
                        SUM.fetch_add(n, Ordering::Relaxed);
                    };
                    let handle = loop {
                        match POOL.submit(call) {
                            Ok(handle) => break handle,
                            Err(rejected) => call = rejected.job,
                        }
                        thread::yield_now();
                    };
                    if n % 3 > 0 {
                        assert!(matches!(handle.join(bed), Outcome::Completed(())));
                    }
                }
            })
        })
        .collect();

    for submitter in submitters {
        submitter.join().unwrap();
    }

    eventually(|| POOL.counts().workers == 0);
    assert_eq!(SUM.load(Ordering::Relaxed), 4 * (0..5_000).sum::<usize>());
    assert_eq!(POOL.counts().pending, 0);
}

#[test]
fn a_million_nested_waits_on_one_worker_allocate_nothing_and_always_find_room() {
    const ROUNDS: u64 = 1_000_000;
    static POOL: Pool<4, 16, 1> = Pool::new(Desks::new());
    static BED: Bed = Bed::new();
    hire(&POOL);
    assert!(matches!(POOL.submit(watch_this_thread).unwrap().join(&BED), Outcome::Completed(())));
    watch_this_thread();
    let canary = allocations();
    drop(Box::new(1));
    assert_eq!(allocations(), canary + 1, "allocations are not counted");

    let outer = POOL.submit_with_seat(|desk: &mut Desk| {
        let bed = POOL.kind().bed(desk);
        (0..ROUNDS)
            .map(|n| {
                let inner = POOL.submit(move || n).expect("stubs make room");
                match POOL.join_nested(desk, bed, inner) {
                    Outcome::Completed(n) => n,
                    other => panic!("{other:?}"),
                }
            })
            .sum::<u64>()
    });
    let sum = outer.expect("there is room").join(&BED);

    assert_eq!(allocations(), canary + 1);
    assert!(matches!(sum, Outcome::Completed(sum) if sum == ROUNDS * (ROUNDS - 1) / 2));
}

#[test]
fn a_worker_offers_the_processor_after_a_task_that_woke_it_from_a_long_sleep() {
    static POOL: Pool<2, 16, 1> = Pool::new(Desks::new().spinning());
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    hire(&POOL);
    let run_while_it_sleeps = || {
        let before = RUNS.load(Ordering::SeqCst);
        drop(POOL.submit(|| RUNS.fetch_add(1, Ordering::SeqCst)).unwrap());
        eventually(|| RUNS.load(Ordering::SeqCst) > before && POOL.counts().idle == 1);
    };

    run_while_it_sleeps();
    assert_eq!(POOL.kind().offers(), 0, "it was not asleep");

    // Offers are held back when one takes long.
    for tasks in 1..=5 {
        thread::sleep(Duration::from_millis(5));
        run_while_it_sleeps();
        assert!(POOL.kind().offers() <= tasks);
    }
    assert!(POOL.kind().offers() >= 1);
}
