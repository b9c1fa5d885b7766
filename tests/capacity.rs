//! Pools with a capacity: what happens to a submit for which there is no room.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, mpsc};
use std::thread;

use asyncpal::{BuildError, Builder, Handle, PoolError, ThreadPool, Threads, WhenFull};

/// Keeps a worker busy until the gate goes.
fn occupy(pool: &ThreadPool) -> mpsc::Sender<()> {
    let (gate, closed) = mpsc::channel::<()>();
    let (started, wait) = mpsc::channel();
    let busy = move || {
        started.send(()).expect("waited for");
        closed.recv().is_err()
    };
    drop(pool.try_submit(busy).expect("there is room"));
    wait.recv().expect("sent");
    gate
}

/// A pool of one worker that is busy until the gate goes, with `capacity` pending tasks.
fn full(
    builder: Builder<Threads>,
    capacity: usize,
) -> (ThreadPool, mpsc::Sender<()>, Vec<Handle<usize>>) {
    let pool = builder.capacity(capacity).build().expect("valid");
    let gate = occupy(&pool);
    let pending = (0..capacity).map(|n| pool.submit(move || n).expect("there is room")).collect();
    assert_eq!((pool.count_pending_tasks(), pool.capacity()), (capacity, Some(capacity)));
    (pool, gate, pending)
}

fn single(policy: WhenFull) -> Builder<Threads> {
    ThreadPool::single().when_full(policy)
}

#[test]
fn a_submit_waits_until_a_task_has_started() {
    let (pool, gate, pending) = full(single(WhenFull::Wait), 2);

    let third = thread::scope(|scope| {
        let submitter = scope.spawn(|| pool.submit(|| 2).expect("open"));
        assert_eq!(pool.count_pending_tasks(), 2);
        drop(gate);
        submitter.join().expect("no panic")
    });

    let all = pending.into_iter().chain([third]);
    assert!(all.map(|handle| handle.collect().expect("no panic")).eq(0..3));
}

#[test]
fn a_cancelled_task_makes_room() {
    let (pool, _gate, pending) = full(single(WhenFull::Reject), 1);
    assert!(pool.submit(|| 1).is_err());

    assert!(pending[0].cancel());

    assert!(pool.submit(|| 1).is_ok());
    assert!(pool.submit(|| 2).is_err());
}

#[test]
fn try_submit_gives_the_closure_back_whatever_the_policy() {
    for policy in [WhenFull::Wait, WhenFull::RunHere, WhenFull::DropOldest, WhenFull::DropNewest] {
        let (pool, gate, pending) = full(single(policy), 2);

        let refused = pool.try_submit(|| 9).expect_err("it is full");

        assert!(matches!(refused.reason(), PoolError::Full), "{policy:?}");
        assert!(refused.to_string().contains("capacity allows: submit again when"), "{refused}");
        assert_eq!(refused.into_inner()(), 9);
        drop(gate);
        assert!(pending.into_iter().all(|handle| handle.collect().is_ok()));
        assert_eq!(pool.try_submit(|| 9).expect("there is room").collect().expect("no panic"), 9);
    }
}

#[test]
fn a_timed_submit_gives_the_closure_back_at_its_timeout() {
    let (pool, gate, _pending) = full(single(WhenFull::Reject), 1);

    let refused = pool.submit_timeout(|| 9, Duration::from_millis(2)).expect_err("it is full");

    assert!(matches!(refused.reason(), PoolError::Full));
    let taken = thread::scope(|scope| {
        let (pool, call) = (&pool, refused.into_inner());
        let submitter = scope.spawn(move || pool.submit_timeout(call, Duration::from_secs(60)));
        drop(gate);
        submitter.join().expect("no panic")
    });
    assert_eq!(taken.expect("there was room in time").collect().expect("no panic"), 9);
}

#[test]
fn a_caller_that_runs_the_task_is_done_with_it() {
    let (pool, gate, pending) = full(single(WhenFull::RunHere), 2);
    let here = thread::current().id();

    let handle = pool.submit(move || thread::current().id() == here).expect("open");

    assert!(handle.is_completed(), "the worker is busy");
    assert!(handle.collect().expect("no panic"));
    assert_eq!(pool.count_pending_tasks(), 2);
    drop(gate);
    assert!(pending.into_iter().all(|handle| handle.collect().is_ok()));
}

#[test]
fn the_oldest_pending_task_goes_in_favour_of_another() {
    let (pool, gate, pending) = full(single(WhenFull::DropOldest), 3);

    let newest = [3, 4].map(|n| pool.submit(move || n).expect("open"));

    assert_eq!(pool.count_pending_tasks(), 3);
    let cancelled: Vec<_> = pending.iter().map(Handle::is_cancelled).collect();
    assert_eq!(cancelled, [true, true, false]);
    drop(gate);
    assert_eq!(newest.map(|handle| handle.collect().expect("no panic")), [3, 4]);
}

#[test]
fn the_newest_task_goes_in_favour_of_those_before() {
    let (pool, gate, pending) = full(single(WhenFull::DropNewest), 2);

    let newest = pool.submit(|| 2).expect("open");

    assert!(newest.is_cancelled());
    drop(gate);
    assert!(pending.into_iter().map(|handle| handle.collect().expect("no panic")).eq(0..2));
}

