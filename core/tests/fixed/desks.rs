//! A kind whose workers are threads that were there before: each waits for its slot to be called
//! for, as a processor without an operating system does. It allocates nothing while it works.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::OnceLock;
use std::thread::{self, Thread};
use std::time::Instant as StdInstant;

use asyncpal_core::clock::{Clock, Instant};
use asyncpal_core::executor::{OpenError, Rejection, Shared, Static, StaticExecutor, WorkerKind};
use asyncpal_core::park::{Park, Unparked};

/// A parker for whichever thread parks first.
#[derive(Default)]
pub(crate) struct Bed {
    token: AtomicBool,
    sleeper: OnceLock<Thread>,
}

impl Bed {
    pub(crate) const fn new() -> Self {
        Self { token: AtomicBool::new(false), sleeper: OnceLock::new() }
    }
}

impl Park for Bed {
    fn park(&self, deadline: Option<Instant>) -> Unparked {
        self.sleeper.get_or_init(thread::current);
        loop {
            if self.token.swap(false, Ordering::SeqCst) {
                return Unparked::Woken;
            }
            match deadline.map(|moment| moment.since(StdClock.now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return Unparked::TimedOut,
                Some(left) => thread::park_timeout(left),
            }
        }
    }

    fn unpark(&self) {
        self.token.store(true, Ordering::SeqCst);
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.unpark();
        }
    }
}

pub(crate) struct StdClock;

impl Clock for StdClock {
    fn now(&self) -> Instant {
        static ORIGIN: OnceLock<StdInstant> = OnceLock::new();
        let elapsed = ORIGIN.get_or_init(StdInstant::now).elapsed();
        Instant::from_nanos(elapsed.as_nanos() as u64)
    }
}

/// Why a worker cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absent;

/// What a worker of [`Desks`] has: its slot.
pub(crate) struct Desk(pub(crate) usize);

pub(crate) type Pool<const TASKS: usize, const BYTES: usize, const WORKERS: usize> =
    StaticExecutor<Desks<TASKS, BYTES, WORKERS>>;

pub(crate) struct Desks<const TASKS: usize, const BYTES: usize, const WORKERS: usize> {
    beds: [Bed; WORKERS],
    bells: [Bed; WORKERS],
    called: AtomicUsize,
    keep_alive_nanos: AtomicU64,
    absent: AtomicBool,
    spins: bool,
    offers: AtomicUsize,
}

impl<const TASKS: usize, const BYTES: usize, const WORKERS: usize> Desks<TASKS, BYTES, WORKERS> {
    pub(crate) const fn new() -> Self {
        Self {
            beds: [const { Bed::new() }; WORKERS],
            bells: [const { Bed::new() }; WORKERS],
            called: AtomicUsize::new(0),
            keep_alive_nanos: AtomicU64::new(u64::MAX),
            absent: AtomicBool::new(false),
            spins: false,
            offers: AtomicUsize::new(0),
        }
    }

    /// The same with workers that look for a task for a while before they sleep.
    pub(crate) const fn spinning(mut self) -> Self {
        self.spins = true;
        self
    }

    /// How often a worker has offered its processor to others.
    pub(crate) fn offers(&self) -> usize {
        self.offers.load(Ordering::SeqCst)
    }

    /// How often a worker was called for.
    pub(crate) fn called(&self) -> usize {
        self.called.load(Ordering::SeqCst)
    }

    /// From now on idle workers stay so long.
    pub(crate) fn set_keep_alive(&self, time: Duration) {
        self.keep_alive_nanos.store(time.as_nanos() as u64, Ordering::SeqCst);
    }

    /// Nobody can be called for.
    pub(crate) fn set_absent(&self) {
        self.absent.store(true, Ordering::SeqCst);
    }

    /// The parker of a worker, for waits inside its tasks.
    pub(crate) fn bed(&'static self, Desk(slot): &Desk) -> &'static Bed {
        &self.beds[*slot]
    }
}

impl<const TASKS: usize, const BYTES: usize, const WORKERS: usize> WorkerKind
    for Desks<TASKS, BYTES, WORKERS>
{
    type Memory = Static<TASKS, BYTES, WORKERS>;
    type Park = Bed;
    type Clock = StdClock;
    type Seat = Desk;
    type Failure = Absent;

    fn parker(&self, slot: usize) -> &Bed {
        &self.beds[slot]
    }

    fn clock(&self) -> &StdClock {
        &StdClock
    }

    fn may_spin(&self) -> bool {
        self.spins
    }

    fn yield_now(&self) {
        self.offers.fetch_add(1, Ordering::SeqCst);
    }

    fn spawn(&self, _: &Shared<Self>, slot: usize) -> Result<(), Absent> {
        if self.absent.load(Ordering::SeqCst) {
            return Err(Absent);
        }
        self.called.fetch_add(1, Ordering::SeqCst);
        self.bells[slot].unpark();
        Ok(())
    }

    fn open(&self, slot: usize) -> Result<Desk, OpenError<Absent>> {
        Ok(Desk(slot))
    }

    fn may_go_on(&self, _: &Desk, _: usize) -> bool {
        true
    }

    fn keep_alive(&self, _slot: usize) -> Option<Duration> {
        match self.keep_alive_nanos.load(Ordering::SeqCst) {
            u64::MAX => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    fn close(&self, _: usize, _: Desk) -> Result<(), Absent> {
        Ok(())
    }

    fn broken(&self, _: Absent) {}

    fn cancellation(&self, why: Rejection<&Absent>) -> Option<Absent> {
        why.spawn_failure().copied()
    }

    fn departed(&self, _: usize) {}
}

/// Hires the workers of `pool`: threads that wait for their slots to be called for, and go on until
/// the program ends.
pub(crate) fn hire<const TASKS: usize, const BYTES: usize, const WORKERS: usize>(
    pool: &'static Pool<TASKS, BYTES, WORKERS>,
) {
    for slot in 0..WORKERS {
        thread::spawn(move || {
            loop {
                let Unparked::Woken = pool.kind().bells[slot].park(None) else { continue };
                pool.work(slot);
            }
        });
    }
}
