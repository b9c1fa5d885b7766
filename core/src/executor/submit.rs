//! Submit: a job becomes a task, and somebody will look at it.

use super::Engine;
use super::growth::{Resumed, Verdict};
use super::kind::{Rejected, Rejection, WorkerKind};
use super::memory::{Made, Memory, Shared, Store};
use super::tally::Item;
use crate::census::AfterPush;
use crate::clock::{Clock, Instant};
use crate::lifecycle::Phase;
use crate::park::Park;
use crate::sync::Ordering;
use crate::task::{Handle, Job};

/// A handle, or the job back.
pub type Submitted<K, J> = Result<
    Handle<
        <J as Job<<K as WorkerKind>::Seat, <K as WorkerKind>::Failure>>::Output,
        <K as WorkerKind>::Failure,
    >,
    Rejected<J, <K as WorkerKind>::Failure>,
>;

impl<K: WorkerKind> Engine<K> {
    /// Submits `job` at that moment; one that is unknown makes it a task that is not timed.
    pub(super) fn submit<J: Job<K::Seat, K::Failure>>(
        this: &Shared<K>,
        job: J,
        now: Instant,
    ) -> Submitted<K, J> {
        let (entry, handle) = Self::admit(this, job, now)?;
        this.store.push(entry);
        this.note_pending();

        let called = this.census.after_push(|| this.may_grow());
        let reason = match Self::follow(this, called) {
            // The fence F1 is behind: the closer saw the task, or this thread sees the phase.
            Ok(()) => this.refusal(),
            Err(cause) => {
                // C6: others may rely on the worker that could not be spawned.
                // SAFETY: the task was made with a `J`.
                let ours = unsafe { handle.withdraw::<J>() };
                this.drain(Some(&cause));
                return match ours {
                    Some(job) => Err(Rejected { job, reason: Rejection::Spawn(cause) }),
                    None => Ok(handle),
                };
            }
        };
        if let Some(reason) = reason {
            // SAFETY: the task was made with a `J`.
            if let Some(job) = unsafe { handle.withdraw::<J>() } {
                return Err(Rejected { job, reason });
            }
        }
        Ok(handle)
    }

    /// Makes a task of `job`. It counts as pending, and its entry is not in the queue yet.
    pub(super) fn admit<J: Job<K::Seat, K::Failure>>(
        this: &Shared<K>,
        job: J,
        now: Instant,
    ) -> Result<Made<K, J>, Rejected<J, K::Failure>> {
        if let Some(reason) = this.refusal() {
            this.kind.left_queue();
            return Err(Rejected { job, reason });
        }
        let Some(vacancy) = this.store.reserve() else {
            this.kind.left_queue();
            return Err(Rejected { job, reason: Rejection::Full });
        };
        // ORDERING: Relaxed: a number; who counts it is ordered by the queue (X3) or F1.
        let id = this.submitted.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let home = K::Memory::as_ptr(this);
        Ok(this.store.make(vacancy, job, home, id, now))
    }

    /// Why no task is taken.
    pub(super) fn refusal<E>(&self) -> Option<Rejection<E>> {
        match self.lifecycle.phase() {
            Phase::Open => None,
            Phase::Broken => Some(Rejection::Broken),
            Phase::Draining | Phase::Terminated => Some(Rejection::Closed),
        }
    }

    /// Spawns workers whatever is in the queue (C10), so many or as many as there is room for. The
    /// number of those that were spawned, and the cause if one could not be.
    pub(super) fn spawn_workers(this: &Shared<K>, most: usize) -> (usize, Option<K::Failure>) {
        for spawned in 0..most {
            if !this.lifecycle.is_open() {
                return (spawned, None);
            }
            let Some(slot) = this.census.hire() else { return (spawned, None) };
            if let Err((cause, _)) = Self::start(this, slot) {
                // A submitter may have counted on this worker.
                if this.pending() > 0 {
                    Self::call_or_settle(this);
                }
                return (spawned, Some(cause));
            }
        }
        (most, None)
    }

