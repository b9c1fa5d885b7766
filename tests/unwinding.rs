//! Users' code that panics on a worker outside of a task: destructors, callbacks, wakers. A test
//! program of its own: it silences the panic hook.

use core::panic::AssertUnwindSafe;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use core::task::{Context, Waker};
use core::time::Duration;
use std::io;
use std::panic::{catch_unwind, panic_any};
use std::sync::{Arc, Mutex, Once, mpsc};
use std::task::Wake;
use std::thread;

use asyncpal::{Builder, CompletionFilter, Handle, ThreadPool, Threads, WhenFull, WorkerThread};

const EXPECTED: &str = "as is to be expected";

/// Panics when it is dropped, or when it wakes.
struct Bomb;

impl Bomb {
    fn defuse(self) {
        core::mem::forget(self);
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(EXPECTED);
    }
}

struct Alarm;

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        panic_any(EXPECTED);
    }
}

/// What is expected is not printed.
fn be_quiet() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            if payload.downcast_ref() != Some(&EXPECTED) && !payload.is::<Bomb>() {
                default(info);
            }
        }));
    });
}

/// A pool of one worker that is busy until the gate goes.
fn busy() -> (ThreadPool, mpsc::Sender<()>) {
    busy_with(ThreadPool::single())
}

fn busy_with(builder: Builder<Threads>) -> (ThreadPool, mpsc::Sender<()>) {
    be_quiet();
    let pool = builder.capacity(9).when_full(WhenFull::DropOldest);
    let pool = pool.build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let (started, wait) = mpsc::channel();
    let task = move || {
        started.send(()).expect("waited for");
        closed.recv().is_err()
    };
    drop(pool.submit(task).expect("open"));
    wait.recv().expect("sent");
    (pool, gate)
}

fn armed(pool: &ThreadPool) -> Handle<()> {
    let bomb = Bomb;
    pool.submit(move || bomb.defuse()).expect("open")
}

/// The worker goes on, and the pool ends as ever.
fn goes_on(pool: ThreadPool) {
    assert_eq!(pool.submit(|| 5).expect("open").collect().expect("no panic"), 5);
    assert!(pool.join_timeout(Duration::from_secs(60)));
    assert_eq!(pool.count_pending_tasks(), 0);
    assert!(pool.shutdown());
}

#[test]
fn a_result_whose_destructor_panics_takes_no_worker_along() {
    let (pool, gate) = busy();
    for _ in 0..3 {
        drop(pool.submit(|| Bomb).expect("open"));
    }

    drop(gate);

    goes_on(pool);
}

#[test]
fn a_callback_that_panics_takes_no_worker_along_and_the_others_run() {
    let (pool, gate) = busy();
    let (tell, told) = mpsc::channel();
    let handle = pool.submit(|| ()).expect("open");
    handle.add_callback(|_| panic_any(EXPECTED));
    handle.add_callback(move |status| tell.send(status).expect("waited for"));

    drop(gate);

    assert!(told.recv_timeout(Duration::from_secs(60)).is_ok());
    handle.collect().expect("no panic");
    goes_on(pool);
}

