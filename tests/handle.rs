//! Handles: results, errors, waiting, cancelling, callbacks, `.await`.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Wake;

use asyncpal::{Handle, Status, TaskError, ThreadPool};

/// A pool of one worker that is busy until the gate is dropped.
fn busy_pool() -> (ThreadPool, mpsc::Sender<()>) {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let (started, wait) = mpsc::channel();
    drop(pool.submit(move || {
        started.send(()).expect("waited for");
        let _ = closed.recv();
    }));
    wait.recv().expect("started");
    (pool, gate)
}

#[test]
fn a_panic_is_the_tasks_error_and_the_worker_goes_on() {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");

    let error = pool.run(|| panic!("no {}", "bread")).expect_err("it panicked");

    assert_eq!(error.to_string(), "the task panicked: no bread");
    let TaskError::Panicked(panic) = error else { panic!("{error:?}") };
    assert_eq!(panic.message(), Some("no bread"));
    assert_eq!(pool.run(|| 1).expect("no panic"), 1);
    assert_eq!(pool.count_workers(), 1);
}

#[test]
fn the_error_of_a_fallible_task_is_its_failure() {
    let pool = ThreadPool::new();

    let good = pool.submit_fallible(|| "12".parse::<u8>()).expect("open");
    let bad = pool.submit_fallible(|| "300".parse::<u8>()).expect("open");

    assert_eq!(good.collect().expect("in range"), 12);
    let error = bad.collect().expect_err("out of range");
    assert!(error.downcast_ref::<core::num::ParseIntError>().is_some(), "{error:?}");
}

#[test]
fn a_cancelled_task_resolves_at_once_and_its_closure_is_dropped() {
    let (pool, gate) = busy_pool();
    let token = Arc::new(());
    let captured = token.clone();
    let handle = pool.submit(move || drop(captured)).expect("open");
    assert_eq!((handle.status(), pool.count_pending_tasks()), (Status::Pending, 1));

    assert!(handle.cancel());

    assert_eq!(Arc::strong_count(&token), 1);
    assert_eq!((handle.status(), pool.count_pending_tasks()), (Status::Cancelled, 0));
    assert!(!handle.cancel(), "only once");
    assert!(handle.collect().expect_err("cancelled").is_cancelled());
    drop(gate);
}

#[test]
fn a_running_task_is_not_cancelled() {
    let pool = ThreadPool::new();
    let (gate, closed) = mpsc::channel::<()>();
    let (started, wait) = mpsc::channel();
    let handle = pool
        .submit(move || {
            started.send(()).expect("waited for");
            let _ = closed.recv();
            3
        })
        .expect("open");
    wait.recv().expect("started");

    assert!(!handle.cancel());
    assert!(handle.is_running());

    drop(gate);
    assert_eq!(handle.collect().expect("no panic"), 3);
}

#[test]
fn a_timeout_leaves_the_handle_usable() {
    let (pool, gate) = busy_pool();
    let mut handle = pool.submit(|| 9).expect("open");

    assert!(!handle.wait_timeout(Duration::from_millis(5)));
    assert!(matches!(handle.collect_timeout(Duration::ZERO), Err(TaskError::TimedOut)));
    assert!(matches!(handle.try_collect(), Err(TaskError::TimedOut)));
    drop(gate);

    assert_eq!(handle.collect_timeout(Duration::MAX).expect("no panic"), 9);
    let again = handle.collect_timeout(Duration::MAX);
    assert!(matches!(again, Err(TaskError::AlreadyCollected)));
}

#[test]
fn durations_tell_waiting_from_running() {
    let (pool, gate) = busy_pool();
    let handle = pool.submit(|| std::thread::sleep(Duration::from_millis(20))).expect("open");
    assert_eq!(handle.durations(), None);
    std::thread::sleep(Duration::from_millis(30));
    drop(gate);
    handle.wait();

    let durations = handle.durations().expect("done");

    assert!(durations.pending >= Duration::from_millis(30), "{durations:?}");
    assert!(durations.running >= Duration::from_millis(20), "{durations:?}");
}

/// A worker takes the end of one task for the start of the next, if there is nothing between them.
#[test]
fn callbacks_of_the_task_before_are_no_part_of_a_running_time() {
    for early in [true, false] {
        let (pool, gate) = busy_pool();
        let (begun, has_begun) = mpsc::channel();
        let (goes, go) = mpsc::channel::<()>();
        let slow = pool.submit(move || {
            begun.send(()).expect("waited for");
            go.recv().is_err()
        });
        let slow = slow.expect("open");
        let next = pool.submit(|| ()).expect("open");
        let call_back = || slow.add_callback(|_| std::thread::sleep(Duration::from_millis(500)));
        if early {
            call_back();
        }
        drop(gate);
        has_begun.recv().expect("it starts");
        if !early {
            call_back();
        }
        drop(goes);
        next.wait();

        let durations = next.durations().expect("done");

        assert!(durations.pending >= Duration::from_millis(500), "{durations:?}");
        assert!(durations.running < Duration::from_millis(500), "{durations:?}");
    }
}

