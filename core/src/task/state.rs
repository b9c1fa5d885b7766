//! The state word of a task.
//!
//! Three parties share a task: the *handle* (caller's end), the *entry* (the queue's reference)
//! and the *resolver*: whoever won the right to end it (a worker, a worker that waits for it, a
//! canceller). The word says who is still there and how far the task is.
//!
//! # State
//! | bits | field | meaning |
//! |---|---|---|
//! | 0..3 | phase | pending, running, cancelling, completed, failed, cancelled |
//! | 3 | `SLOT` | the waker slot is in use by one waiter |
//! | 4 | `WAITER` | the slot holds a waker that must be woken |
//! | 5 | `OBSERVED` | there are callbacks |
//! | 6 | `HANDLE_GONE` | the handle was dropped |
//! | 7 | `ENTRY_GONE` | the queue's reference is used up |
//! | 8 | `SETTLED` | the resolver has touched the task for the last time |
//! | 9 | `TAKEN` | the outcome was moved out |
//! | 10 | `CAUSE` | a cancelled task carries a failure that says why |
//! | 11 | `CANCEL_REQUESTED` | a cancel came too late: the running task was asked to stop |
//!
//! # Invariants
//! - **S1** One thread at a time leaves `pending`: it is the resolver and alone may touch the cell
//!   until it publishes, or gives the task back.
//! - **S2** A published phase does not change.
//! - **S3** Whoever completes the set {`HANDLE_GONE`, `ENTRY_GONE`, `SETTLED`} frees the task; a resolver that finds
//!   the first two there, and nobody to tell, need not set the third (T11).
//! - **S4** The outcome of a published task belongs to the handle; without a handle to the
//!   resolver.
//! - **S5** The waker slot belongs to the waiter that set `SLOT` while `WAITER` is clear, and to
//!   nobody else's eyes; with `WAITER` set it is the resolver's once the phase is published.
//!
//! # Transitions
//! | name | change | by |
//! |---|---|---|
//! | T1 `claim_popped` | pending, no cancel requested → running, `ENTRY_GONE` | worker that popped the entry |
//! | T2 `claim_inline` | pending, no cancel requested → running | worker that waits for it |
//! | T3 `begin_cancel` | pending → cancelling | handle, shutdown, failed spawn |
//! | T4 `publish` | running or cancelling → an end, `SETTLED` if nobody must be told | resolver |
//! | T5 `settle` | `SETTLED` | resolver, after it told |
//! | T6 `discard_entry` | `ENTRY_GONE` | whoever pops a stub |
//! | T7 `abandon`, `release_handle` | `HANDLE_GONE`; `abandon` unless it is over, and not with `WAITER` | handle |
//! | T8 `arm`, `disarm` | set, clear `WAITER`, unless it is over | waiter; the handle that goes |
//! | T9 `request_cancel` | `CANCEL_REQUESTED`, unless it is over | handle |
//! | T10 `give_back` | running → pending, not `ENTRY_GONE` | worker that claimed it by T1 and has not run it |
//! | T11 `publish` | nothing | resolver that finds handle and entry gone and nobody to tell: it frees the task |
//! | T12 `reserve_slot`, `free_slot` | set, clear `SLOT` | waiter, before and after T8 |
//! | T13 `observe` | `OBSERVED` | who has added a callback |
//! | T14 `take` | `TAKEN` | handle, before it moves the outcome out |
//! | T15 `renew` | → pending, no flag | maker of a task in a slot of the arena |
//! | T16 `promise` | pending → running, `ENTRY_GONE` | maker of a oneshot, before anybody else sees the task |
//!
//! # Edges
//! - **E1** `publish` (Release) / reading an end (Acquire): the outcome is seen.
//! - **E2** `arm` or `observe` (Release) / `publish` (Acquire): waker and callbacks are seen.
//! - **E3** the three goodbyes (Release) / the one that frees (Acquire): all use happens before
//!   freeing.
//! - **E4** `request_cancel` (Release) / `get` by the running task (Acquire): who heeds the request
//!   sees what came before it.
//! - **E5** `give_back` (Release) / leaving pending (Acquire): the next resolver sees what the worker has
//!   done to the job. The phase may have been pending before, and look the same.
//! - **E6** `free_slot` (Release) / `reserve_slot` (Acquire): the last waiter's use of the slot happens before
//!   the next one's (S5).
//! - `renew` and `is_pending` are A4 of the arena.
//!
//! # Progress
//! Lock-free: T1 to T4, `abandon` and T8 to T11 retry when another party has changed the word; the rest is one
//! operation each. Only waiters, and workers that give the task back, change the word any number of times.
//!
//! # Modelled by
//! `loom-tests/tests/task.rs`
#![forbid(unsafe_code)]

