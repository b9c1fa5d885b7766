//! The census: which workers live, which of them are idle.
//!
//! A submitter asks it whom to wake; a worker asks it whether it may leave. It never blocks.
//!
//! # State
//! Workers have slots; each bank of slots has one word.
//!
//! | bits (64-bit) | field | meaning |
//! |---|---|---|
//! | 0..31 | `live` | slot i has a worker, or one is being spawned for it |
//! | 31..62 | `idle` | worker i sleeps or is about to, and nobody has claimed it |
//! | 62 | `called` | some worker is about to look, and clears this before it does |
//!
//! # Invariants
//! - **I1** `idle ⊆ live`.
//! - **I2** Once every submitter has returned, a non-empty queue has a live worker that is not idle.
//! - **I3** An idle bit is cleared once: by the claimer (C1), which then owes a wake, or by who has the worker's
//!   seat: that worker, or a borrower. After a claim nobody sets it before the worker has answered (C14; N12 of
//!   `loan`). Wakes are tokens; a worker tolerates one that comes late.
//! - **I4** A slot is claimed by one spawner at a time and is free again when its worker is gone
//!   for good, finalizer and all.
//! - **I5** Whoever finds `called` set after its push may rely on it: a worker clears it, looks at the queue
//!   afterwards, and when that look finds a task and there is another, calls for somebody before it runs the
//!   first. So one wake is under way at a time, and whom it wakes, or who is spawned instead, sees to the next.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | C1 `after_push`, `call` | clear the lowest idle bit and set `called`, or set the lowest free live bit, or nothing | submitter; who sees to it that somebody looks | after its push; at any time |
//! | C2 `go_idle` | set own idle bit | worker | it found the queue empty; it looks once more afterwards |
//! | C3, C5 `leave_idle` | clear own idle bit, or nothing if claimed | worker | that look found something (C3); it has slept and was not woken by a claimer (C5) |
//! | C6, C9 `leave` | clear own live bit | spawner that failed; worker that is gone | it looks at the queue once more afterwards |
//! | C11 `leave_idle` | clear a worker's idle bit, or nothing if claimed | borrower | it has that worker's seat (N5 of `loan`) |
//! | C12 `go_idle` | set that bit again | borrower | its task is over, and the seat still its own; it looks at the queue afterwards |
//! | C13 `look_out` | set `called` | worker that is awake, and looks for a while | somebody else is idle |
//! | C14 `answer` | clear `called` | worker that was called, or has looked out | it looks at the queue afterwards |
//! | C10 `hire` | set the lowest free live bit, or nothing | anybody | a worker is wanted, whatever is in the queue |
//!
//! A woken worker (C4) has nothing to clear but the call (C14): the claimer has cleared its bit. A worker that retires clears
//! its idle bit first (C5) and its live bit only when its finalizer has ended (C9); in between it
//! is awake, and looks at the queue once more like every awake worker. One that lends its seat cannot tell a claim
//! from a borrower by its bit before it has the seat back: it does C5 after every sleep.
//!
//! # Edges
//! - **F1 ↔ F2** fence in `after_push` or `call` / fence in `go_idle`: the submitter sees the sleeper, or the
//!   sleeper sees the task.
//! - **F1 ↔ F3** fence in `after_push` or `call` / fence in `leave`: the submitter sees that nobody lives, or
//!   the leaver sees the task.
//! - **F1 ↔ F4** fence in `after_push` or `call` / fence in `answer`: the submitter sees that nobody is called, or the
//!   worker sees the task (I5).
//! - **C7** `leave` (Release) / claiming the free slot (Acquire): the slot's fields pass to the
//!   next worker.
//! - **C8** F1, then calling for a worker / `is_live` (Acquire): who counts a worker counts the task
//!   for which it was called. F1 ↔ F1 alone does not do that: of two submitters the one whose fence
//!   comes first may see the other's worker, and must not take it for one that is there for its own
//!   task.
//!
//! All other operations on the words are Relaxed: the fences order them against the queue, and the
//! queue carries the data.
//!
//! # Progress
//! Lock-free: a retry means that another thread changed the word.
//!
//! # Modelled by
//! `loom-tests/tests/census.rs`, `loom-tests/tests/executor.rs`
#![forbid(unsafe_code)]

mod policy;

use crossbeam_utils::CachePadded;

use self::policy::{BANK, Word};
use crate::sync::{AtomicUsize, Ordering, fence, rmw_fence};

