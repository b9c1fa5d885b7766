//! A worker's seat, lent to callers while the worker sleeps.
//!
//! A caller that would wait for its task anyway does not wake a worker: it borrows the seat of an idle one
//! and runs the task there itself. The worker sleeps on.
//!
//! # State
//! Three words per slot: where the seat is (`seat`), how many tasks were run on it (`tasks`), and who has it
//! (`word`):
//!
//! | value | meaning |
//! |---|---|
//! | `HOME` | the seat is the worker's; or there is none |
//! | `OFFERED` | the worker sleeps, or is about to; who takes the seat and finds the worker unclaimed may borrow it |
//! | `LENT` | a borrower has it |
//! | `WANTED` | the same, and the worker waits for it |
//!
//! # Invariants
//! - **N1** The seat, the slot's accounts and, but for claims (C1), its idle bit are touched by one thread: the worker
//!   while the word says `HOME`, the borrower while it says `LENT` or `WANTED`, nobody while it says `OFFERED`.
//! - **N2** A borrower that has cleared the idle bit sets it again, or owes the worker a wake.
//! - **N3** A borrower counts as busy (X2) before it counts the pending tasks (X1), and borrows only if there
//!   are none: so it goes before no task, and who submits meanwhile sees that this worker is taken.
//! - **N10** A borrower's task counts as withdrawn (X1), not as a claim: it never came into the queue, and must
//!   not be taken for one that did.
//! - **N11** The seat lies on the worker's stack. Every other reference to it is made of the address in `seat`, that
//!   of a `&mut` which the worker's `Offer` borrows: so none lives beside the worker's own. The offer ends with N7,
//!   even if the kind panics and the stack unwinds: then, too, the worker waits for its borrower.
//! - **N12** A claim of the worker (C1) stands until the worker answers it: a borrower sets the idle bit only if it has
//!   cleared it itself, and the worker, once it has the seat back, clears the bit or finds that it was claimed. So while
//!   a call is unanswered no task runs on the seat; a worker that is awake is not idle; and while a borrower's task
//!   runs, the worker is not idle either.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | N4 `offer` | home → offered | worker | it has announced itself idle (C2 of the census), and found nothing |
//! | N5 `take` | offered → lent | borrower | it has seen the worker idle; it clears the idle bit next (C11) |
//! | N6 `give_back` | lent → offered, wanted → home | borrower | the worker was claimed; or its task is over, and the bit is set again (C12) |
//! | N7 `reclaim` | offered → home, lent → wanted | worker | it stops sleeping, and clears its idle bit next (C5); or its stack unwinds |
//!
//! # Edges
//! - **N8** N4, N6 (Release) / N5, N7 (Acquire): the seat, and what was done to it; who clears the idle bit finds it
//!   as it was set, or claimed since.
//! - **N9 ↔ F1** fence in `borrow` / fence in `after_push`: the borrower counts the task, or the submitter
//!   sees that the worker is busy.
//! - F2 ↔ F1 once more, before N6: the borrower counts the task that was submitted meanwhile and calls for
//!   a worker, or its submitter sees an idle one.
//!
//! # Progress
//! Lock-free: a retry of N7 means that a borrower has taken the seat or given it back. The others are wait-free.
//! A worker that wants its seat sleeps until the borrower's task is over.
//!
//! # Modelled by
//! `loom-tests/tests/executor/loan.rs`, `loom-tests/tests/executor/home.rs`
#![forbid(unsafe_code)]

use core::marker::PhantomData;
use core::{mem, ptr};

use super::kind::WorkerKind;
use super::memory::Shared;
use crate::park::Park;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, constructor};

pub(super) const HOME: usize = 0;
pub(super) const OFFERED: usize = 1;
pub(super) const LENT: usize = 2;
const WANTED: usize = 3;

/// The loan of one slot.
pub(super) struct Loan {
    pub(super) word: AtomicUsize,
    /// Where the seat is. The worker writes it while the word says `HOME`.
    pub(super) seat: AtomicPtr<()>,
    /// Tasks that the worker has run, and borrowers on its seat. N1.
    tasks: AtomicUsize,
}