mod word;

use self::word::{
    CANCEL_REQUESTED, CANCELLING, ENTRY_GONE, HANDLE_GONE, OBSERVED, PENDING, PHASE, RUNNING,
    SETTLED, SLOT, TAKEN, WAITER,
};
pub(super) use self::word::{End, Snapshot};
use crate::sync::{AtomicUsize, LastUse, Ordering, constructor};

/// What became of a waiter's wish to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Arm {
    /// It will be woken.
    Armed,
    /// The task is over; the slot's content stays with the waiter.
    Done,
}

/// What became of a waiter's wish not to be woken any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Disarm {
    /// The slot is the waiter's again.
    Disarmed,
    /// The task is over; the resolver has the slot's content.
    Done,
}

/// Whether this goodbye was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Goodbye {
    /// Others remain.
    Others,
    /// S3: free the task.
    Last,
}

impl Goodbye {
    /// The goodbye that sets `own`, when the word had been `before`.
    fn of(own: usize, before: usize) -> Self {
        let all = HANDLE_GONE | ENTRY_GONE | SETTLED;
        if (before | own) & all == all { Self::Last } else { Self::Others }
    }
}

#[derive(Debug)]
pub(super) struct State(AtomicUsize);

impl State {
    constructor! {
        /// That of a pending task.
        pub(super) fn new() -> Self {
            Self(AtomicUsize::new(PENDING))
        }
    }

    /// T15: that of a pending task again. The task was freed, and its memory is the caller's.
    pub(super) fn renew(&self) {
        // ORDERING: Release, A4 of the arena. A sole writer's store. Who looks at the word of an entry
        // that is not its own sees nothing older: it read the push of that entry.
        self.0.store(PENDING, Ordering::Release);
    }

    /// T16: makes a pending task that nobody else has seen one that runs and has no entry.
    pub(super) fn promise(&self) {
        // ORDERING: Relaxed: a sole writer's store; what passes the ends on publishes it.
        self.0.store(RUNNING | ENTRY_GONE, Ordering::Relaxed);
    }

    /// Whether the task is pending, as seen by somebody who read its entry but does not own it.
    pub(super) fn is_pending(&self) -> bool {
        // ORDERING: Acquire, A4 of the arena. Nothing is read that the phase guards.
        self.0.load(Ordering::Acquire) & PHASE == PENDING
    }

    /// E3: every other use happens before this one.
    pub(super) fn last_use(&mut self) {
        self.0.last_use();
    }

