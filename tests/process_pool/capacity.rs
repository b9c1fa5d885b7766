//! A capacity, and a worker's own thread: it runs callbacks and hooks, but no tasks.

use std::sync::{Arc, Mutex, mpsc};

use asyncpal::{EventKind, Handle, ProcessPool};

use crate::endings::on_a_borrowed_seat;
use crate::nap;

crate::trials! {
    a_callback_on_a_worker_may_submit_to_the_full_pool
    a_hook_on_a_worker_may_submit_to_the_full_pool
    a_hook_on_a_borrowed_seat_may_submit_to_the_full_pool
}

/// Submits one more to a full pool on its only worker's thread: with `by_hook` from the hook at the end of the task that
/// runs, else from a callback of it.
fn submit_when_full(by_hook: bool) {
    let (tell, told) = mpsc::channel::<Handle<u64>>();
    let (started, wait) = mpsc::channel();
    let (gate, closed) = mpsc::channel::<()>();
    let closed = Mutex::new(closed);
    let pool = Arc::new_cyclic(|pool: &std::sync::Weak<ProcessPool>| {
        let (pool, tell) = (pool.clone(), tell.clone());
        let hook = move |event: &asyncpal::Event<'_>| match event.kind {
            EventKind::TaskStarted { task, .. } if task.id == 1 => {
                started.send(()).expect("waited for");
                closed.lock().expect("no panic").recv().expect_err("it goes");
            }
            EventKind::TaskEnded { task, .. } if task.id == 1 && by_hook => {
                let pool = pool.upgrade().expect("it is used");
                tell.send(pool.submit_with(nap, (3,)).expect("open")).expect("waited for");
            }
            _ => {}
        };
        let builder = ProcessPool::builder().max_workers(1).capacity(1);
        builder.on_event(hook).build().expect("`init` has run")
    });
    let first = pool.submit_with(nap, (1,)).expect("there is room");
    wait.recv().expect("it starts");
    let theirs = pool.clone();
    if !by_hook {
        first.add_callback(move |_| {
            tell.send(theirs.submit_with(nap, (3,)).expect("open")).expect("waited for");
        });
    }
    let second = pool.submit_with(nap, (2,)).expect("there is room");
    assert!(pool.try_submit(crate::own_pid).is_err(), "it is full");

    drop(gate);

    let third = told.recv().expect("it is submitted");
    let ended = [first, second, third].map(|task| task.collect().expect("no panic"));
    assert_eq!(ended, [1, 2, 3]);
}

/// Only its own thread can make room.
fn a_callback_on_a_worker_may_submit_to_the_full_pool() {
    submit_when_full(false);
}

/// As above.
fn a_hook_on_a_worker_may_submit_to_the_full_pool() {
    submit_when_full(true);
}

/// The only worker has lent its seat, and makes no room before it has it back.
fn a_hook_on_a_borrowed_seat_may_submit_to_the_full_pool() {
    let (tell, told) = mpsc::channel();
    let builder = ProcessPool::builder().capacity(1);
    let _pool = on_a_borrowed_seat(builder, move |pool| {
        let handles = [1, 2].map(|ms| pool.submit_with(nap, (ms,)).expect("open"));
        tell.send(handles).expect("waited for");
    });

    let handles = told.recv().expect("it was borrowed");

    assert_eq!(handles.map(|task| task.collect().expect("no panic")), [1, 2]);
}
