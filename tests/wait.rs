//! Waiting for several tasks: wait, collect, as_done, deadlines.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use asyncpal::{
    AsDone, Deadline, Handle, TaskError, ThreadPool, as_done, as_done_in_order, collect, wait,
};
use tasks::{LONG, SHORT, gated, pool};

#[path = "common/tasks.rs"]
mod tasks;

fn value(handle: Option<Handle<u32>>) -> u32 {
    handle.expect("one is left").collect().expect("no panic")
}

#[test]
fn wait_sees_all_tasks_done() {
    let pool = ThreadPool::new();
    for timeout in [None, Some(LONG)] {
        let handles: Vec<_> = (0..20).map(|n| pool.submit(move || n).expect("open")).collect();

        assert!(wait(&handles, timeout));

        assert!(handles.iter().all(|handle| handle.is_done()));
    }
}

#[test]
fn wait_ends_at_its_timeout_and_the_handles_stay_usable() {
    let pool = pool(1);
    let (quick, quick_gate) = gated(&pool, 1);
    let (slow, slow_gate) = gated(&pool, 2);
    let handles = [quick, slow];
    drop(quick_gate);

    assert!(!wait(&handles, SHORT));
    assert!(!wait(&handles, Duration::ZERO));

    drop(slow_gate);
    assert!(wait(&handles, LONG));
    assert_eq!(collect(handles, None).expect("no panic"), [1, 2]);
}

#[test]
fn collect_keeps_the_order_of_the_handles() {
    let pool = pool(2);
    for timeout in [None, Some(LONG)] {
        let (first, gate) = gated(&pool, 0);
        let mut handles = vec![first];
        handles.extend((1..20).map(|n| pool.submit(move || n).expect("open")));
        handles.last().expect("twenty").wait();
        drop(gate);

        let results = collect(handles, timeout).expect("no panic");

        assert!(results.into_iter().eq(0..20));
    }
}

#[test]
fn collect_returns_the_first_error() {
    let pool = ThreadPool::new();
    let handles = [2_u32, 0, 1].map(|n| pool.submit(move || 10 / n).expect("open"));

    let error = collect(handles, None).expect_err("a division by zero");

    assert!(matches!(error, TaskError::Panicked(_)), "{error:?}");
}

#[test]
fn collect_ends_at_its_timeout() {
    let pool = pool(1);
    let (handle, gate) = gated(&pool, 1);

    let error = collect([handle], SHORT).expect_err("it waits for its gate");

    assert!(error.is_timeout());
    drop(gate);
}

#[test]
fn as_done_returns_handles_as_they_are_done() {
    let pool = pool(3);
    let (handles, gates): (Vec<_>, Vec<_>) = (0..3).map(|n| gated(&pool, n)).unzip();
    let [gate_0, gate_1, gate_2] = gates.try_into().expect("three");

    let mut done = as_done(handles);

    drop(gate_2);
    assert_eq!(value(done.next()), 2);
    drop(gate_0);
    assert_eq!(value(done.next()), 0);
    drop(gate_1);
    assert_eq!(value(done.next()), 1);
    assert!(done.next().is_none());
}

#[test]
fn as_done_in_order_returns_handles_in_their_order() {
    let pool = pool(3);
    let (handles, gates): (Vec<_>, Vec<_>) = (0..3).map(|n| gated(&pool, n)).unzip();
    let [gate_0, gate_1, gate_2] = gates.try_into().expect("three");
    for (gate, handle) in [(gate_2, &handles[2]), (gate_1, &handles[1])] {
        drop(gate);
        handle.wait();
    }

    let mut done = as_done_in_order(handles).timeout(LONG);

    assert_eq!(done.size_hint(), (0, Some(3)));
    drop(gate_0);
    assert_eq!([value(done.next()), value(done.next()), value(done.next())], [0, 1, 2]);
    assert!(done.next().is_none());
}

#[test]
fn as_done_returns_each_handle_once() {
    let pool = ThreadPool::new();
    let handles = (0..500_u64).map(|n| pool.submit(move || n).expect("open"));

    let sum: u64 =
        as_done(handles).timeout(LONG).map(|handle| handle.collect().expect("no panic")).sum();

    assert_eq!(sum, 499 * 250);
}

#[test]
fn as_done_gives_back_what_was_not_done_in_time() {
    type Form = fn(Vec<Handle<u32>>) -> AsDone<u32>;
    let forms: [Form; 2] = [as_done, as_done_in_order];
    for form in forms {
        let pool = pool(1);
        let (quick, quick_gate) = gated(&pool, 1);
        let (stuck, stuck_gate) = gated(&pool, 2);
        let pending = pool.submit(|| 3).expect("open");
        drop(quick_gate);
        quick.wait();

        let mut done = form(vec![quick, stuck, pending]).timeout(Duration::from_millis(30));

        assert_eq!(value(done.next()), 1);
        assert!(done.next().is_none());
        let rest: Vec<_> = done.into_rest().collect();
        drop(stuck_gate);
        assert_eq!(collect(rest, None).expect("no panic"), [2, 3]);
    }
}

#[test]
fn a_worker_that_waits_for_several_tasks_of_its_pool_runs_them_oldest_first() {
    type Wait = fn(Vec<Handle<u32>>) -> Vec<u32>;
    let waits: [Wait; 4] = [
        |handles| collect(handles, None).expect("no panic"),
        |handles| {
            assert!(wait(&handles, None));
            collect(handles, None).expect("no panic")
        },
        |handles| as_done(handles).map(|handle| value(Some(handle))).collect(),
        |handles| as_done_in_order(handles).map(|handle| value(Some(handle))).collect(),
    ];
    for wait_for in waits {
        let pool = Arc::new(pool(1));
        let inner = pool.clone();

        let outcome = pool.run(move || {
            let started = Arc::new(Mutex::new(Vec::new()));
            let tasks = (0..10).map(|n| {
                let started = started.clone();
                inner.submit(move || {
                    started.lock().expect("no panic").push(n);
                    n
                })
            });
            let results = wait_for(tasks.map(|task| task.expect("open")).collect());
            (results, started.lock().expect("no panic").clone())
        });

        let (results, started) = outcome.expect("no panic");
        assert!(results.into_iter().eq(0..10));
        assert!(started.into_iter().eq(0..10));
    }
}

#[test]
fn no_timeout_leaves_a_deadline_without_end() {
    let deadline = Deadline::after(None);

    assert_eq!(deadline.left(), None);
    assert!(!deadline.is_past());
    assert_eq!(Deadline::after(Duration::MAX).left(), None, "no clock will show it");
}

#[test]
fn a_timeout_of_zero_is_a_deadline_that_is_past() {
    let deadline = Deadline::after(Duration::ZERO);

    assert_eq!(deadline.left(), Some(Duration::ZERO));
    assert!(deadline.is_past());
}

#[test]
fn what_is_left_until_a_deadline_shrinks_to_zero() {
    let far = Deadline::after(LONG);
    let at_first = far.left().expect("it has an end");
    let near = Deadline::after(SHORT);
    assert!(at_first > Duration::ZERO && at_first <= LONG);
    assert!(!far.is_past());

    while !near.is_past() {}

    assert_eq!(near.left(), Some(Duration::ZERO));
    assert!(far.left().expect("it has an end") <= at_first - SHORT);
}