/// Storage for one word: that of 31 slots (15 on targets with 32-bit words).
pub type Bank = CachePadded<AtomicUsize>;

/// What a submitter must do after its push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum AfterPush {
    /// Wake worker i, which was idle.
    Wake(usize),
    /// Spawn a worker for slot i, which was free.
    Spawn(usize),
    /// Nothing: somebody is awake and will look.
    Leave,
}

/// What became of an idle bit that was to be cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Leaving {
    /// The worker was still idle and is not any more.
    Left,
    /// Somebody claimed it: a wake is owed to it, and a task is likely to be there.
    Claimed,
}

impl<B> Census<B> {
    /// A census of nobody, in as many banks as [`banks_for`] says, all zero.
    pub(crate) const fn of(banks: B, slots: usize) -> Self {
        Self { banks, slots }
    }
}

/// The census of at most `slots` workers; `B` is the storage of its banks.
#[derive(Debug)]
pub struct Census<B> {
    banks: B,
    slots: usize,
}

/// How many banks so many slots need.
pub const fn banks_for(slots: usize) -> usize {
    slots.div_ceil(BANK)
}

impl<B: AsRef<[Bank]>> Census<B> {
    /// A census of nobody.
    ///
    /// # Panics
    ///
    /// If `banks` are not [`banks_for`] as many slots, all zero.
    pub fn new(banks: B, slots: usize) -> Self {
        assert_eq!(banks.as_ref().len(), banks_for(slots), "one bank per {BANK} slots");
        Self::of(banks, slots)
    }

    /// The maximum of workers.
    pub const fn slots(&self) -> usize {
        self.slots
    }

    fn bank(&self, slot: usize) -> (&AtomicUsize, usize) {
        (&self.banks.as_ref()[slot / BANK], slot % BANK)
    }

    fn words(&self) -> impl Iterator<Item = (usize, &AtomicUsize, Word)> {
        self.banks.as_ref().iter().enumerate().map(|(bank, word)| {
            // ORDERING: Relaxed: a snapshot; where it decides, F1 or F3 stand before it.
            (bank * BANK, &**word, Word(word.load(Ordering::Relaxed)))
        })
    }

    /// C1. `wants_worker` says whether one more worker is wanted although somebody is awake.
    ///
    /// What made the task reachable was a read-modify-write of this thread; else it [calls](Self::call).
    pub fn after_push(&self, wants_worker: impl Fn() -> bool) -> AfterPush {
        // ORDERING: SeqCst, F1.
        rmw_fence(Ordering::SeqCst);
        self.find_worker(wants_worker)
    }

    /// C1, by whoever has not just pushed a task, but sees to it that somebody looks.
    pub fn call(&self, wants_worker: impl Fn() -> bool) -> AfterPush {
        // ORDERING: SeqCst, F1.
        fence(Ordering::SeqCst);
        self.find_worker(wants_worker)
    }

    fn find_worker(&self, wants_worker: impl Fn() -> bool) -> AfterPush {
        loop {
            let mut free = None;
            let mut somebody_lives = false;
            for (base, bank, mut word) in self.words() {
                while let Some((slot, called)) = word.call_idle() {
                    if word.is_called() || self.somebody_is_called() {
                        return AfterPush::Leave;
                    }
                    // ORDERING: Relaxed: I3 needs only atomicity; F1 is C8's release.
                    match exchange(bank, word, called, Ordering::Relaxed) {
                        Ok(()) => return AfterPush::Wake(base + slot),
                        Err(now) => word = now,
                    }
                }
                somebody_lives |= word.live() != 0;
                if free.is_none() {
                    let claim = word.claim_free(self.slots - base);
                    free = claim.map(|(slot, with)| (base + slot, bank, word, with));
                }
            }
            let Some((slot, bank, word, with)) = free else { return AfterPush::Leave };
            if somebody_lives && !wants_worker() {
                return AfterPush::Leave;
            }
            // ORDERING: Acquire, C7. Not Release: F1 is C8's release.
            if exchange(bank, word, with, Ordering::Acquire).is_ok() {
                return AfterPush::Spawn(slot);
            }
        }
    }

    fn somebody_is_called(&self) -> bool {
        self.words().any(|(_, _, word)| word.is_called())
    }

    /// C10: a free slot for a worker that nobody's task asked for; `None` if there is none.
    pub fn hire(&self) -> Option<usize> {
        for (base, bank, mut word) in self.words() {
            while let Some((slot, with)) = word.claim_free(self.slots - base) {
                // ORDERING: Acquire, C7.
                match exchange(bank, word, with, Ordering::Acquire) {
                    Ok(()) => return Some(base + slot),
                    Err(now) => word = now,
                }
            }
        }
        None
    }

