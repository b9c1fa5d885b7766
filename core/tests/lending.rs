//! Workers that lend their seats, on threads: what kinds of workers that misbehave must not bring about.
#![cfg(all(feature = "alloc", not(any(asyncpal_loom, asyncpal_shuttle))))]

use asyncpal_core::clock::{Clock, Instant};
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{Executor, Heap, OpenError, Shared, WorkerKind, work};
use asyncpal_core::park::{Park, Unparked};
use asyncpal_core::task::Job;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use core::time::Duration;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, yield_now};

/// What happens, and what has happened.
#[derive(Default)]
struct Record {
    keep_alive_panics: AtomicBool,
    clock_panics: AtomicBool,
    /// How often a worker went to sleep.
    sleeps: AtomicUsize,
    left_seats: AtomicUsize,
}

struct Seat(Arc<Record>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.left_seats.fetch_add(1, SeqCst);
    }
}

/// One worker, on a thread.
struct Lender {
    record: Arc<Record>,
    has_token: Mutex<bool>,
    token_came: Condvar,
}

impl Park for Lender {
    fn park(&self, _: Option<Instant>) -> Unparked {
        self.record.sleeps.fetch_add(1, SeqCst);
        let has_token = self.has_token.lock().unwrap();
        *self.token_came.wait_while(has_token, |token| !*token).unwrap() = false;
        Unparked::Woken
    }

    fn unpark(&self) {
        *self.has_token.lock().unwrap() = true;
        self.token_came.notify_one();
    }
}

impl Clock for Lender {
    fn now(&self) -> Instant {
        if self.record.clock_panics.load(SeqCst) {
            resume_unwind(Box::new("no time"));
        }
        Instant::from_nanos(0)
    }
}

impl WorkerKind for Lender {
    const LENDS: bool = true;

    type Memory = Heap;
    type Park = Self;
    type Clock = Self;
    type Seat = Seat;
    type Failure = ();

    fn parker(&self, _: usize) -> &Self {
        self
    }

    fn clock(&self) -> &Self {
        self
    }

    fn spawn(&self, engine: &Shared<Self>, slot: usize) -> Result<(), ()> {
        let engine = engine.clone();
        thread::spawn(move || work::<Self>(&engine, slot));
        Ok(())
    }

    fn open(&self, _: usize) -> Result<Seat, OpenError<()>> {
        Ok(Seat(Arc::clone(&self.record)))
    }

    fn may_go_on(&self, _: &Seat, _: usize) -> bool {
        true
    }

    fn keep_alive(&self, _: usize) -> Option<Duration> {
        if self.record.keep_alive_panics.load(SeqCst) {
            resume_unwind(Box::new("no keep-alive"));
        }
        None
    }

    fn times_tasks(&self) -> bool {
        false
    }

    fn close(&self, _: usize, _: Seat) -> Result<(), ()> {
        Ok(())
    }

    fn broken(&self, (): ()) {}

    fn repeat(&self, (): &()) {}

    fn departed(&self, _: usize) {}
}

struct Call<F>(F);

impl<T: Send, F: FnOnce() -> T + Send> Job<Seat, ()> for Call<F> {
    type Output = T;

    fn run(self, _: &mut Seat) -> Result<T, ()> {
        Ok(self.0())
    }
}

/// A pool whose worker sleeps, or is about to.
fn pool() -> (Arc<Executor<Lender>>, Arc<Record>) {
    let record = Arc::new(Record::default());
    let pool = Executor::new(
        Lender {
            record: Arc::clone(&record),
            has_token: Mutex::default(),
            token_came: Condvar::new(),
        },
        1,
    );
    pool.spawn_workers(1);
    wait_until(|| record.sleeps.load(SeqCst) > 0);
    (Arc::new(pool), record)
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        yield_now();
    }
}

/// Runs `call` on the worker's seat.
fn borrow<T: Send + 'static>(
    pool: &Executor<Lender>,
    call: impl FnOnce() -> T + Send + 'static,
) -> T {
    let Ok(ran) = pool.run_on_idle(Call(call)) else { panic!("the worker does not lend its seat") };
    match ran.expect("the pool is open").join_spinning() {
        Outcome::Completed(value) => value,
        Outcome::Failed(()) | Outcome::Cancelled(_) => unreachable!("it ran"),
    }
}

/// It was dropped with the worker's stack, and the borrower went on with it.
#[test]
fn a_seat_that_is_lent_outlasts_a_panic_of_its_worker_s_kind() {
    let (pool, record) = pool();

    let has_seat = borrow(&pool, {
        let (pool, record) = (Arc::clone(&pool), Arc::clone(&record));
        move || {
            let sleeps = record.sleeps.load(SeqCst);
            record.clock_panics.store(true, SeqCst);
            pool.rouse_workers();
            let has_seat = || record.left_seats.load(SeqCst) == 0;
            wait_until(|| !has_seat() || record.sleeps.load(SeqCst) > sleeps);
            has_seat()
        }
    });

    assert!(has_seat, "its worker did not wait for it");
    wait_until(|| record.left_seats.load(SeqCst) == 1);
}

/// It was lent to the next borrower, although it was gone.
#[test]
fn a_seat_is_lent_no_more_once_its_worker_s_kind_has_panicked() {
    let (pool, record) = pool();

    record.keep_alive_panics.store(true, SeqCst);
    pool.rouse_workers();
    wait_until(|| record.left_seats.load(SeqCst) == 1);

    assert!(pool.run_on_idle(Call(|| ())).is_err());
}
