//! Tasks without a handle: `Pool::spawn`.

use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, mpsc};

use asyncpal::{Event, EventKind, PoolError, ThreadPool, WhenFull};

#[test]
fn a_task_that_nobody_refers_to_runs() {
    let pool = ThreadPool::single().build().expect("valid");
    let (sender, receiver) = mpsc::channel();

    for number in 0..1000 {
        let sender = sender.clone();
        pool.spawn(move || sender.send(number).expect("waited for")).expect("open");
    }

    assert!(receiver.iter().take(1000).eq(0..1000));
    pool.join();
    assert_eq!(pool.count_pending_tasks(), 0);
}

#[test]
fn what_it_returns_is_dropped_before_the_workers_are_joined() {
    let pool = ThreadPool::single().build().expect("valid");
    let result = Arc::new(());
    let returned = Arc::clone(&result);

    pool.spawn(move || returned).expect("open");
    pool.join();

    assert_eq!(Arc::strong_count(&result), 1);
}

#[test]
fn a_panic_while_its_result_is_dropped_costs_no_worker() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the result's own matter");
        }
    }
    let pool = ThreadPool::single().build().expect("valid");

    pool.spawn(|| Bomb).expect("open");

    assert_eq!(pool.run(|| 1).expect("no panic"), 1);
}

#[test]
fn its_failure_is_reported() {
    let (tell, told) = mpsc::channel();
    let pool = ThreadPool::single()
        .on_uncollected(move |failure| tell.send(failure.error().to_string()).expect("waited for"))
        .build()
        .expect("valid");

    pool.spawn(|| panic!("boom")).expect("open");

    assert_eq!(told.recv().expect("reported"), "the task panicked: boom");
}

#[test]
fn a_pool_that_takes_no_task_gives_the_call_back() {
    let closed = ThreadPool::new();
    closed.shutdown();
    let without_workers = ThreadPool::builder()
        .spawner(|_| Err::<(), _>(io::Error::other("no threads today")))
        .build()
        .expect("valid");

    for pool in [closed, without_workers] {
        let call = String::from("kept");
        let rejected = pool.spawn(move || drop(call.clone())).expect_err("no worker");

        assert!(matches!(rejected.reason(), PoolError::Closed | PoolError::Spawn(_)));
        (rejected.into_inner())();
    }
}

#[test]
fn the_policy_of_a_full_pool_holds_for_it() {
    let pool = ThreadPool::single().capacity(1).when_full(WhenFull::Reject).build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let (start, started) = mpsc::channel();
    pool.spawn(move || (start.send(()).expect("waited for"), closed.recv().is_err()))
        .expect("open");
    started.recv().expect("sent");

    pool.spawn(|| ()).expect("there is room");
    let rejected = pool.spawn(|| ()).expect_err("it is full");

    assert!(matches!(rejected.reason(), PoolError::Full));
    drop(gate);
}

#[test]
fn a_hook_hears_of_its_times() {
    let times = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&times);
    let hook = move |event: &Event<'_>| {
        if let EventKind::TaskEnded { waited, ran, .. } = event.kind {
            *noted.lock().unwrap() = Some((waited, ran));
        }
    };
    let pool = ThreadPool::single().on_event(hook).build().expect("valid");

    pool.spawn(|| std::thread::sleep(Duration::from_millis(5))).expect("open");
    pool.join();

    let (waited, ran) = times.lock().unwrap().expect("it has ended");
    assert!(waited > Duration::ZERO && ran >= Duration::from_millis(5), "{waited:?}, {ran:?}");
}
