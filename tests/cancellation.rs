//! Cancellation: what pending and running tasks see of it, and handles that take their task along.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, mpsc};

use asyncpal::{Handle, PoolError, Status, TaskError, ThreadPool, WhenFull, is_cancel_requested};

fn pool_of(workers: usize) -> ThreadPool {
    ThreadPool::builder().max_workers(workers).build().expect("valid")
}

/// Submits a task that runs until it is asked to stop, and says then what it saw; it has started.
fn patient(pool: &ThreadPool) -> Handle<&'static str> {
    let (started, has_started) = mpsc::channel();
    let handle = pool.submit(move || {
        assert!(!is_cancel_requested(), "not yet");
        started.send(()).expect("waited for");
        while !is_cancel_requested() {
            core::hint::spin_loop();
        }
        "stopped"
    });
    has_started.recv().expect("it starts");
    handle.expect("open")
}

#[test]
fn a_running_task_sees_that_it_was_asked_to_stop() {
    let pool = pool_of(1);
    let handle = patient(&pool);

    assert!(!handle.cancel(), "it runs");

    assert_eq!(handle.collect().expect("it ended as it likes"), "stopped");
}

#[test]
fn a_request_is_seen_by_no_other_task() {
    let pool = pool_of(2);
    let [asked, other] = [patient(&pool), patient(&pool)];

    assert!(!asked.cancel());
    assert_eq!(asked.collect().expect("no panic"), "stopped");

    assert!(!pool.run(is_cancel_requested).expect("no panic"), "the next one on that thread");
    assert!(other.is_running() && !other.is_cancel_requested());
    assert!(!other.cancel());
    other.wait();
}

#[test]
fn outside_a_task_nothing_is_asked() {
    assert!(!is_cancel_requested());
    let pool = pool_of(1);
    let handle = patient(&pool);
    let (tell, told) = mpsc::channel();
    handle.add_callback(move |_| tell.send(is_cancel_requested()).expect("waited for"));

    assert!(!handle.cancel());

    assert!(!told.recv().expect("called"), "a callback is no part of the task");
    assert!(!is_cancel_requested());
}

#[test]
fn a_task_that_waits_for_another_sees_its_own_request_again_afterwards() {
    let pool = Arc::new(pool_of(1));
    let (started, has_started) = mpsc::channel();
    let (open, opened) = mpsc::channel::<()>();
    let inside = pool.clone();
    let handle = pool.submit(move || {
        let inner = inside.submit(is_cancel_requested).expect("open");
        started.send(()).expect("waited for");
        let _ = opened.recv();
        let before = is_cancel_requested();
        // The only worker runs it here and now.
        let within = inner.collect().expect("no panic");
        [before, within, is_cancel_requested()]
    });
    has_started.recv().expect("it starts");
    let handle = handle.expect("open");

    assert!(!handle.cancel());
    drop(open);

    assert_eq!(handle.collect().expect("no panic"), [true, false, true]);
}

#[test]
fn a_panic_leaves_no_request_behind() {
    let pool = pool_of(1);
    let (started, has_started) = mpsc::channel();
    let handle = pool.submit(move || {
        started.send(()).expect("waited for");
        while !is_cancel_requested() {
            core::hint::spin_loop();
        }
        panic!("asked to stop");
    });
    has_started.recv().expect("it starts");
    let handle: Handle<()> = handle.expect("open");

    assert!(!handle.cancel());

    assert!(matches!(handle.collect(), Err(TaskError::Panicked(_))));
    assert!(!pool.run(is_cancel_requested).expect("no panic"));
}

#[test]
fn what_came_before_the_cancel_is_seen_by_who_heeds_it() {
    let pool = pool_of(1);
    for round in 0..200 {
        let reason = Arc::new(AtomicUsize::new(usize::MAX));
        let (started, has_started) = mpsc::channel();
        let theirs = reason.clone();
        let handle = pool.submit(move || {
            started.send(()).expect("waited for");
            while !is_cancel_requested() {
                core::hint::spin_loop();
            }
            theirs.load(Ordering::Relaxed)
        });
        has_started.recv().expect("it starts");
        let handle = handle.expect("open");

        reason.store(round, Ordering::Relaxed);
        assert!(!handle.cancel());

        assert_eq!(handle.collect().expect("no panic"), round);
    }
}

#[test]
fn a_dropped_map_asks_the_chunks_that_run_to_stop() {
    let pool = pool_of(1);
    let (tell, told) = mpsc::channel();
    let mut map = pool
        .map(
            move |n: u32| {
                if n == 1 {
                    tell.send("started").expect("waited for");
                    while !is_cancel_requested() {
                        core::hint::spin_loop();
                    }
                    tell.send("stopped").expect("waited for");
                }
                n
            },
            0..2,
        )
        .buffer_size(2);
    assert_eq!(map.next().expect("two items").expect("no panic"), 0);
    assert_eq!(told.recv(), Ok("started"));

    drop(map);

    assert_eq!(told.recv(), Ok("stopped"));
}