#[test]
fn a_worker_runs_what_it_submits_to_its_own_full_pool() {
    let pool = Arc::new(ThreadPool::single().capacity(1).build().expect("valid"));
    let inside = pool.clone();

    let sum = pool.run(move || {
        let handles: Vec<_> = (0..100).map(|n| inside.submit(move || n).expect("open")).collect();
        handles.into_iter().map(|handle| handle.collect().expect("no panic")).sum::<u64>()
    });

    assert_eq!(sum.expect("no panic"), 4950);

    let inside = pool.clone();
    let last = pool.run(move || {
        let submit = |n| inside.submit_timeout(move || n, Duration::MAX).expect("open");
        let [_, last] = [1, 2].map(submit);
        last.collect().expect("no panic")
    });
    assert_eq!(last.expect("no panic"), 2, "without an end a timed submit is one that waits");
}

#[test]
fn a_shutdown_lets_go_of_everybody_who_waits_for_room() {
    for _ in 0..50 {
        let (pool, gate, pending) = full(single(WhenFull::Wait), 1);

        thread::scope(|scope| {
            let submitters = [(); 3].map(|()| scope.spawn(|| pool.submit(|| 5)));
            let closer = scope.spawn(|| pool.shutdown());
            for submitter in submitters {
                let submitted = submitter.join().expect("no panic");
                // It may have got in when the pending task was cancelled.
                match submitted {
                    Ok(handle) => assert!(handle.collect().expect_err("closed").is_cancelled()),
                    Err(refused) => assert!(matches!(refused.reason(), PoolError::Closed)),
                }
            }
            drop(gate);
            assert!(closer.join().expect("no panic"));
        });

        assert!(pending[0].is_cancelled());
    }
}

/// A pool of one worker that is busy until the gate goes, and a pending task that takes the only place; its
/// destructor submits another, and sends what came of that.
fn submitting_when_dropped() -> (Arc<ThreadPool>, mpsc::Sender<()>, Handle<()>, Submits) {
    struct Submitter(Arc<ThreadPool>, mpsc::Sender<Option<Handle<u8>>>);
    impl Drop for Submitter {
        fn drop(&mut self) {
            let submitted = match self.0.submit(|| 7) {
                Ok(handle) => Some(handle),
                Err(refused) if matches!(refused.reason(), PoolError::Closed) => None,
                Err(refused) => panic!("{refused}"),
            };
            self.1.send(submitted).expect("waited for");
        }
    }
    let pool = Arc::new(single(WhenFull::Wait).capacity(1).build().expect("valid"));
    let gate = occupy(&pool);
    let (tell, told) = mpsc::channel();
    let submitter = Submitter(pool.clone(), tell);
    let pending = pool.submit(move || drop(submitter)).expect("there is room");
    (pool, gate, pending, told)
}

/// A task that was submitted, or nothing: the pool is closed.
type Submits = mpsc::Receiver<Option<Handle<u8>>>;

/// The place that it waits for may be that of the very task to which it belongs.
#[test]
fn a_destructor_of_a_cancelled_task_may_submit_to_the_full_pool() {
    let (_pool, gate, pending, submits) = submitting_when_dropped();

    assert!(pending.cancel());

    let submitted = submits.recv().expect("sent").expect("open");
    assert!(submitted.is_pending(), "the worker is busy");
    drop(gate);
    assert_eq!(submitted.collect().expect("no panic"), 7);
}

/// As above.
#[test]
fn a_destructor_that_submits_to_a_full_pool_does_not_hold_its_shutdown_up() {
    let (pool, gate, pending, submits) = submitting_when_dropped();

    thread::scope(|scope| {
        let closer = scope.spawn(|| pool.shutdown());
        assert!(submits.recv().expect("sent").is_none());
        drop(gate);
        assert!(closer.join().expect("no panic"));
    });

    assert!(pending.is_cancelled());
}

#[test]
fn many_submitters_of_a_small_pool_lose_nothing() {
    let pool = ThreadPool::builder().max_workers(2).capacity(3).build().expect("valid");
    let ran = AtomicUsize::new(0);

    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..2_000_usize {
                    let handle = pool.submit(move || n).expect("open");
                    if n % 7 == 0 {
                        handle.cancel();
                    } else {
                        ran.fetch_add(usize::from(handle.collect().is_ok()), Ordering::Relaxed);
                    }
                }
            });
        }
    });

    assert_eq!(ran.into_inner(), 4 * (2_000 - 286));
    // A worker may have taken a task that was too late to cancel, and not have counted it yet.
    pool.join();
    assert_eq!(pool.count_pending_tasks(), 0);
    // All places are there again, and no more.
    let gates = [(); 2].map(|()| occupy(&pool));
    let pending = core::iter::from_fn(|| pool.try_submit(|| ()).ok());
    assert_eq!(pending.count(), 3);
    drop(gates);
}

#[test]
fn a_capacity_of_nothing_is_refused() {
    let error = ThreadPool::builder().capacity(0).build().expect_err("nothing could be pending");

    assert!(matches!(error, BuildError::NoCapacity));
    assert!(ThreadPool::builder().capacity(None).build().expect("valid").capacity().is_none());
}
