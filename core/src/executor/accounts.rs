//! The accounts of an engine: how many tasks are pending, and who is about to look for one.
//!
//! The names X1 to X4 stand in the header of the engine (`executor`), C7 and C8 in that of the census, N1 in that
//! of `loan`, U4 in that of `aside`.
//!
//! # State
//! One word per slot, `ticks`:
//!
//! | bits | field | meaning |
//! |---|---|---|
//! | 0 | `HAS_TASK` | the worker is busy: it runs a task |
//! | 1 | `LEAVES` | the worker is busy: it leaves, or a borrower has its seat |
//! | 2.. | claims | tasks that workers of this slot ever claimed, modulo `CLAIMS` + 1 |
//!
//! # Invariants
//! X1 and X2 of the engine. A word has one writer at a time, so each change is a load and a store: the slot's worker, or
//! who has borrowed its seat (N1).
//!
//! # Transitions
//! | name | change of `ticks` | by | when |
//! |---|---|---|---|
//! | `claim` | one claim more, `HAS_TASK` | worker | a claimed task's turn has come |
//! | `set_looking` | neither flag | worker | a task is over, mostly before its end is published; its last look found a task; it has its seat back; it is about to be gone (C9) |
//! | | | borrower | it gives back a seat that is fit (N6) |
//! | `set_leaving` | `LEAVES` alone | worker | before its last look (X4); it has run its last task; users' code takes its time after one, or in a cancellation |
//! | | | borrower | it has taken the seat (N9) |
//!
//! # Edges
//! **X3**. Who claims a free slot gets the word by C7.
//!
//! # Progress
//! Wait-free. Who counts reads one word per slot, at different moments: X1 says what that is good for.
//!
//! # Modelled by
//! `loom-tests/tests/executor/counts.rs`, `loom-tests/tests/executor/loan.rs`
#![forbid(unsafe_code)]

use super::Engine;
use super::kind::WorkerKind;
use super::loan::Loan;
use super::memory::Store;
use super::tally::Tally;
use super::worker::Post;
use crate::sync::{AtomicUsize, Ordering, constructor};

/// What belongs to a slot, whoever works there.
pub struct Seat {
    pub(super) ticks: Ticks,
    pub(super) post: Post,
    pub(super) loan: Loan,
    pub(super) tally: Tally,
}

impl Seat {
    constructor! {
        /// That of a slot without a worker.
        pub(super) fn new() -> Self {
            Self {
                ticks: Ticks(AtomicUsize::new(0)),
                post: Post::new(),
                loan: Loan::new(),
                tally: Tally::new(),
            }
        }
    }
}

/// A slot's count of claims, and whether its worker is busy: with a task, or because it leaves. Only
/// the slot's worker writes, or who has borrowed its seat (N1 of `loan`).
pub(super) struct Ticks(AtomicUsize);

impl Ticks {
    const HAS_TASK: usize = 1;
    const LEAVES: usize = 2;
    const BUSY: usize = Self::HAS_TASK | Self::LEAVES;
    const CLAIM: usize = 4;
    /// Claims are counted modulo one more than this.
    const CLAIMS: usize = usize::MAX / Self::CLAIM;

    /// How many tasks were claimed, and whether the worker is busy: of one moment.
    fn read(&self) -> (usize, bool) {
        // ORDERING: Acquire, X3.
        let word = self.0.load(Ordering::Acquire);
        (word / Self::CLAIM, word & Self::BUSY != 0)
    }

    fn write(&self, change: impl FnOnce(usize) -> usize) {
        // ORDERING: Relaxed: the worker's own word (C7 passes it on).
        let word = self.0.load(Ordering::Relaxed);
        // ORDERING: Release, X3: the submit of what was claimed.
        self.0.store(change(word), Ordering::Release);
    }

    pub(super) fn claim(&self) {
        self.write(|word| word.wrapping_add(Self::CLAIM) | Self::HAS_TASK);
    }

    pub(super) fn set_leaving(&self) {
        self.write(|word| word & !Self::BUSY | Self::LEAVES);
    }

    /// How many tasks have ended, and whether another runs: of one moment.
    fn ended_and_running(&self) -> (usize, usize) {
        // ORDERING: Relaxed: a snapshot.
        let word = self.0.load(Ordering::Relaxed);
        let running = word & Self::HAS_TASK;
        ((word / Self::CLAIM).wrapping_sub(running), running)
    }