    /// The idle workers, the lowest first: a snapshot of each bank.
    pub fn idle_slots(&self) -> impl Iterator<Item = usize> {
        self.words().flat_map(|(base, _, word)| word.idle_slots().map(move |slot| base + slot))
    }

    /// C2, C12. The caller looks at the queue once more afterwards.
    pub fn go_idle(&self, slot: usize) {
        let (bank, slot) = self.bank(slot);
        // ORDERING: Relaxed: F2 follows.
        bank.fetch_or(Word::idle_bit(slot), Ordering::Relaxed);
        // ORDERING: SeqCst, F2.
        fence(Ordering::SeqCst);
    }

    /// C13, by a worker that is not idle and is about to look for a while: meanwhile nobody else is woken.
    /// True if it must [`answer`](Self::answer) afterwards.
    pub fn look_out(&self, slot: usize) -> bool {
        // Else nobody could be woken, and the word stays as it is in the caches of submitters.
        let is_of_use = self.words().any(|(_, _, word)| word.idle() != 0);
        if is_of_use {
            // ORDERING: Relaxed: the worker looks in any case; C14 is what counts.
            self.bank(slot).0.fetch_or(Word::CALLED, Ordering::Relaxed);
        }
        is_of_use
    }

    /// C14, by a worker that was claimed, or has looked out. The caller looks at the queue once more
    /// afterwards, and calls for somebody if it finds more than it takes (I5).
    pub fn answer(&self, slot: usize) {
        // ORDERING: Relaxed: F4 follows.
        self.bank(slot).0.fetch_and(!Word::CALLED, Ordering::Relaxed);
        // ORDERING: SeqCst, F4.
        fence(Ordering::SeqCst);
    }

    /// C3, C5, C11: after a keep-alive `Left` means that the worker may retire, to a borrower that it may go on.
    pub fn leave_idle(&self, slot: usize) -> Leaving {
        let (bank, slot) = self.bank(slot);
        let bit = Word::idle_bit(slot);
        // ORDERING: Relaxed: I3 needs only atomicity; the loan carries the seat.
        let before = bank.fetch_and(!bit, Ordering::Relaxed);
        if before & bit == 0 { Leaving::Claimed } else { Leaving::Left }
    }

    /// C6, C9. The caller looks at the queue once more afterwards.
    pub fn leave(&self, slot: usize) {
        let (bank, slot) = self.bank(slot);
        // ORDERING: Release, C7. The fence follows.
        bank.fetch_and(!Word::live_bit(slot), Ordering::Release);
        // ORDERING: SeqCst, F3.
        fence(Ordering::SeqCst);
    }

    /// Whether worker `slot` is idle, as it asks itself after a wake.
    pub fn is_idle(&self, slot: usize) -> bool {
        let (bank, slot) = self.bank(slot);
        // ORDERING: Relaxed: the worker set the bit itself, and a clearing that it does not see
        // yet comes with a token that it will.
        bank.load(Ordering::Relaxed) & Word::idle_bit(slot) != 0
    }

    /// Whether slot `slot` has a worker: a snapshot.
    ///
    /// For `wants_worker` of [`after_push`](Self::after_push), which has found none idle. A worker
    /// that is idle all the same has gone idle since, and looks once more (F1 ↔ F2): it must count
    /// as one that looks, or it could go idle and come back between the look at the word and its
    /// exchange, which would not notice.
    pub fn is_live(&self, slot: usize) -> bool {
        let (bank, slot) = self.bank(slot);
        // ORDERING: Acquire, C8: who counts this worker counts the task for which it was called.
        Word(bank.load(Ordering::Acquire)).live() & Word::live_bit(slot) != 0
    }

    /// How many workers live: a snapshot.
    pub fn live(&self) -> usize {
        self.words().map(|(_, _, word)| word.live().count_ones() as usize).sum()
    }

    /// How many workers are idle: a snapshot.
    pub fn idle(&self) -> usize {
        self.words().map(|(_, _, word)| word.idle().count_ones() as usize).sum()
    }
}

fn exchange(bank: &AtomicUsize, from: Word, to: Word, success: Ordering) -> Result<(), Word> {
    // ORDERING: Relaxed on failure: the word is retried, nothing else is read.
    bank.compare_exchange(from.0, to.0, success, Ordering::Relaxed).map(drop).map_err(Word)
}
