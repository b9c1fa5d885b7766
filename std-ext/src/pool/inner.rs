//! What a pool, its watcher and its end have in common.

use core::time::Duration;

use asyncpal_core::executor::{Executor, Rejection};
use asyncpal_core::lifecycle::Phase;
use asyncpal_core::task::Job;

use super::builder::Plan;
use super::roster::{Present, Staff};
use crate::clock::Deadline;
use crate::error::PoolError;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::watcher::{Drain, Generation};

pub(super) struct Inner<K: Kind> {
    pub(super) executor: Executor<Staff<K>>,
    pub(super) plan: Plan<K>,
    /// The process in which the pool works. In a child that was forked from it nothing here is used
    /// but numbers and settings.
    generation: Generation,
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
        Self { executor, plan, generation: Generation::current() }
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

    pub(super) fn home(&self) -> *const () {
        core::ptr::from_ref(self.executor.engine()).cast()
    }

    pub(super) fn refusal(&self, reason: Rejection<Failure>) -> PoolError {
        match reason {
            Rejection::Closed => PoolError::Closed,
            Rejection::Broken => self.broken(),
            Rejection::Spawn(cause) => PoolError::of_spawn(&cause),
            reason => unreachable!("{reason:?}: the queue grows"),
        }
    }

    pub(super) fn broken(&self) -> PoolError {
        // The cause is set before the phase, so it is there for all who saw the phase.
        self.staff().broken_cause().cloned().map_or(PoolError::Closed, PoolError::Broken)
    }

    /// Sees to it that every task submitted until now was claimed, and waits for whoever claimed it.
    pub(super) fn join(&self, deadline: Deadline) -> bool {
        if self.is_forked() {
            return false;
        }
        let engine = self.executor.engine();
        let mark = engine.mark();
        loop {
            let all_claimed = engine.has_passed(mark);
            // The snapshot comes first: who is on it was called for before the new generation, so
            // it leaves when it finds no task.
            let present = self.staff().snapshot();
            self.executor.renew_workers();
            if !self.staff().wait_until_left(present, self.home(), deadline) {
                return false;
            }
            if all_claimed {
                return true;
            }
        }
    }

    /// After the close: waits for the workers, and for their threads.
    pub(super) fn wait_until_empty(&self, deadline: Deadline) -> bool {
        let empty = self.staff().wait_until_left(Present::ALL, self.home(), deadline);
        if empty {
            self.staff().join_threads(self.home());
            self.executor.terminated();
        }
        empty
    }
}

impl<K: Kind> Drain for Inner<K> {
    fn close(&self) {
        self.executor.close();
        // The program's end waits for a limited time.
        self.staff().ask_to_stop();
    }

    fn wait(&self, deadline: Deadline) -> bool {
        self.staff().wait_until_left(Present::ALL, self.home(), deadline)
    }

    fn grace(&self) -> Duration {
        self.plan.grace
    }

    fn name(&self) -> &str {
        &self.staff().terms.name
    }
}
