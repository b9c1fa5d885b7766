//! What a pool, its watcher and its end have in common.

use core::time::Duration;

use asyncpal_core::executor::{Executor, Rejection};
use asyncpal_core::lifecycle::Phase;
use asyncpal_core::task::Job;

use super::attendance::Attendance;
use super::builder::Plan;
use super::pause::Pauses;
use super::roster::Staff;
use super::roster::book::Present;
use crate::clock::Deadline;
use crate::current::{CurrentWorker, held_here};
use crate::error::PoolError;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::running;
use crate::sync::program::AtomicBool;
use crate::sync::{Arc, Ordering};
use crate::watcher::{self, Drain, Generation};

pub(super) struct Inner<K: Kind> {
    pub(super) executor: Executor<Staff<K>>,
    pub(super) plan: Plan<K>,
    /// The process in which the pool works. In a child that was forked from it nothing here is used
    /// but numbers and settings.
    generation: Generation,
    /// Whether somebody has waited for its end in vain, and wants no more of that.
    is_given_up: AtomicBool,
}

/// Runs wherever a worker sits.
pub(super) struct Probe;

impl<S> Job<S, Failure> for Probe {
    type Output = ();

    fn run(self, _: &mut S) -> Result<(), Failure> {
        Ok(())
    }
}

impl<K: Kind> Inner<K> {
    pub(super) fn new(executor: Executor<Staff<K>>, plan: Plan<K>) -> Self {
        let is_given_up = AtomicBool::new(false);
        Self { executor, plan, generation: Generation::current(), is_given_up }
    }

    /// Whether the pool works in a process that this one was forked from.
    pub(super) fn is_forked(&self) -> bool {
        self.generation.is_past()
    }

    pub(super) fn staff(&self) -> &Staff<K> {
        self.executor.engine().kind()
    }

    pub(super) fn phase(&self) -> Phase {
        self.executor.engine().phase()
    }

    /// Why it takes no tasks, if it does not.
    pub(super) fn check(&self) -> Result<(), PoolError> {
        if self.is_forked() {
            return Err(PoolError::Forked);
        }
        match self.phase() {
            Phase::Open => Ok(()),
            Phase::Broken => Err(self.staff().broken_or_closed()),
            Phase::Draining | Phase::Terminated => Err(PoolError::Closed),
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        let phase = self.phase();
        // In a forked child nobody can say any more than what was known before.
        phase == Phase::Terminated
            || phase == Phase::Draining && !self.is_forked() && self.has_no_workers()
    }

    fn has_no_workers(&self) -> bool {
        self.staff().book().look(Attendance::is_empty)
    }

    /// How many workers are not gone yet.
    pub(super) fn unfinished_workers(&self) -> usize {
        // A forked child takes no lock of its parent's: there it is as many as lived then.
        if self.is_forked() {
            self.executor.engine().counts().workers
        } else {
            self.staff().book().unfinished()
        }
    }

    pub(super) fn home(&self) -> *const () {
        core::ptr::from_ref(self.executor.engine()).cast()
    }

    pub(super) fn refusal(&self, reason: Rejection<Failure>) -> PoolError {
        match reason {
            Rejection::Closed => PoolError::Closed,
            Rejection::Broken => self.staff().broken_or_closed(),
            Rejection::Spawn(cause) => PoolError::of_spawn(&cause),
            reason => unreachable!("{reason:?}: the queue grows"),
        }
    }

    /// The workers of this pool that this thread is, or has the seats of.
    fn callers(&self) -> Vec<u64> {
        held_here(self.home())
    }

    fn wait_until_left(&self, workers: Present, deadline: Deadline) -> bool {
        self.staff().book().wait_until_left(workers, &self.callers(), deadline)
    }

    /// Sees to it that every task submitted until now was claimed, and waits for whoever claimed it.
    pub(super) fn join(&self, deadline: Deadline) -> bool {
        if self.is_forked() {
            return false;
        }
        let engine = self.executor.engine();
        let mark = engine.mark();
        let mut pauses = Pauses::new();
        loop {
            let all_claimed = engine.has_passed(mark);
            // After that look: whoever has claimed a task is on it. And before the renewal: whoever is on it was called
            // for before the new generation, so it leaves when it finds no task.
            let present = self.staff().book().snapshot();
            let is_worker = !self.callers().is_empty();
            if is_worker && !all_claimed {
                if deadline.is_past() {
                    return false;
                }
                if self.run_oldest() {
                    pauses = Pauses::new();
                    continue;
                }
            }
            self.executor.renew_workers();
            if all_claimed || !is_worker {
                let in_time = self.wait_until_left(present, deadline);
                if all_claimed || !in_time {
                    return in_time;
                }
            }
            // What is pending now is on its way into the queue, or its canceller has not done with it; or other workers
            // must run it. Nobody tells when they have.
            if !pauses.pause(deadline) {
                return false;
            }
        }
    }

    /// Runs the oldest pending task on this worker, if that can be; false if there is none.
    fn run_oldest(&self) -> bool {
        let is_worker = || CurrentWorker::of(self.home()).is_some();
        let Some(seat) = K::INLINE.filter(|_| is_worker()) else { return false };
        let _post = running::return_to_own_post();
        let ran = self.executor.run_oldest(&mut seat());
        if ran {
            running::note_inlined();
        }
        ran
    }

    /// After the close: waits for the workers, and for their threads; false if some are still there at the
    /// deadline.
    pub(super) fn wait_until_empty(&self, deadline: Deadline) -> bool {
        let left = self.wait_until_left(Present::ALL, deadline)
            && self.staff().book().join_threads(&self.callers(), deadline);
        if left && self.has_no_workers() {
            self.executor.terminated();
        }
        left
    }
}

impl<K: Kind> Inner<K> {
    /// After the close: waits, but no longer, and nor does who drops the pool.
    pub(super) fn give_up_at(&self, deadline: Deadline) {
        if !self.wait_until_empty(deadline) {
            // ORDERING: Relaxed: whoever drops the pool comes after all others.
            self.is_given_up.store(true, Ordering::Relaxed);
        }
    }

    /// The pool is dropped. The watcher keeps it for those that have not left: the caller's own worker, and those
    /// that were given up.
    pub(super) fn end(self: &Arc<Self>) {
        self.executor.close();
        // ORDERING: Relaxed: see `give_up_at`.
        if !self.is_given_up.load(Ordering::Relaxed) {
            self.wait_until_empty(Deadline::NEVER);
        }
        if self.has_no_workers() {
            watcher::forget(self);
        } else {
            watcher::keep(self);
            let this = Arc::downgrade(self);
            self.staff().book().when_empty(move || {
                if let Some(this) = this.upgrade() {
                    watcher::forget(&this);
                }
            });
        }
    }
}

impl<K: Kind> Drain for Inner<K> {
    fn close(&self) {
        // The program's end waits for a limited time.
        self.staff().ask_to_stop();
        self.executor.close();
    }

    fn wait(&self, deadline: Deadline) -> bool {
        self.wait_until_left(Present::ALL, deadline)
    }

    fn calls_out_on_close(&self) -> bool {
        self.staff().terms.observer.has_hook() || self.executor.engine().counts().pending > 0
    }

    fn leave_out(&self, worker: u64) {
        self.staff().book().change(|present| present.set_exiting(worker));
    }

    fn grace(&self) -> Duration {
        self.plan.grace
    }

    fn name(&self) -> &str {
        &self.staff().terms.name
    }
}
