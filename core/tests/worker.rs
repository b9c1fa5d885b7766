//! Kinds of workers that misbehave, and what they must not bring about. Workers are threads that lend their seats.
#![cfg(all(feature = "alloc", not(any(asyncpal_loom, asyncpal_shuttle))))]

use asyncpal_core::clock::{Clock, Instant};
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{
    Engine, Executor, Heap, OpenError, Rejection, Shared, WorkerKind, forsake, work,
};
use asyncpal_core::park::{Park, Unparked};
use asyncpal_core::task::Job;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use core::time::Duration;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::{self, yield_now};

/// What happens, and what has happened.
#[derive(Default)]
struct Record {
    keep_alive_panics: AtomicBool,
    clock_panics: AtomicBool,
    /// How often a worker went to sleep.
    sleeps: AtomicUsize,
    seats: AtomicUsize,
    left_seats: AtomicUsize,
    /// What the last spawn was given.
    engine: Mutex<Weak<Engine<Lender>>>,
}

impl Record {
    fn engine(&self) -> Shared<Lender> {
        self.engine.lock().unwrap().upgrade().expect("a worker was called for")
    }
}

/// What becomes of a spawn.
#[derive(PartialEq)]
enum Spawn {
    Succeeds,
    Fails,
    /// It says so, although a worker has come.
    SeemsToFail,
}

struct Seat {
    record: Arc<Record>,
    uses: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.record.left_seats.fetch_add(1, SeqCst);
    }
}

/// One worker, on a thread.
struct Lender {
    record: Arc<Record>,
    spawn: Spawn,
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
        *self.record.engine.lock().unwrap() = Arc::downgrade(engine);
        if self.spawn == Spawn::Fails {
            return Err(());
        }
        let engine = engine.clone();
        thread::spawn(move || work::<Self>(&engine, slot));
        if self.spawn == Spawn::Succeeds {
            return Ok(());
        }
        wait_until(|| self.record.seats.load(SeqCst) > 0);
        Err(())
    }

    fn open(&self, _: usize) -> Result<Seat, OpenError<()>> {
        self.record.seats.fetch_add(1, SeqCst);
        Ok(Seat { record: Arc::clone(&self.record), uses: 0 })
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

    fn cancellation(&self, _: Rejection<&()>) -> Option<()> {
        None
    }

    fn departed(&self, _: usize) {}
}

struct Call<F>(F);

impl<T: Send, F: FnOnce(&mut Seat) -> T + Send> Job<Seat, ()> for Call<F> {
    type Output = T;

    fn run(self, seat: &mut Seat) -> Result<T, ()> {
        Ok(self.0(seat))
    }
}

/// A pool of one worker.
fn pool_of(spawn: Spawn) -> (Arc<Executor<Lender>>, Arc<Record>) {
    let record = Arc::new(Record::default());
    let (has_token, token_came) = (Mutex::default(), Condvar::new());
    let kind = Lender { record: Arc::clone(&record), spawn, has_token, token_came };
    (Arc::new(Executor::new(kind, 1)), record)
}

/// A pool whose worker sleeps, or is about to.
fn pool() -> (Arc<Executor<Lender>>, Arc<Record>) {
    let (pool, record) = pool_of(Spawn::Succeeds);
    pool.spawn_workers(1);
    wait_until(|| record.sleeps.load(SeqCst) > 0);
    (pool, record)
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        yield_now();
    }
}

/// Runs `call` on the worker's seat.
fn borrow<T: Send + 'static>(
    pool: &Executor<Lender>,
    call: impl FnOnce(&mut Seat) -> T + Send + 'static,
) -> T {
    let Ok(ran) = pool.run_on_idle(Call(call)) else { panic!("the worker does not lend its seat") };
    match ran.expect("the pool is open").join_spinning() {
        Outcome::Completed(value) => value,
        Outcome::Failed(()) | Outcome::Cancelled(_) => unreachable!("it ran"),
    }
}

/// Under Miri: while the seat is lent, the worker has no reference to it.
#[test]
fn a_worker_and_its_borrowers_use_the_seat_in_turn() {
    fn use_it(seat: &mut Seat) -> usize {
        seat.uses += 1;
        seat.uses
    }
    let (pool, _) = pool();

    let borrowed = [(); 2].map(|()| borrow(&pool, use_it));
    let submitted = pool.submit(Call(use_it)).expect("the pool is open");

    assert_eq!(borrowed, [1, 2]);
    assert!(matches!(submitted.join_spinning(), Outcome::Completed(3)));
}

#[test]
fn a_seat_that_is_lent_outlasts_a_panic_of_its_worker_s_kind() {
    let (pool, record) = pool();

    let has_seat = borrow(&pool, {
        let (pool, record) = (Arc::clone(&pool), Arc::clone(&record));
        move |_| {
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

#[test]
fn a_seat_is_lent_no_more_once_its_worker_s_kind_has_panicked() {
    let (pool, record) = pool();

    record.keep_alive_panics.store(true, SeqCst);
    pool.rouse_workers();
    wait_until(|| record.left_seats.load(SeqCst) == 1);

    assert!(pool.run_on_idle(Call(|_: &mut Seat| ())).is_err());
}

/// Whether one more thread that comes to work in the slot does.
fn works(engine: Shared<Lender>, record: &Record) -> bool {
    let seats = record.seats.load(SeqCst);
    let comer = thread::spawn(move || work::<Lender>(&engine, 0));
    let sits = || record.seats.load(SeqCst) > seats;
    wait_until(|| comer.is_finished() || sits());
    sits()
}

#[test]
fn a_slot_has_one_worker_however_many_come() {
    let (pool, record) = pool();
    let engine = record.engine();

    assert!(!works(engine, &record));
    drop(pool);
}

#[test]
fn a_worker_that_has_come_is_not_forsaken() {
    let (pool, record) = pool();

    forsake::<Lender>(&record.engine(), 0, &());

    assert_eq!(pool.engine().counts().workers, 1);
}

#[test]
fn nobody_works_who_was_not_called_for() {
    let (pool, record) = pool_of(Spawn::Fails);
    assert!(pool.submit(Call(|_: &mut Seat| ())).is_err());

    assert!(!works(record.engine(), &record));
}

#[test]
fn a_worker_that_has_come_was_spawned_whatever_its_kind_says() {
    let (pool, _) = pool_of(Spawn::SeemsToFail);

    let ran = pool.submit(Call(|_: &mut Seat| 7)).expect("there is a worker");

    assert!(matches!(ran.join_spinning(), Outcome::Completed(7)));
    assert_eq!(pool.engine().totals().spawn_failures, 0);
}
