//! The owner of an engine on the heap.

use super::Engine;
use super::heap::Heap;
use super::kind::{Rejected, Rejection, WorkerKind};
use super::memory::{Consume, Store};
use super::submit::Submitted;
use crate::clock::{Clock, Instant};
use crate::lifecycle::Phase;
use crate::sync::{Arc, Ordering};
use crate::task::{Claimed, Clocked, Finally, Home, Job, Popped};

/// The owner of an engine: submits, joins, closes. Dropping it closes the engine; workers that are
/// at work keep what they need.
pub struct Executor<K: WorkerKind<Memory = Heap>> {
    engine: Arc<Engine<K>>,
}

impl<K: WorkerKind<Memory = Heap>> Executor<K> {
    /// An engine with room for so many workers, and none yet.
    ///
    /// # Panics
    ///
    /// If `max_workers` is zero.
    pub fn new(kind: K, max_workers: usize) -> Self {
        assert!(max_workers > 0, "a pool needs room for one worker");
        Self { engine: Arc::new(Engine::on_heap(kind, max_workers)) }
    }

    pub(super) fn shared(&self) -> &Arc<Engine<K>> {
        &self.engine
    }

    /// The engine.
    pub fn engine(&self) -> &Engine<K> {
        &self.engine
    }

    /// Submits `job`.
    ///
    /// # Errors
    ///
    /// [`Rejected`] gives the job back: the pool is not open, or nobody lives to run it and no
    /// worker could be spawned.
    pub fn submit<J: Job<K::Seat, K::Failure> + 'static>(&self, job: J) -> Submitted<K, J> {
        Engine::<K>::submit(&self.engine, job, self.engine.task_time())
    }

    /// Submits `job` without keeping a handle. The task is timed only if the kind
    /// [wants that](WorkerKind::times_detached).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn spawn<J: Job<K::Seat, K::Failure> + 'static>(
        &self,
        job: J,
    ) -> Result<(), Rejected<J, K::Failure>> {
        let engine = &self.engine;
        let now = if engine.kind.times_detached() { engine.task_time() } else { Instant::UNKNOWN };
        // The task may be over already: then what it returned is dropped here.
        Engine::<K>::submit(engine, job, now).map(|handle| engine.kind.contain(|| drop(handle)))
    }

    /// Spawns so many workers, or as many as there is room for, although there may be no task. The
    /// number of those that were spawned, and the cause if one could not be; none if it is not open.
    pub fn spawn_workers(&self, most: usize) -> (usize, Option<K::Failure>) {
        Engine::<K>::spawn_workers(&self.engine, most)
    }

    /// Tries to grow if that was held back after a failed spawn, and is due: for who would submit, and
    /// waits for room instead.
    pub fn resume_growth(&self) {
        let engine = &self.engine;
        if engine.growth.is_owed() {
            Engine::<K>::resume_growth(engine, engine.kind.clock().now());
        }
    }

    /// Cancels the oldest pending task; false if there is none.
    pub fn cancel_oldest(&self) -> bool {
        self.engine.cancel_oldest()
    }

    /// As [`submit`](Self::submit), for a job or an output that borrows.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Safety
    ///
    /// What the job, its output and the types of both borrow stays there
    /// - until the job has been dropped or has returned a failure, or else until the output's
    ///   [receipt](Job::RECEIPT) has been dropped;
    /// - and for as long as the handle is used or dropped.
    pub unsafe fn submit_borrowing<J: Job<K::Seat, K::Failure>>(&self, job: J) -> Submitted<K, J> {
        Engine::<K>::submit(&self.engine, job, self.engine.task_time())
    }

    /// Makes a task of `job` and runs it here and now, with `seat`: it never comes into the queue.
    /// Waiting for the workers to leave does not wait for it.
    ///
    /// # Errors
    ///
    /// [`Rejected`] gives the job back: the pool is not open.
    ///
    /// # Safety
    ///
    /// As of [`submit_borrowing`](Self::submit_borrowing).
    pub unsafe fn run_borrowing<J: Job<K::Seat, K::Failure>>(
        &self,
        job: J,
        seat: &mut K::Seat,
    ) -> Submitted<K, J> {
        let (entry, handle) = Engine::<K>::admit(&self.engine, job, self.engine.task_time())?;
        if let Popped::Claimed(task) = entry.claim() {
            self.run_out_of_turn(task, seat);
        }
        Ok(handle)
    }

    /// Runs the oldest pending task here and now, with `seat`; false if none was found. For a worker of this
    /// engine, whose own task that becomes a part of: waiting for that worker waits for it.
    pub fn run_oldest(&self, seat: &mut K::Seat) -> bool {
        let mut consumer = self.engine.store.consumer();
        while let Some(entry) = consumer.pop() {
            if !self.engine.lifecycle.is_open() {
                self.engine.turn_down(entry, None);
                continue;
            }
            match entry.claim() {
                Popped::Claimed(task) => {
                    drop(consumer);
                    // ORDERING: Release, X3, U4: as a claim; and what is withdrawn next.
                    self.engine.in_turn.fetch_add(1, Ordering::Release);
                    self.run_out_of_turn(task, seat);
                    return true;
                }
                Popped::CancelRequested(entry) => self.engine.grant_cancel(entry),
                Popped::Stub => {}
            }
        }
        false
    }

    /// Runs a task that no worker has claimed, and that is not in the queue.
    pub(super) fn run_out_of_turn(&self, task: Claimed<K::Seat, K::Failure>, seat: &mut K::Seat) {
        self.engine.store.note_unqueued();
        self.engine.withdrawn();
        self.engine.left_pending();
        let started = self.engine.task_time();
        let clocked = Clocked::new(started);
        let finished = task.run(seat, &clocked);
        finished.ran(started, clocked.ended(|| self.engine.task_time()));
        // What its callbacks do, and the destructor of an outcome without a handle, is not the caller's affair.
        self.engine.kind.contain(|| drop(finished));
    }

    /// Makes a task of `job` and cancels it here and now: it never comes into the queue.
    ///
    /// # Errors
    ///
    /// As [`run_borrowing`](Self::run_borrowing).
    ///
    /// # Safety
    ///
    /// As of [`submit_borrowing`](Self::submit_borrowing).
    pub unsafe fn cancel_borrowing<J: Job<K::Seat, K::Failure>>(&self, job: J) -> Submitted<K, J> {
        let (entry, handle) = Engine::<K>::admit(&self.engine, job, self.engine.task_time())?;
        entry.cancel(self.engine.kind.cancellation(Rejection::Full));
        Ok(handle)
    }

    /// Lets every worker that was called for until now leave as soon as it finds no task. New ones
    /// are spawned as needed.
    pub fn renew_workers(&self) {
        self.engine.renew_workers();
    }

    /// Wakes every idle worker, so that it reads its keep-alive anew.
    pub fn rouse_workers(&self) {
        self.engine.rouse_workers();
    }

    /// Closes: no more submits; what is pending is cancelled; workers leave after the task at
    /// hand. False if it was closed before.
    pub fn close(&self) -> bool {
        self.engine.close()
    }

    /// Notes that no worker is left; see [`Phase::Terminated`]. Nothing, unless it was closed.
    pub fn terminated(&self) {
        if self.engine.phase() == Phase::Draining {
            self.engine.lifecycle.terminate();
        }
    }
}

impl<K: WorkerKind<Memory = Heap>> Drop for Executor<K> {
    fn drop(&mut self) {
        // X5: a submit that came too late left a stub.
        let _emptied = Finally(|| self.engine.drain(None));
        self.close();
    }
}
