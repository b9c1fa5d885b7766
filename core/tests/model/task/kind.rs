//! The worker kind: a spawned worker is an entry in a list, until the scene lets it work.

use super::Opening;
use super::scene::Scene;
use asyncpal_core::clock::{Clock, Instant};
use asyncpal_core::executor::{Heap, OpenError, Rejection, Shared, WorkerKind};
use asyncpal_core::park::{Park, Unparked};
use asyncpal_core::task::Job;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use std::task::Wake;

/// An outcome of a task; a failure, too. Those alive are counted.
#[derive(Debug)]
pub struct Value(std::sync::Arc<AtomicUsize>);

impl Value {
    pub fn new(alive: &std::sync::Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Relaxed);
        Self(std::sync::Arc::clone(alive))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A waker whose calls are counted.
#[derive(Debug, Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    pub fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// The job of a task: tells the scene that it runs, and that it is dropped.
pub struct Errand {
    pub scene: Scene,
    pub task: usize,
    pub inner: super::Inner,
    pub target: u8,
    pub fails: bool,
}

impl Job<Seat, Value> for Errand {
    type Output = Value;

    fn run(self, _: &mut Seat) -> Result<Value, Value> {
        self.scene.begins(self.task);
        self.scene.apply(super::Op::Do(self.inner, self.target));
        self.scene.ends(self.task, self.fails)
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.scene.job_dropped(self.task);
    }
}

/// What a worker owns: how long it works, how its finalizer ends.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    pub tasks: usize,
    pub finalizer_fails: bool,
}

pub struct Kind {
    pub scene: Scene,
}

/// Nobody sleeps: every keep-alive has elapsed.
pub struct Sleepless;

impl Park for Sleepless {
    fn park(&self, _: Option<Instant>) -> Unparked {
        Unparked::TimedOut
    }

    fn unpark(&self) {}
}

impl Clock for Scene {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.time())
    }
}

impl WorkerKind for Kind {
    type Memory = Heap;
    type Park = Sleepless;
    type Clock = Scene;
    type Seat = Seat;
    type Failure = Value;

    fn parker(&self, _: usize) -> &Sleepless {
        &Sleepless
    }

    fn clock(&self) -> &Scene {
        &self.scene
    }

    fn spawn(&self, engine: &Shared<Self>, slot: usize) -> Result<(), Value> {
        self.scene.spawn(engine, slot)
    }

    fn open(&self, _: usize) -> Result<Seat, OpenError<Value>> {
        let (opening, seat) = self.scene.opens();
        match opening {
            Opening::Fine => Ok(seat),
            Opening::NoWorker => Err(OpenError::Spawn(self.scene.value())),
            Opening::Broken => Err(OpenError::Initializer(self.scene.value())),
        }
    }

    fn may_go_on(&self, seat: &Seat, tasks: usize) -> bool {
        let goes_on = tasks < seat.tasks;
        if goes_on {
            self.scene.goes_on();
        }
        goes_on
    }

    fn keep_alive(&self, _slot: usize) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn close(&self, _: usize, seat: Seat) -> Result<(), Value> {
        self.scene.stops_working(seat);
        if seat.finalizer_fails { Err(self.scene.value()) } else { Ok(()) }
    }

    fn broken(&self, _: Value) {}

    fn cancellation(&self, why: Rejection<&Value>) -> Option<Value> {
        why.spawn_failure().map(|_| self.scene.value())
    }

    fn departed(&self, _: usize) {
        self.scene.departed();
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        self.scene.engine_gone();
    }
}