#[test]
fn a_waker_that_panics_takes_no_worker_along() {
    let (pool, gate) = busy();
    let mut handle = pool.submit(|| 3).expect("open");
    let waker = Waker::from(Arc::new(Alarm));
    assert!(pin!(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());

    drop(gate);

    assert_eq!(handle.collect().expect("no panic"), 3);
    goes_on(pool);
}

/// Between two tasks the worker sees to it that the pool grows, and publishes the end of the first before.
#[test]
fn a_waker_that_panics_while_a_spawn_is_owed_takes_no_worker_along() {
    let spawned = AtomicUsize::new(0);
    let spawner = move |worker: WorkerThread| match spawned.fetch_add(1, SeqCst) {
        0 => thread::Builder::new().spawn(|| worker.run()),
        _ => Err(io::ErrorKind::OutOfMemory.into()),
    };
    let (pool, gate) = busy_with(ThreadPool::builder().max_workers(2).spawner(spawner));
    let mut handle = pool.submit(|| 3).expect("open");
    let waker = Waker::from(Arc::new(Alarm));
    assert!(pin!(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
    let behind = pool.submit(|| 4).expect("open");

    drop(gate);

    assert!(behind.wait_timeout(Duration::from_secs(60)));
    assert_eq!(handle.collect().expect("no panic"), 3);
    goes_on(pool);
}

#[test]
fn a_waker_that_panics_while_a_filter_runs_its_task_costs_it_no_handle() {
    let (pool, gate) = busy();
    let pool = Arc::new(pool);
    let inner = pool.clone();
    let outer = pool.submit(move || {
        let mut handle = inner.submit(|| 7).expect("open");
        let waker = Waker::from(Arc::new(Alarm));
        assert!(pin!(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
        let filter = CompletionFilter::from_iter([handle]);

        let first = catch_unwind(AssertUnwindSafe(|| filter.get().is_some()));
        let second = filter.get_timeout(Duration::from_secs(20));

        (first.is_err(), second.expect("it is done").collect().expect("no panic"), filter.len())
    });
    drop(gate);

    assert_eq!(outer.expect("open").collect().expect("no panic"), (true, 7, 0));
    pool.join();
    assert_eq!(pool.stats().running, 0);
}

#[test]
fn a_closure_whose_destructor_panics_stops_no_shutdown() {
    let (pool, gate) = busy();
    let handles = [(); 3].map(|()| armed(&pool));

    drop(gate);
    assert!(pool.shutdown_timeout(Duration::from_secs(60)).is_complete());

    for handle in handles {
        assert!(handle.is_done());
        // It has run, or was cancelled.
        let _ = handle.collect();
    }
}

#[test]
fn a_closure_whose_destructor_panics_makes_room_for_another() {
    let (pool, gate) = busy();
    let handles: Vec<_> = (0..9).map(|_| armed(&pool)).collect();

    let last = pool.submit(|| 7).expect("open");

    assert!(handles[0].is_cancelled());
    drop(gate);
    assert_eq!(last.collect().expect("no panic"), 7);
    goes_on(pool);
}

#[test]
fn who_cancels_a_task_meets_the_panic_of_its_destructor() {
    let (pool, gate) = busy();
    let handle = armed(&pool);

    let met = catch_unwind(AssertUnwindSafe(|| handle.cancel()));

    assert!(met.is_err());
    assert!(handle.is_cancelled());
    drop(gate);
    goes_on(pool);
}

#[test]
fn a_result_whose_destructor_panics_fails_the_task_that_was_submitted_again() {
    let (pool, gate) = busy_with(ThreadPool::single().keep_cancelled_tasks(true));
    drop(pool.submit(|| Bomb).expect("open"));
    thread::scope(|scope| {
        let ends = scope.spawn(|| pool.shutdown());
        while !pool.is_closed() || pool.count_pending_tasks() > 0 {
            thread::yield_now();
        }
        drop(gate);
        ends.join().expect("no panic");
    });
    let [task] = <[_; 1]>::try_from(pool.take_cancelled_tasks()).expect("one was pending");
    let other = ThreadPool::single().build().expect("valid");

    let handle = other.resubmit(task).expect("open");

    assert!(handle.wait_timeout(Duration::from_secs(60)));
    assert!(handle.collect().expect_err("its destructor panics").is_panic());
    goes_on(other);
}

#[test]
fn a_second_cause_whose_destructor_panics_stops_no_shutdown() {
    fn spoil() {
        panic_any(Bomb);
    }
    be_quiet();
    let pool = ThreadPool::builder().max_workers(2).finalizer(spoil);
    let pool = pool.build().expect("valid");
    pool.spawn_max_workers().expect("open");

    assert!(pool.shutdown_timeout(Duration::from_secs(60)).is_complete());

    assert!(pool.is_broken());
    // The first cause goes with the pool.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(pool)));
}

#[test]
fn a_map_that_is_dropped_cancels_all_its_chunks_whatever_their_items_do() {
    let (pool, gate) = busy();
    let bombs = (0..5).map(|_| Bomb);
    let map = pool.map_all(|bomb: Bomb| bomb.defuse(), bombs, 1);
    assert_eq!(pool.count_pending_tasks(), 5);

    drop(map);

    assert_eq!(pool.count_pending_tasks(), 0);
    drop(gate);
    let (again, closed) = mpsc::channel::<()>();
    let closed = Mutex::new(closed);
    let results = pool.map_all(
        move |n| {
            if n == 1 {
                let _ = closed.lock().expect("no panic").recv();
            }
            Bomb
        },
        0..5,
        1,
    );
    while pool.count_pending_tasks() > 3 {
        thread::yield_now();
    }

    // The first chunk's result is there, and goes with the map.
    drop(results);

    assert_eq!(pool.count_pending_tasks(), 0);
    drop(again);
    goes_on(pool);
}