    /// A look that may read what the phase guards.
    pub(super) fn get(&self) -> Snapshot {
        // ORDERING: Acquire, E1, E4; and E3 for a handle that finds itself alone.
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Retries `change` until it is applied or declined; both return the value found.
    fn update(
        &self,
        order: Ordering,
        change: impl Fn(usize) -> Option<usize>,
    ) -> Result<Snapshot, Snapshot> {
        // ORDERING: Acquire on every reading: one that finds an end may read the outcome, E1; a resolver
        // that finds itself alone frees the task, E3.
        let mut seen = self.0.load(Ordering::Acquire);
        while let Some(wanted) = change(seen) {
            match self.0.compare_exchange(seen, wanted, order, Ordering::Acquire) {
                Ok(_) => return Ok(Snapshot(seen)),
                Err(now) => seen = now,
            }
        }
        Err(Snapshot(seen))
    }

    /// Leaves pending; not with one of the flags in `unless`. `Err`: the value found.
    fn leave_pending(&self, to: usize, unless: usize) -> Result<(), Snapshot> {
        // ORDERING: Acquire on success, E5. A task that was not given back needs only atomicity (S1): the
        // job was published by the queue's edge (worker) or is this thread's past (handle).
        let change = |s| (s & (PHASE | unless) == PENDING).then_some(s | to);
        self.update(Ordering::Acquire, change).map(drop)
    }

    /// T1. `Err`: a stub, to be discarded; or pending, and to be cancelled.
    pub(super) fn claim_popped(&self) -> Result<(), Snapshot> {
        self.leave_pending(RUNNING | ENTRY_GONE, CANCEL_REQUESTED)
    }

    /// T2.
    pub(super) fn claim_inline(&self) -> bool {
        self.leave_pending(RUNNING, CANCEL_REQUESTED).is_ok()
    }

    /// T3.
    pub(super) fn begin_cancel(&self) -> bool {
        self.leave_pending(CANCELLING, 0).is_ok()
    }

    /// T10. If a cancel was requested meanwhile, that has come in time after all.
    pub(super) fn give_back(&self) {
        // ORDERING: Release, E5. Not Acquire: nothing is read.
        let _ = self.update(Ordering::Release, |s| Some(s & !(PHASE | ENTRY_GONE) | PENDING));
    }

    /// T9: asks a task that has left pending to stop; nothing if it is over.
    pub(super) fn request_cancel(&self) {
        // ORDERING: Release, E4: what made the caller ask.
        let _ = self.update(Ordering::Release, |s| {
            Snapshot(s).end().is_none().then_some(s | CANCEL_REQUESTED)
        });
    }

    /// T4: `Ok`, and the value tells whom to tell; if nobody, the resolver is through. T11: `Err`.
    pub(super) fn publish(&self, end: End) -> Result<Snapshot, Snapshot> {
        // ORDERING: Release, E1: the outcome. Acquire, E2: the waker, the callbacks.
        self.update(Ordering::AcqRel, |s| {
            let silent = s & (WAITER | OBSERVED | HANDLE_GONE) == 0;
            let published = (s & !PHASE) | end.bits() | if silent { SETTLED } else { 0 };
            (!Snapshot(s).is_all_the_resolvers()).then_some(published)
        })
    }

    /// True if a publication that found `before` must be followed by [`settle`](Self::settle).
    pub(super) const fn must_settle(before: Snapshot) -> bool {
        before.0 & (WAITER | OBSERVED | HANDLE_GONE) != 0
    }

    /// T5.
    pub(super) fn settle(&self) -> Goodbye {
        // ORDERING: AcqRel, E3.
        Goodbye::of(SETTLED, self.0.fetch_or(SETTLED, Ordering::AcqRel))
    }

    /// T6. The value found tells whether a canceller is still at its accounts.
    pub(super) fn discard_entry(&self) -> (Goodbye, bool) {
        // ORDERING: AcqRel, E3.
        let before = self.0.fetch_or(ENTRY_GONE, Ordering::AcqRel);
        (Goodbye::of(ENTRY_GONE, before), before & PHASE == CANCELLING)
    }

    /// T7 for a task that is not over, so that its outcome falls to the resolver, S4. `Err` if it is over:
    /// the outcome is the handle's, and goes before the handle does; or if it is waited for: then the
    /// waiter, who is gone, is disarmed first.
    pub(super) fn abandon(&self) -> Result<(), Snapshot> {
        // ORDERING: Release, E3. Not Acquire: this goodbye never frees, since an unresolved task has
        // its resolver still to come.
        let change = |s| {
            let seen = Snapshot(s);
            (seen.end().is_none() && !seen.is_waited_for()).then_some(s | HANDLE_GONE)
        };
        self.update(Ordering::Release, change).map(drop)
    }

    /// T7 for a task that is over.
    pub(super) fn release_handle(&self) -> Goodbye {
        // ORDERING: AcqRel, E3.
        Goodbye::of(HANDLE_GONE, self.0.fetch_or(HANDLE_GONE, Ordering::AcqRel))
    }

    /// T14: the outcome is about to be moved out; false if it was before.
    pub(super) fn take(&self) -> bool {
        // ORDERING: Relaxed: only the owner of the handle sets and reads this flag.
        self.0.fetch_or(TAKEN, Ordering::Relaxed) & TAKEN == 0
    }

    /// T12: the waker slot for this waiter; false if another has it.
    pub(super) fn reserve_slot(&self) -> bool {
        // ORDERING: Acquire, E6: the last waiter's use of the slot happens before this one's.
        self.0.fetch_or(SLOT, Ordering::Acquire) & SLOT == 0
    }

    /// T12, back: gives the slot up.
    pub(super) fn free_slot(&self) {
        // ORDERING: Release, E6: this waiter's use of the slot.
        self.0.fetch_and(!SLOT, Ordering::Release);
    }

    /// T8: the slot holds a waker.
    pub(super) fn arm(&self) -> Arm {
        // ORDERING: Release, E2: the waker.
        let armed =
            self.update(Ordering::Release, |s| Snapshot(s).end().is_none().then_some(s | WAITER));
        if armed.is_ok() { Arm::Armed } else { Arm::Done }
    }

    /// T8, back.
    pub(super) fn disarm(&self) -> Disarm {
        // ORDERING: Relaxed: the waker in the slot is this waiter's own.
        let disarmed =
            self.update(Ordering::Relaxed, |s| Snapshot(s).end().is_none().then_some(s & !WAITER));
        if disarmed.is_ok() { Disarm::Disarmed } else { Disarm::Done }
    }

    /// T13: a callback stands in the list. Returns whether the task was over already.
    #[cfg(feature = "alloc")]
    pub(super) fn observe(&self) -> bool {
        // ORDERING: Release, E2: the callback. Not Acquire: of an end that was there only the
        // status is used.
        let before = self.0.fetch_or(OBSERVED, Ordering::Release);
        Snapshot(before).end().is_some()
    }
}
