//! Callers that run a task on the seat of an idle worker: the other side of [`loan`](super::loan), where the
//! names N1 to N12 stand.

#[cfg(doc)]
use super::kind::Rejected;
use super::kind::WorkerKind;
use super::loan::{HOME, LENT, Loan, OFFERED};
use super::submit::Submitted;
use super::{Engine, Executor, Heap};
use crate::census::Leaving;
use crate::park::Park;
use crate::sync::{Ordering, fence};
use crate::task::{Job, Popped};

/// The borrower's transitions.
impl Loan {
    /// N5.
    fn take(&self) -> Option<*mut ()> {
        // ORDERING: Acquire, N8. Relaxed on failure: nothing is read.
        let taken = self.word.compare_exchange(OFFERED, LENT, Ordering::Acquire, Ordering::Relaxed);
        // ORDERING: Relaxed: N8 is behind.
        taken.is_ok().then(|| self.seat.load(Ordering::Relaxed))
    }

    /// N6. True if the worker waits for it, and must be woken.
    fn give_back(&self) -> bool {
        // ORDERING: Release, N8. Relaxed on failure: nothing is read.
        let back = self.word.compare_exchange(LENT, OFFERED, Ordering::Release, Ordering::Relaxed);
        if back.is_err() {
            // ORDERING: Release, N8. The worker waits: nobody else changes the word.
            self.word.store(HOME, Ordering::Release);
        }
        back.is_err()
    }

    /// One more was; how many that makes.
    fn count_task(&self) -> usize {
        let tasks = self.tasks() + 1;
        self.note_tasks(tasks);
        tasks
    }
}

/// A seat in the hands of a caller. Dropped, it is given back, whatever has happened.
struct Borrowed<'e, K: WorkerKind<Memory = Heap>> {
    executor: &'e Executor<K>,
    slot: usize,
    seat: *mut (),
    /// Whether the worker may be lent again; else it has to look for itself.
    fit: bool,
}

impl<'e, K: WorkerKind<Memory = Heap>> Borrowed<'e, K> {
    /// N5, C11: the seat of the lowest idle worker that has offered it, if nothing is pending.
    fn of(executor: &'e Executor<K>) -> Option<Self> {
        let engine = executor.shared();
        if engine.pending() > 0 {
            return None;
        }
        let offered = |slot: usize| Some((slot, engine.seats()[slot].loan.take()?));
        let (slot, seat) = engine.census.idle_slots().find_map(offered)?;
        // From here on it is given back in every case.
        let mut borrowed = Self { executor, slot, seat, fit: false };
        // C11, N12.
        if engine.census.leave_idle(slot) == Leaving::Claimed {
            return None;
        }
        engine.seats()[slot].ticks.set_leaving();
        // ORDERING: SeqCst, N9.
        fence(Ordering::SeqCst);
        borrowed.fit = engine.pending() == 0;
        borrowed.fit.then_some(borrowed)
    }

    fn seat(&mut self) -> &mut K::Seat {
        // SAFETY: N1: the word says that it is this thread's; the worker, on whose stack it lies, does not
        // leave before it has it back. N11: it was made of a `&mut K::Seat`, which nobody uses meanwhile.
        unsafe { &mut *self.seat.cast::<K::Seat>() }
    }
}

impl<K: WorkerKind<Memory = Heap>> Drop for Borrowed<'_, K> {
    fn drop(&mut self) {
        let engine = self.executor.shared();
        let seat = &engine.seats()[self.slot];
        if self.fit {
            seat.ticks.set_looking();
            // C12.
            engine.census.go_idle(self.slot);
        }
        // N2: or else it looks for itself. If it counts as busy, it does so until then.
        let is_wanted = seat.loan.give_back();
        if is_wanted || !self.fit {
            engine.kind.parker(self.slot).unpark();
        } else if engine.pending() > 0 {
            Engine::<K>::call_or_settle(engine);
        }
    }
}

impl<K: WorkerKind<Memory = Heap, Seat: Send>> Executor<K> {
    /// Runs `job` here and now, on the seat of an idle worker that sleeps on; the job comes back if there
    /// is none, or a task is pending. Only for kinds that [lend](WorkerKind::LENDS) their seats.
    ///
    /// # Errors
    ///
    /// The inner error, [`Rejected`], gives the job back: the pool is not open.
    pub fn run_on_idle<J: Job<K::Seat, K::Failure> + 'static>(
        &self,
        job: J,
    ) -> Result<Submitted<K, J>, J> {
        let Some(mut borrowed) = Borrowed::of(self) else { return Err(job) };
        Ok(self.run_on(&mut borrowed, job))
    }

    fn run_on<J: Job<K::Seat, K::Failure> + 'static>(
        &self,
        borrowed: &mut Borrowed<'_, K>,
        job: J,
    ) -> Submitted<K, J> {
        let engine = self.shared();
        let (entry, handle) = Engine::<K>::admit(engine, job, engine.task_time())?;
        let Popped::Claimed(task) = entry.claim() else { return Ok(handle) };
        // Unless it returns: nobody knows in what state it has left the seat.
        borrowed.fit = false;
        // N10.
        self.run_out_of_turn(task, borrowed.seat());
        let tasks = engine.seats()[borrowed.slot].loan.count_task();
        borrowed.fit = engine.kind.may_go_on(borrowed.seat(), tasks);
        Ok(handle)
    }
}
