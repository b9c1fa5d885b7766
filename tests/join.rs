//! Joins that wait for tasks in unusual hands.

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

/// The join sent the workers home as fast as it could. Each that left saw a pending task, and had a successor spawned.
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
