//! Joins that wait for tasks in unusual hands.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use asyncpal::ThreadPool;

const PATIENCE: Duration = Duration::from_secs(10);

/// How long this thread has had a processor.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to the place given.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Says that its destructor has begun, which lasts until the gate goes.
struct Slow {
    begun: mpsc::Sender<()>,
    gate: mpsc::Receiver<()>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.begun.send(()).expect("waited for");
        let _ = self.gate.recv_timeout(PATIENCE);
    }
}

/// Joins for 300 ms, in vain.
fn join_in_vain(pool: &ThreadPool) {
    let (begun, before) = (Instant::now(), processor_time());

    assert!(!pool.join_timeout(Duration::from_millis(300)));

    let (took, busy) = (begun.elapsed(), processor_time() - before);
    assert!(took < PATIENCE / 2, "{took:?}");
    assert!(busy < Duration::from_millis(100), "a processor was busy for {busy:?}");
    let spawned = pool.stats().spawned;
    assert!(spawned < 200, "{spawned} workers were spawned");
}

#[test]
fn a_join_sleeps_while_a_task_is_being_cancelled() {
    let pool = ThreadPool::single().build().expect("valid");
    let (busy, free) = mpsc::channel::<()>();
    pool.spawn(move || assert!(free.recv().is_err())).expect("open");
    let (begun, has_begun) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let slow = Slow { begun, gate };
    let slow = pool.submit(move || drop(slow)).expect("open");
    let canceller = thread::spawn(move || slow.cancel());
    has_begun.recv().expect("begun");
    drop(busy);

    join_in_vain(&pool);

    drop(open);
    assert!(pool.join_timeout(PATIENCE));
    assert!(canceller.join().expect("no panic"));
}

/// The worker looked again and again as fast as it could.
#[test]
fn a_task_that_joins_sleeps_while_another_is_being_cancelled() {
    let pool = Arc::new(ThreadPool::single().build().expect("valid"));
    let (begun, has_begun) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let theirs = pool.clone();
    let joining = move || {
        has_begun.recv().expect("begun");
        join_in_vain(&theirs);
        drop(open);
        theirs.join_timeout(PATIENCE)
    };
    let joining = pool.submit(joining).expect("open");
    let slow = Slow { begun, gate };
    let slow = pool.submit(move || drop(slow)).expect("open");

    assert!(slow.cancel());

    assert!(joining.collect().expect("no panic"));
}

/// Submits a task that does the same, and so on, until the count is reached.
fn submit_one_by_one(pool: &Arc<ThreadPool>, ran: &Arc<AtomicUsize>, most: usize) {
    let (theirs, count) = (pool.clone(), ran.clone());
    let task = move || {
        if count.fetch_add(1, Ordering::Relaxed) < most {
            submit_one_by_one(&theirs, &count, most);
        }
    };
    pool.spawn(task).expect("open");
}

#[test]
fn joins_end_though_later_tasks_are_pending_all_the_time() {
    const MOST: usize = 1_000_000;
    let pool = Arc::new(ThreadPool::single().build().expect("valid"));
    let ran = Arc::new(AtomicUsize::new(0));
    let (theirs, count) = (pool.clone(), ran.clone());
    let joining = pool.submit(move || {
        submit_one_by_one(&theirs, &count, MOST);
        theirs.join();
        count.load(Ordering::Relaxed)
    });

    let seen = joining.expect("open").collect().expect("no panic");

    assert!(seen < MOST / 2, "{seen} of {MOST} tasks were run");
    ran.store(MOST, Ordering::Relaxed);
}

#[test]
fn an_output_that_panics_when_it_is_dropped_is_not_the_joining_tasks_affair() {
    struct Spoiled;
    impl Drop for Spoiled {
        fn drop(&mut self) {
            panic!("of the output");
        }
    }
    let pool = Arc::new(ThreadPool::single().build().expect("valid"));
    let theirs = pool.clone();

    let joining = pool.submit(move || {
        theirs.spawn(|| Spoiled).expect("open");
        theirs.join();
    });

    joining.expect("open").collect().expect("it has not panicked");
    let stats = pool.stats();
    assert_eq!((stats.run_by_waiters, stats.running, stats.completed), (1, 0, 2));
}
