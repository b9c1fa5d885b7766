//! How a task is let in, and what its submitter does while there is no room.

use asyncpal_core::executor::{Rejected, WorkerKind as _};
use asyncpal_core::task::Job;

use super::inner::Inner;
use super::loan::OnLoan;
use super::room::Room;
use super::submit::WhenFull;
use crate::clock::Deadline;
use crate::contain::contain;
use crate::current::{CurrentWorker, held_here};
use crate::error::PoolError;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::kind::Kind;
use crate::parker::{Called, calls_workers};
use crate::running::{self, Tracked};

/// On which terms a task is let in; its place is taken.
enum Admission<S> {
    /// Like any other.
    Pending,
    /// To be run by the submitter, on this seat.
    RunHere(S),
    /// To be cancelled by the submitter.
    Cancelled,
}

/// What a submitter does about a full pool.
pub(super) enum Patience<'w> {
    /// As the pool's policy says.
    Policy(WhenFull),
    /// It waits at most so long.
    Until(Deadline),
    /// It waits, whatever the policy but `RunHere`.
    Wait(Wait<'w>),
}

/// How long a submitter waits that the pool's policy must not cost a task.
pub(crate) struct Wait<'w> {
    /// At most until then. Without a deadline a worker of the pool does not wait.
    pub(crate) deadline: Deadline,
    /// No longer than until this says so: there is something better to do. It is asked under the lock of the
    /// room, whenever a pending task has left the queue.
    pub(crate) or: &'w dyn Fn() -> bool,
}

impl<K: Kind> Inner<K> {
    /// Takes a place for a task.
    fn admit(&self, patience: Patience<'_>) -> Result<Admission<K::Seat>, PoolError> {
        if self.is_forked() {
            return Err(PoolError::Forked);
        }
        let Some(room) = &self.staff().room else { return Ok(Admission::Pending) };
        if room.try_take() {
            return Ok(Admission::Pending);
        }
        self.check()?;
        // All workers may be busy for long: this submit is one that would have tried to grow.
        self.executor.resume_growth();
        match patience {
            Patience::Until(deadline) => self.wait_for_room(room, deadline, None),
            Patience::Wait(Wait { deadline, or }) => {
                if self.plan.when_full == WhenFull::RunHere && !deadline.is_past() {
                    return Ok(Self::run_here(room));
                }
                self.wait_for_room(room, deadline, Some(or))
            }
            Patience::Policy(WhenFull::Wait) => self.wait_for_room(room, Deadline::NEVER, None),
            Patience::Policy(WhenFull::Reject) => Err(PoolError::Full),
            Patience::Policy(WhenFull::RunHere) => Ok(Self::run_here(room)),
            Patience::Policy(WhenFull::DropOldest) => {
                while !room.try_take() {
                    if !self.executor.cancel_oldest() {
                        // All that take up room are on their way into the queue or out of it.
                        room.overdraw();
                        break;
                    }
                }
                Ok(Admission::Pending)
            }
            Patience::Policy(WhenFull::DropNewest) => {
                room.overdraw();
                Ok(Admission::Cancelled)
            }
        }
    }