#[test]
fn a_dropped_cancel_on_drop_cancels_a_pending_task() {
    let pool = pool_of(1);
    let running = patient(&pool);
    let token = Arc::new(());
    let captured = token.clone();
    let handle = pool.submit(move || drop(captured)).expect("open").cancel_on_drop();
    assert!(handle.is_pending(), "it has the methods of the handle");

    drop(handle);

    assert_eq!(Arc::strong_count(&token), 1, "its closure is gone");
    assert_eq!(pool.count_pending_tasks(), 0);
    assert!(!running.is_cancel_requested(), "another task's");
    drop(running.cancel_on_drop());
}

#[test]
fn a_dropped_cancel_on_drop_asks_a_running_task_to_stop() {
    let pool = pool_of(1);
    let handle = patient(&pool).cancel_on_drop();
    let (tell, told) = mpsc::channel();
    handle.add_callback(move |status| tell.send(status).expect("waited for"));

    drop(handle);

    assert_eq!(told.recv(), Ok(Status::Completed));
}

#[test]
fn a_cancel_on_drop_that_was_collected_cancels_nothing() {
    let pool = pool_of(1);
    let mut handle = pool.submit(|| 3).expect("open").cancel_on_drop();
    assert_eq!(handle.collect_timeout(Duration::MAX).expect("no panic"), 3);
    drop(handle);

    let handle = pool.submit(|| 4).expect("open").cancel_on_drop();
    assert_eq!(handle.collect().expect("no panic"), 4);
}

#[test]
fn a_detached_task_runs() {
    let pool = pool_of(1);
    let running = patient(&pool);
    let (tell, told) = mpsc::channel();
    let say = |word: &'static str| {
        let tell = tell.clone();
        move || tell.send(word).expect("waited for")
    };

    pool.submit(say("detached")).expect("open").cancel_on_drop().detach();
    let inner = pool.submit(say("inner")).expect("open").cancel_on_drop().into_inner();
    drop(inner);
    assert!(!running.cancel());

    assert_eq!([told.recv(), told.recv()], [Ok("detached"), Ok("inner")]);
}

#[test]
fn a_task_that_its_pool_cancels_says_why() {
    let causes = |handles: [Handle<()>; 2]| {
        handles.map(|handle| {
            let error = handle.collect().expect_err("it never ran");
            assert!(error.is_cancelled(), "{error:?}");
            error.downcast_ref::<PoolError>().cloned()
        })
    };
    let two = |pool: &ThreadPool| [(); 2].map(|()| pool.submit(|| ()).expect("open"));

    let closed = pool_of(1);
    let running = patient(&closed);
    let handles = two(&closed);
    let report = closed.shutdown_timeout(Duration::from_secs(60));
    assert_eq!((report.cancelled, running.is_completed()), (2, true));
    assert!(matches!(causes(handles), [Some(PoolError::Closed), Some(PoolError::Closed)]));

    let (fail, failed) = mpsc::channel::<()>();
    let failed = Mutex::new(failed);
    let initializer = move || {
        let _ = failed.lock().expect("no panic").recv();
        Err::<(), _>("no flour")
    };
    let broken = ThreadPool::single().initializer(initializer).build().expect("valid");
    let handles = two(&broken);
    drop(fail);
    let [first, second] = causes(handles).map(|cause| cause.expect("nobody else cancels"));
    assert!(matches!(&first, PoolError::Broken(_)), "{first:?}");
    assert_eq!((first.to_string(), second.to_string()), {
        let text = broken.check().expect_err("broken").to_string();
        (text.clone(), text)
    });

    for policy in [WhenFull::DropOldest, WhenFull::DropNewest] {
        let full = ThreadPool::single().capacity(2).when_full(policy).build().expect("valid");
        let running = patient(&full);
        let (kept, dropped) = match (policy, two(&full), two(&full)) {
            (WhenFull::DropOldest, old, new) => (new, old),
            (_, old, new) => (old, new),
        };
        running.cancel();
        assert!(kept.into_iter().all(|handle| handle.collect().is_ok()), "{policy:?}");
        let causes = causes(dropped);
        assert!(matches!(causes, [Some(PoolError::Full), Some(PoolError::Full)]), "{causes:?}");
    }
}

#[test]
fn a_task_that_somebody_cancels_has_no_other_cause() {
    let pool = pool_of(1);
    let running = patient(&pool);
    let handle = pool.submit(|| ()).expect("open");

    assert!(handle.cancel());
    pool.shutdown_timeout(Duration::from_secs(60));

    let error = handle.collect().expect_err("cancelled");
    assert!(matches!(&error, TaskError::Cancelled(cancelled) if cancelled.cause().is_none()));
    assert_eq!(error.to_string(), "the task was cancelled before it started");
    running.wait();
}

#[test]
fn a_nested_task_gives_its_own_work_up() {
    let pool = Arc::new(pool_of(2));
    let (tell, told) = mpsc::channel();
    let inside = pool.clone();
    let outer = pool.submit(move || {
        let inner = patient(&inside).cancel_on_drop();
        inner.add_callback(move |status| tell.send(status).expect("waited for"));
        while !is_cancel_requested() {
            core::hint::spin_loop();
        }
    });
    let outer = outer.expect("open").cancel_on_drop();
    while outer.is_pending() {
        std::thread::yield_now();
    }

    drop(outer);

    assert_eq!(told.recv(), Ok(Status::Completed), "asked to stop with the task that wanted it");
}