    /// Spawns the worker of a slot that this thread has claimed; C6 if there can be none.
    fn start(this: &Shared<K>, slot: usize) -> Result<(), (K::Failure, Verdict)> {
        let seat = &this.seats()[slot];
        seat.tally.count(Item::SpawnTried);
        seat.post.offer(this.lifecycle.generation());
        let Err(cause) = this.kind.spawn(this, slot) else { return Ok(()) };
        // V1: else somebody has come all the same, and has settled it.
        if seat.post.take().is_none() {
            return Ok(());
        }
        let verdict = this.leave_unmanned(slot, &cause);
        Err((cause, verdict))
    }

    /// W3, C6: a slot has no worker after all. The caller looks after those who counted on it.
    pub(super) fn leave_unmanned(&self, slot: usize, cause: &K::Failure) -> Verdict {
        self.seats()[slot].tally.count(Item::SpawnFailed);
        let verdict = self.growth.failed(self.kind.clock().now());
        self.census.leave(slot);
        self.kind.spawn_failed(slot, cause);
        verdict
    }

    /// C1 and C6: sees to it that somebody looks at the queue.
    ///
    /// # Errors
    ///
    /// If nobody lives and none could be spawned. Then the caller drains the queue.
    pub(super) fn call_for_worker(this: &Shared<K>) -> Result<(), K::Failure> {
        Self::follow(this, this.census.call(|| this.may_grow()))
    }

    fn may_grow(&self) -> bool {
        self.wants_worker() && self.growth.is_due(|| self.kind.clock().now())
    }

    /// Wakes or spawns whom the census has named; if there can be nobody, asks it again.
    fn follow(this: &Shared<K>, mut called: AfterPush) -> Result<(), K::Failure> {
        loop {
            match called {
                AfterPush::Leave => return Ok(()),
                AfterPush::Wake(slot) => {
                    this.kind.parker(slot).unpark();
                    return Ok(());
                }
                AfterPush::Spawn(slot) => {
                    if !this.lifecycle.is_open() {
                        // Nobody is called for any more; the caller settles what it pushed.
                        this.census.leave(slot);
                        return Ok(());
                    }
                    let Err((cause, verdict)) = Self::start(this, slot) else { return Ok(()) };
                    if this.pending() == 0 {
                        return Ok(());
                    }
                    if verdict == Verdict::GiveUp && this.census.live() == 0 {
                        return Err(cause);
                    }
                }
            }
            // After a failure growth must wait; only that nobody lives is worth another try.
            called = this.census.call(|| false);
        }
    }

    /// The same for who has no task of its own to give back: if there can be no worker, everything
    /// that is pending is resolved with the cause.
    pub(super) fn call_or_settle(this: &Shared<K>) {
        if let Err(cause) = Self::call_for_worker(this) {
            this.drain(Some(&cause));
        }
    }

    /// The same for entries that have come back. In a pool that is not open nothing is cancelled here as long as a
    /// worker lives: it may wait for the task that this thread is in, and each worker looks before it is gone.
    pub(super) fn call_for_returned(this: &Shared<K>) {
        Self::call_or_settle(this);
        // The fence F1 is behind: the closer saw the entries, or this thread sees the phase; and whoever is seen alive
        // sees them when it has left (F3).
        if !this.lifecycle.is_open() && this.census.live() == 0 {
            this.drain(None);
        }
    }

    /// Tries to grow again if that is due after a failure: what is done by a worker that starts or has
    /// finished a task, and by a submitter that waits for room.
    #[cold]
    pub(super) fn resume_growth(this: &Shared<K>, now: Instant) {
        this.growth.resume(now, || {
            if this.census.live() < this.census.slots() && this.wants_worker() {
                Self::call_or_settle(this);
                Resumed::Tried
            } else {
                Resumed::NotWanted
            }
        });
    }
}
