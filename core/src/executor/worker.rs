//! The worker loop: the one that runs on threads, over child processes, on bare metal and under
//! the model checker.
//!
//! A worker that finds the queue empty announces itself idle *before* it publishes the outcome of
//! its last task, so that the caller which that outcome wakes finds it free, and does not spawn
//! another. It announces itself gone only when its finalizer has ended.

use super::kind::{OpenError, WorkerKind};
use super::{Engine, Entry, Ticks};
use crate::census::Leaving;
use crate::clock::{Clock, Instant};
use crate::lifecycle::Generation;
use crate::park::Unparked;
use crate::queue::Consumer;
use crate::sync::{Arc, BLOCK_SLOTS, Ordering};
use crate::task::{Claimed, Finished, Popped};

/// Works in `slot` until there is no more to do there. Called once per successful
/// [`WorkerKind::spawn`], on the new thread of execution.
pub fn work<K: WorkerKind>(engine: &Arc<Engine<K>>, slot: usize) {
    let cause = match engine.kind.open(slot) {
        Ok(mut seat) => {
            Worker::new(engine, slot).serve(&mut seat);
            if let Err(cause) = engine.kind.close(slot, seat) {
                engine.fail(cause);
            }
            None
        }
        Err(OpenError::Initializer(cause)) => {
            engine.fail(cause);
            None
        }
        Err(OpenError::Spawn(cause)) => Some(cause),
    };
    Engine::depart(engine, slot, cause);
    engine.kind.departed(slot);
}

impl<K: WorkerKind> Engine<K> {
    /// C9, or C6 on the worker's side if it could not start because of `cause`.
    fn depart(this: &Arc<Self>, slot: usize, cause: Option<K::Failure>) {
        // Not busy for its successor; whoever counts on this worker meanwhile is seen below, F3.
        this.seats[slot].ticks.set_looking();
        this.census.leave(slot);
        if !this.lifecycle.is_open() {
            // Nobody may be left to meet what a late submit pushed.
            this.drain(None);
        } else if this.pending() > 0 {
            let hopeless = match cause {
                // Others who live look at the queue before they sleep.
                Some(cause) => (this.census.live() == 0).then_some(cause),
                None => Self::call_for_worker(this).err(),
            };
            if let Some(cause) = hopeless {
                this.drain(Some(&cause));
            }
        }
    }
}

/// What a worker does next.
enum Next<K: WorkerKind> {
    Run(Claimed<K::Seat, K::Failure>),
    /// It is announced idle.
    Sleep,
    /// It is announced busy, for good.
    Leave,
}

struct Worker<'e, K: WorkerKind> {
    engine: &'e Engine<K>,
    slot: usize,
    born: Generation,
    consumer: Consumer<'e, Entry<K>, BLOCK_SLOTS>,
    /// The last task, if its end is not published yet.
    finished: Option<Finished>,
    /// When it ended, if that was just now.
    ended: Option<Instant>,
    tasks: usize,
}

impl<'e, K: WorkerKind> Worker<'e, K> {
    fn new(engine: &'e Arc<Engine<K>>, slot: usize) -> Self {
        let engine: &'e Engine<K> = engine;
        Self {
            engine,
            slot,
            // ORDERING: Relaxed: the spawn of this thread came after the store.
            born: Generation::from_word(engine.seats[slot].born.load(Ordering::Relaxed)),
            consumer: engine.queue.consumer(),
            finished: None,
            ended: None,
            tasks: 0,
        }
    }

    /// Runs tasks until the worker must leave. From then on it counts as busy.
    fn serve(&mut self, seat: &mut K::Seat) {
        loop {
            match self.next() {
                Next::Run(task) => {
                    self.run(task, seat);
                    if !self.engine.kind.may_go_on(seat, self.tasks) {
                        self.ticks().set_busy();
                        break;
                    }
                }
                Next::Sleep => {
                    // Announced idle: now the outcome may wake its caller.
                    self.finished = None;
                    self.ended = None;
                    if !self.sleep(seat) {
                        break;
                    }
                }
                Next::Leave => break,
            }
        }
        self.finished = None;
    }

    fn next(&mut self) -> Next<K> {
        if let Some(task) = self.pop() {
            return Next::Run(task);
        }
        if self.engine.lifecycle.wants_rid_of(self.born) {
            self.ticks().set_busy();
            return Next::Leave;
        }
        self.engine.census.go_idle(self.slot);
        // F2 is behind: a submitter has seen this worker idle, or this look finds its task.
        match self.pop() {
            Some(task) => {
                // If it was claimed, the wake that is owed comes later, as a stale token.
                let _ = self.engine.census.leave_idle(self.slot);
                Next::Run(task)
            }
            None => Next::Sleep,
        }
    }

    /// The next pending task. Stubs are discarded; so is everything once the pool is not open.
    fn pop(&mut self) -> Option<Claimed<K::Seat, K::Failure>> {
        loop {
            let entry = self.consumer.pop()?;
            if !self.engine.lifecycle.is_open() {
                continue;
            }
            if let Popped::Claimed(task) = entry.claim() {
                return Some(task);
            }
        }
    }

    fn run(&mut self, task: Claimed<K::Seat, K::Failure>, seat: &mut K::Seat) {
        self.ticks().claim();
        self.finished = None;
        let clock = self.engine.kind.clock();
        let started = self.ended.take().unwrap_or_else(|| clock.now());
        let finished = task.run(seat);
        let ended = clock.now();
        finished.ran(started, ended);
        self.finished = Some(finished);
        self.ended = Some(ended);
        self.tasks += 1;
        self.ticks().set_looking();
    }
    /// Sleeps until there may be something to do; false if the worker must leave.
    fn sleep(&mut self, seat: &mut K::Seat) -> bool {
        let Engine { kind, census, lifecycle, seats, .. } = self.engine;
        let idle_since = kind.clock().now();
        loop {
            let deadline = kind.keep_alive().and_then(|time| idle_since.after(time));
            match kind.park(seat, &seats[self.slot].parker, deadline) {
                // C4.
                Unparked::Woken if !census.is_idle(self.slot) => return true,
                // A stale token, or a new keep-alive.
                Unparked::Woken if !lifecycle.wants_rid_of(self.born) => {}
                Unparked::Woken | Unparked::TimedOut | Unparked::SeatLost => {
                    // Busy first: who sees the bit gone must not count on this worker.
                    self.ticks().set_busy();
                    match census.after_timeout(self.slot) {
                        Leaving::Left => return false,
                        Leaving::Claimed => {
                            self.ticks().set_looking();
                            return true;
                        }
                    }
                }
            }
        }
    }

    fn ticks(&self) -> &Ticks {
        &self.engine.seats[self.slot].ticks
    }
}