    pub(super) fn set_looking(&self) {
        self.write(|word| word & !Self::BUSY);
    }
}

/// A moment in the order of submits: so many tasks taken from the queue and all that was submitted until then has left
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// Numbers of one pool: a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Workers that live, or are being spawned.
    pub workers: usize,
    /// Workers that wait for a task.
    pub idle: usize,
    /// Tasks that workers have run to their end. Those that a waiting worker runs inline are part of
    /// the task that waits, here and below.
    pub ended: usize,
    /// Tasks that workers are at.
    pub running: usize,
    /// Tasks that were ever submitted.
    pub submitted: usize,
    /// Those of them that have neither started nor been cancelled.
    pub pending: usize,
}

impl<K: WorkerKind> Engine<K> {
    /// Numbers: a snapshot.
    pub fn counts(&self) -> Counts {
        let (mut ended, mut running) = (0_usize, 0);
        for seat in self.seats() {
            let (theirs, at_work) = seat.ticks.ended_and_running();
            ended = ended.wrapping_add(theirs);
            running += at_work;
        }
        Counts {
            workers: self.census.live(),
            idle: self.census.idle(),
            ended,
            running,
            pending: self.pending(),
            // ORDERING: Relaxed: a snapshot; read after `pending`, so it is not the smaller one.
            submitted: self.submitted.load(Ordering::Relaxed),
        }
    }

    /// X1: tasks that were submitted and neither claimed nor withdrawn, and the workers that are
    /// about to look for one (X2).
    pub(super) fn pending_and_looking(&self) -> (usize, usize) {
        const CLAIMS: usize = Ticks::CLAIMS;
        // ORDERING: Acquire, X3.
        let mut gone = self.withdrawn.load(Ordering::Acquire);
        let mut looking = 0;
        for (slot, seat) in self.seats().iter().enumerate() {
            // Those included that have gone idle since the caller pushed its task: they look once more.
            let lives = self.census.is_live(slot);
            // One word for both: a worker is about to look, or has claimed; never counted twice,
            // never missed.
            let (claims, busy) = seat.ticks.read();
            gone = gone.wrapping_add(claims);
            looking += usize::from(lives && !busy);
        }
        // ORDERING: Relaxed: the edges above make it at least as new as what is subtracted.
        let pending = self.submitted.load(Ordering::Relaxed).wrapping_sub(gone) & CLAIMS;
        // The counters wrap; their difference does not, as long as fewer than an eighth of all words
        // are pending (2²⁹ on targets with 32-bit words).
        debug_assert!(pending <= CLAIMS / 2, "X3: what has gone was submitted before");
        (pending, looking)
    }

    pub(super) fn pending(&self) -> usize {
        self.pending_and_looking().0
    }

    /// This moment.
    pub fn mark(&self) -> Mark {
        // ORDERING: Acquire, X3: a withdrawal that is counted is of a task that is counted next.
        let withdrawn = self.withdrawn.load(Ordering::Acquire);
        // ORDERING: Relaxed: X3 makes it at least as new as what it is part of.
        let in_turn = self.in_turn.load(Ordering::Relaxed);
        // ORDERING: Relaxed: a number.
        let submitted = self.submitted.load(Ordering::Relaxed);
        Mark(submitted.wrapping_sub(withdrawn).wrapping_add(in_turn))
    }

    /// Whether every task that was submitted before the mark has ended, or is in the hands of a
    /// thread that ends or runs it; false if that is not certain.
    ///
    /// Tasks are taken from the queue first in, first out, whereas cancellations and other inline claims come in any
    /// order: so only what was taken counts, and only those withdrawals that were there at the mark.
    pub fn has_passed(&self, mark: Mark) -> bool {
        if self.pending() == 0 {
            return true;
        }
        // ORDERING: Acquire, X3, U4: as of a claim.
        let in_turn = self.in_turn.load(Ordering::Acquire);
        let taken =
            self.seats().iter().fold(in_turn, |sum, seat| sum.wrapping_add(seat.ticks.read().0));
        // Read after the claims, U4.
        taken.wrapping_sub(mark.0) & Ticks::CLAIMS <= Ticks::CLAIMS / 2
            && !self.store.aside().is_any()
    }

    /// The policy of growth: one more worker is wanted if more tasks are pending than workers are
    /// about to look.
    pub(super) fn wants_worker(&self) -> bool {
        let (pending, looking) = self.pending_and_looking();
        pending > looking
    }
}