    /// Lets a job in and submits it, or gives it back.
    pub(super) fn submit<J: Job<K::Seat, Failure> + 'static>(
        &self,
        job: J,
        patience: Patience<'_>,
    ) -> Result<Handle<J::Output>, (J, PoolError)> {
        // SAFETY: it borrows nothing.
        unsafe { self.submit_borrowing(job, patience) }
    }

    /// The same.
    ///
    /// # Safety
    ///
    /// As of `Executor::submit_borrowing`.
    pub(super) unsafe fn submit_borrowing<J: Job<K::Seat, Failure>>(
        &self,
        job: J,
        patience: Patience<'_>,
    ) -> Result<Handle<J::Output>, (J, PoolError)> {
        match self.admit(patience) {
            // SAFETY: as of the caller.
            Ok(admission) => unsafe { self.submit_admitted(job, admission) },
            Err(reason) => Err((job, reason)),
        }
    }

    /// # Safety
    ///
    /// As of `Executor::submit_borrowing`.
    unsafe fn submit_admitted<J: Job<K::Seat, Failure>>(
        &self,
        job: J,
        admission: Admission<K::Seat>,
    ) -> Result<Handle<J::Output>, (J, PoolError)> {
        let job = Tracked(job);
        calls_workers(Called::Nobody);
        let submitted = match admission {
            // SAFETY: as of the caller.
            Admission::Pending => unsafe { self.executor.submit_borrowing(job) },
            Admission::RunHere(mut seat) => {
                let _post = running::take_post(self.staff().terms.observer.clone());
                // SAFETY: as of the caller.
                unsafe { self.executor.run_borrowing(job, &mut seat) }
                    .inspect(|_| running::note_inlined())
            }
            // SAFETY: as of the caller.
            Admission::Cancelled => unsafe { self.executor.cancel_borrowing(job) },
        };
        submitted.map(Handle::new).map_err(|rejected| self.given_back(rejected))
    }

    /// The same without a handle.
    pub(super) fn spawn<J>(&self, job: J, patience: Patience<'_>) -> Result<(), (J, PoolError)>
    where
        J: Job<K::Seat, Failure> + 'static,
    {
        match self.admit(patience) {
            Ok(Admission::Pending) => {
                self.executor.spawn(Tracked(job)).map_err(|rejected| self.given_back(rejected))
            }
            Ok(special) => {
                // SAFETY: it borrows nothing.
                let submitted = unsafe { self.submit_admitted(job, special) };
                submitted.map(|handle| contain(|| drop(handle)))
            }
            Err(reason) => Err((job, reason)),
        }
    }

    fn given_back<J>(&self, rejected: Rejected<Tracked<J>, Failure>) -> (J, PoolError) {
        (rejected.job.0, self.refusal(rejected.reason))
    }

    /// Runs a job on the seat of an idle worker, on this thread; gives it back if there is none.
    pub(super) fn run_on_idle<J: Job<K::Seat, Failure> + 'static>(
        &self,
        job: J,
    ) -> Result<Result<Handle<J::Output>, PoolError>, J> {
        if self.is_forked() || self.staff().room.as_ref().is_some_and(|room| !room.try_take()) {
            return Err(job);
        }
        let _post = running::take_post(self.staff().terms.observer.clone());
        match self.executor.run_on_idle(OnLoan::<K, _>::new(Tracked(job))) {
            Ok(ran) => {
                let ran = ran.inspect(|_| running::note_inlined());
                Ok(ran.map(Handle::new).map_err(|rejected| self.refusal(rejected.reason)))
            }
            Err(job) => {
                self.staff().left_queue();
                Err(job.into_inner().0)
            }
        }
    }

    /// Lets in what never comes into the queue.
    fn run_here(room: &Room) -> Admission<K::Seat> {
        let seat = K::INLINE.expect("the builder or the caller has seen it");
        room.overdraw();
        Admission::RunHere(seat())
    }

    /// A worker of the pool runs the task instead, or, if its thread runs none, has it queued without a place, and so has
    /// who holds a worker: this thread may be the only one that makes room. But a timed wait never runs a task for want
    /// of another way, as with `Handle::wait_timeout`, and comes to its end.
    fn wait_for_room(
        &self,
        room: &Room,
        deadline: Deadline,
        or: Option<&dyn Fn() -> bool>,
    ) -> Result<Admission<K::Seat>, PoolError> {
        if deadline.is_never() {
            if CurrentWorker::of(self.home()).is_some_and(|worker| worker.inline) {
                return Ok(Self::run_here(room));
            }
            if !held_here(self.home()).is_empty() {
                room.overdraw();
                return Ok(Admission::Pending);
            }
        }
        if room.take_until(deadline, or) { Ok(Admission::Pending) } else { Err(PoolError::Full) }
    }
}
