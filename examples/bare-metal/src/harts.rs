//! The worker kind: workers are harts.
//!
//! Slot i of the pool is hart i + 1. A hart without a worker is *off*: it sleeps on the parker
//! `start` of its slot. To spawn a worker is to leave a token there; to retire is to go back to it.
//! A slot is claimed by one spawner at a time, and again only after its worker has left the pool, so
//! one token is all that can be there. It may come before the hart is off; then the hart does not
//! sleep.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use asyncpal::executor::{OpenError, Rejection, Shared, WorkerKind};
use asyncpal::park::Park;

use crate::machine::{HARTS, Mtime};
use crate::park::HartPark;
use crate::pool::{Failure, Memory, POOL};
use crate::wait::MAIN;

/// The hart that submits.
pub(crate) const SUBMITTER: usize = 0;

/// As many workers as there are other harts.
pub(crate) const WORKERS: usize = HARTS - 1;

/// What a task sees of its worker.
pub(crate) struct Seat {
    slot: usize,
}

impl Seat {
    /// The parker on which the worker waits, within a task, for another.
    pub(crate) fn nested(&self) -> &'static HartPark {
        &POOL.kind().desks[self.slot].nested
    }
}

/// What a slot has for its worker.
struct Desk {
    /// A token here is a worker's birth.
    start: HartPark,
    /// Where an idle worker sleeps.
    idle: HartPark,
    /// Where a task sleeps that waits for another.
    nested: HartPark,
}

impl Desk {
    const fn of(slot: usize) -> Self {
        let hart = slot + 1;
        Self { start: HartPark::new(hart), idle: HartPark::new(hart), nested: HartPark::new(hart) }
    }
}

/// The harts that work.
pub(crate) struct Harts {
    desks: [Desk; WORKERS],
    keep_alive_millis: AtomicUsize,
    /// How many workers were ever spawned.
    births: AtomicUsize,
    /// How many of them are off again.
    departures: AtomicUsize,
}

impl Harts {
    pub(crate) const fn new() -> Self {
        Self {
            desks: [Desk::of(0), Desk::of(1), Desk::of(2)],
            keep_alive_millis: AtomicUsize::new(60_000),
            births: AtomicUsize::new(0),
            departures: AtomicUsize::new(0),
        }
    }

    /// How long an idle worker stays, from its next sleep on.
    pub(crate) fn set_keep_alive(&self, time: Duration) {
        // ORDERING: Relaxed: a number; who must read it anew is roused afterwards.
        self.keep_alive_millis.store(time.as_millis() as usize, Ordering::Relaxed);
    }

    /// How many workers were ever spawned.
    pub(crate) fn births(&self) -> usize {
        // ORDERING: Relaxed: a number.
        self.births.load(Ordering::Relaxed)
    }

    /// How many harts have a worker, or still have to switch off after one.
    pub(crate) fn on(&self) -> usize {
        // ORDERING: Acquire: departures first, each of which happens after its birth.
        let departures = self.departures.load(Ordering::Acquire);
        self.births() - departures
    }

    /// Leaves a token where tasks sleep that wait for something.
    pub(crate) fn rouse_tasks(&self) {
        self.desks.iter().for_each(|desk| desk.nested.unpark());
    }

    /// The life of the hart that works in `slot`.
    pub(crate) fn live(&self, slot: usize) -> ! {
        loop {
            let _ = self.desks[slot].start.park(None);
            POOL.work(slot);
        }
    }
}

impl WorkerKind for Harts {
    type Memory = Memory;
    type Park = HartPark;
    type Clock = Mtime;
    type Seat = Seat;
    type Failure = Failure;

    fn parker(&self, slot: usize) -> &HartPark {
        &self.desks[slot].idle
    }

    fn clock(&self) -> &Mtime {
        &Mtime
    }

    fn spawn(&self, _: &Shared<Self>, slot: usize) -> Result<(), Failure> {
        // ORDERING: Relaxed: a number; the token carries it to the departure.
        self.births.fetch_add(1, Ordering::Relaxed);
        self.desks[slot].start.unpark();
        Ok(())
    }

    fn open(&self, slot: usize) -> Result<Seat, OpenError<Failure>> {
        Ok(Seat { slot })
    }

    fn may_go_on(&self, _: &Seat, _: usize) -> bool {
        true
    }

    fn keep_alive(&self, _slot: usize) -> Option<Duration> {
        // ORDERING: Relaxed: see `set_keep_alive`.
        Some(Duration::from_millis(self.keep_alive_millis.load(Ordering::Relaxed) as u64))
    }

    fn close(&self, _: usize, _: Seat) -> Result<(), Failure> {
        Ok(())
    }

    fn broken(&self, cause: Failure) {
        match cause {}
    }

    fn cancellation(&self, _: Rejection<&Failure>) -> Option<Failure> {
        None
    }

    fn departed(&self, _: usize) {
        // ORDERING: Release: see `on`.
        self.departures.fetch_add(1, Ordering::Release);
        MAIN.unpark();
    }
}