impl Loan {
    constructor! {
        /// That of a slot without a worker.
        pub(super) fn new() -> Self {
            Self {
                word: AtomicUsize::new(HOME),
                seat: AtomicPtr::new(ptr::null_mut()),
                tasks: AtomicUsize::new(0),
            }
        }
    }

    /// N4. The worker does not touch the seat until it has reclaimed it.
    pub(super) fn offer(&self, seat: *mut ()) {
        // ORDERING: Relaxed: N8 follows.
        self.seat.store(seat, Ordering::Relaxed);
        // ORDERING: Release, N8.
        self.word.store(OFFERED, Ordering::Release);
    }

    /// N7. True if the seat is the worker's again; else a wake will come when it is.
    pub(super) fn reclaim(&self) -> bool {
        let mut seen = OFFERED;
        loop {
            let to = if seen == OFFERED { HOME } else { WANTED };
            // ORDERING: Acquire, N8; on failure, too: the borrower may have left it `HOME`.
            match self.word.compare_exchange(seen, to, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return to == HOME,
                Err(HOME) => return true,
                Err(WANTED) => return false,
                // Another borrower may take what the last one has given back.
                Err(now) => seen = now,
            }
        }
    }

    /// Whether a borrower has it: a snapshot.
    pub(super) fn is_lent(&self) -> bool {
        // ORDERING: Relaxed: a hint.
        self.word.load(Ordering::Relaxed) == LENT
    }

    /// How many tasks were run on the seat. The caller has it.
    pub(super) fn tasks(&self) -> usize {
        // ORDERING: Relaxed: N1; N8 passes the word on.
        self.tasks.load(Ordering::Relaxed)
    }

    pub(super) fn note_tasks(&self, tasks: usize) {
        // ORDERING: Relaxed: as above.
        self.tasks.store(tasks, Ordering::Relaxed);
    }
}

/// A seat that its worker has offered, if its kind lends. The worker cannot reach it until it is back: N11.
#[must_use]
pub(super) struct Offer<'w, K: WorkerKind> {
    engine: &'w Shared<K>,
    slot: usize,
    seat: PhantomData<&'w mut K::Seat>,
}

impl<'w, K: WorkerKind + 'w> Offer<'w, K> {
    /// N4, by a worker that has run so many tasks.
    pub(super) fn new(
        engine: &'w Shared<K>,
        slot: usize,
        seat: &'w mut K::Seat,
        tasks: usize,
    ) -> Self {
        let offer = Self { engine, slot, seat: PhantomData };
        if K::LENDS {
            offer.loan().note_tasks(tasks);
            if engine.kind.lend(seat, engine.kind.parker(slot)) {
                offer.loan().offer(ptr::from_mut(seat).cast());
            }
        }
        offer
    }

    fn loan(&self) -> &Loan {
        &self.engine.seats()[self.slot].loan
    }

    /// Whether a borrower has the seat: a snapshot.
    pub(super) fn is_lent(&self) -> bool {
        K::LENDS && self.loan().is_lent()
    }

    /// N7, and waits for the seat. How many tasks were run on it; `tasks` if it is not lent.
    pub(super) fn reclaim(self, tasks: usize) -> usize {
        if !K::LENDS {
            return tasks;
        }
        self.wait();
        self.engine.seats()[self.slot].ticks.set_looking();
        let tasks = self.loan().tasks();
        // It is back.
        mem::forget(self);
        tasks
    }

    /// N7, and waits for it.
    fn wait(&self) {
        while !self.loan().reclaim() {
            let _ = self.engine.kind.parker(self.slot).park(None);
        }
    }
}

/// N11: the stack unwinds.
impl<K: WorkerKind> Drop for Offer<'_, K> {
    fn drop(&mut self) {
        if K::LENDS {
            self.wait();
        }
    }
}