/// Whether a worker runs it, a waiter inside another task, or nobody.
#[test]
fn a_pool_that_does_not_time_its_tasks_knows_no_durations() {
    let pool = ThreadPool::builder().max_workers(1).time_tasks(false).build().expect("a pool");
    let pool = Arc::new(pool);
    let nested = {
        let pool = Arc::clone(&pool);
        move || {
            let inner = pool.submit(|| ()).expect("open");
            inner.wait();
            inner.durations()
        }
    };

    let outer = pool.submit(nested).expect("open");
    outer.wait();
    let (gate, closed) = mpsc::channel::<()>();
    let busy = pool.submit(move || closed.recv().is_err()).expect("open");
    let cancelled = pool.submit(|| ()).expect("open");
    assert!(cancelled.cancel());
    drop(gate);
    busy.wait();

    assert_eq!((busy.durations(), cancelled.durations()), (None, None));
    assert_eq!(outer.durations(), None);
    assert_eq!(outer.collect().expect("it ran"), None);
}

#[test]
fn an_event_hook_has_tasks_timed_in_any_case() {
    let pool = ThreadPool::builder().time_tasks(false).on_event(|_| ()).build().expect("a pool");

    let handle = pool.submit(|| ()).expect("open");
    handle.wait();

    assert!(handle.durations().is_some());
}

#[test]
fn callbacks_are_called_in_order_with_the_final_status() {
    let (pool, gate) = busy_pool();
    let handle = pool.submit(|| ()).expect("open");
    let calls = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let calls = calls.clone();
        move |status| calls.lock().expect("no panic").push((name, status))
    };

    let first = handle.add_callback(note("first")).expect("pending");
    let removed = handle.add_callback(note("removed")).expect("pending");
    handle.add_callback(|_| panic!("a callback's own matter")).expect("pending");
    handle.add_callback(note("last")).expect("pending");
    assert!(handle.remove_callback(removed));
    assert!(!handle.remove_callback(removed), "only once");
    drop(gate);
    pool.join();

    assert_eq!(handle.add_callback(note("late")), None, "called at once");
    let calls = calls.lock().expect("no panic").clone();
    let expected = ["first", "last", "late"].map(|name| (name, Status::Completed));
    assert_eq!(calls, expected);
    assert!(!handle.remove_callback(first), "called");
}

#[test]
fn a_callback_is_removed_by_its_own_handle_only() {
    let (pool, gate) = busy_pool();
    let handles = [1, 2].map(|n| pool.submit(move || n).expect("open"));
    let calls = Arc::new(AtomicUsize::new(0));
    let ids = [&handles[0], &handles[1]].map(|handle| {
        let calls = calls.clone();
        let count = move |_| _ = calls.fetch_add(1, Ordering::SeqCst);
        handle.add_callback(count).expect("pending")
    });

    assert!(ids[0] != ids[1] && !handles[1].remove_callback(ids[0]));
    assert!(handles[0].remove_callback(ids[0]));

    drop(gate);
    pool.join();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn several_threads_wait_for_one_handle() {
    let (pool, gate) = busy_pool();
    let handle = pool.submit(|| ()).expect("open");

    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| handle.wait())).collect();
        while !waiters.iter().all(|_| handle.is_pending()) {}
        drop(gate);
    });

    assert!(handle.is_completed());
}

#[test]
fn a_dropped_handle_lets_go_of_its_waker() {
    let (pool, gate) = busy_pool();
    let mut handle = pool.submit(|| ()).expect("open");
    let wakes = Arc::new(CountedWakes(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);

    drop(handle);

    assert_eq!(Arc::strong_count(&wakes), 1);
    drop(gate);
    pool.join();
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
}

struct CountedWakes(AtomicUsize);

impl Wake for CountedWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_handle_is_a_future_that_wakes_the_latest_waker() {
    let (pool, gate) = busy_pool();
    let mut handle: Handle<u8> = pool.submit(|| 4).expect("open");
    let [stale, latest] = [(); 2].map(|()| Arc::new(CountedWakes(AtomicUsize::new(0))));
    for wakes in [&stale, &latest] {
        let waker = Waker::from(wakes.clone());
        let poll = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
    }

    drop(gate);
    pool.join();

    assert_eq!(stale.0.load(Ordering::SeqCst), 0);
    assert_eq!(latest.0.load(Ordering::SeqCst), 1);
    let poll = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(4)) = poll else { panic!("{poll:?}") };
    let again = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(again, Poll::Ready(Err(TaskError::AlreadyCollected))), "{again:?}");
}
