//! Tasks that a worker has taken ahead of their turn.
//!
//! A worker whose seat is far away (a child process, a device) need not let it wait between two tasks:
//! it claims the next ones early and announces them, and runs them in their order afterwards. What the
//! seat has not begun can be *given back*: when the worker leaves, or when the task before it takes its
//! time. So a task never waits behind another one for longer than the worker's kind says.
//!
//! # State
//! | field | meaning |
//! |---|---|
//! | `ring` | claimed tasks, announced to the seat, oldest first; the worker's own |
//!
//! # Invariants
//! - **D1** A task in the ring runs (T1), and counts as pending in the accounts (X1): its claim is counted
//!   when its turn comes. So whoever asks for a worker because of it is right, and giving it back changes
//!   no account.
//! - **D2** A worker does not sleep and does not leave while its ring holds tasks.
//! - **D6** While the ring holds a task, or one is on its way into it or back, the worker has a hold
//!   on entries out of their turn (U1 of `aside`). One that was put back has its own.
//!
//! - **D7** While a task is in its hands the worker runs no other job's destructor: that may wait for this very task, or
//!   take as long as it likes. So what it must not run is put back, and is cancelled by whoever pops it next: another
//!   worker, or this one when the task is over.
//!
//! # Transitions
//! | name | change | by |
//! |---|---|---|
//! | D3 `take` | an entry is popped, claimed (T1), announced and appended | the worker, before it runs a task |
//! | D4 `next` | the oldest is taken out, to run | the worker |
//! | D5 `give_back` | the last are taken out, pending again (T10), and put before the queue | the worker, in a task or before it leaves |
//!
//! # Edges
//! - U4, U5 of `aside`: who counts the claim of a later task sees that a worker holds an older one, or what
//!   became of that.
//! - D5 is followed by a call for a worker, as a push is (F1). L4: a closer has seen the entry, or this worker does, which
//!   looks at the queue before it leaves.
//!
//! # Progress
//! Wait-free but for the queue. A worker that stops for ever keeps at most [`MOST`] tasks.
//!
//! # Modelled by
//! `loom-tests/tests/executor/ahead.rs`, `loom-tests/tests/executor/in_hand.rs`
#![forbid(unsafe_code)]

use core::cell::Cell;

use super::Engine;
use super::aside::Aside;
use super::kind::WorkerKind;
use super::memory::{Shared, Store};
use crate::task::{Behind, Claimed};

/// The most tasks that one worker takes ahead.
pub(super) const MOST: usize = 16;

type Task<K> = Claimed<<K as WorkerKind>::Seat, <K as WorkerKind>::Failure>;

/// A worker's ring.
pub(super) struct Ahead<K: WorkerKind> {
    ring: [Cell<Option<Task<K>>>; MOST],
    first: Cell<usize>,
    count: Cell<usize>,
}

impl<K: WorkerKind> Ahead<K> {
    pub(super) fn new() -> Self {
        Self { ring: [const { Cell::new(None) }; MOST], first: Cell::new(0), count: Cell::new(0) }
    }

    pub(super) fn count(&self) -> usize {
        self.count.get()
    }

    pub(super) fn has_room(&self) -> bool {
        self.count() < MOST
    }

    fn place(&self, nth: usize) -> &Cell<Option<Task<K>>> {
        &self.ring[(self.first.get() + nth) % MOST]
    }

    /// D3. There is room.
    pub(super) fn append(&self, task: Task<K>) {
        self.place(self.count()).set(Some(task));
        self.count.set(self.count() + 1);
    }

    /// D4.
    fn take_first(&self) -> Option<Task<K>> {
        let left = self.count().checked_sub(1)?;
        let task = self.place(0).take();
        self.first.set((self.first.get() + 1) % MOST);
        self.count.set(left);
        task
    }
}

/// What a worker has in its hands, and to whom it belongs.
pub(super) struct Hands<'w, K: WorkerKind> {
    pub(super) engine: &'w Shared<K>,
    pub(super) ahead: &'w Ahead<K>,
}

impl<K: WorkerKind> Hands<'_, K> {
    fn aside(&self) -> &Aside {
        self.engine.store.aside()
    }

    /// D6, before D3 pops an entry.
    pub(super) fn reach(&self) {
        if self.ahead.count() == 0 {
            self.aside().raise();
        }
    }

    /// D6: what is not in the ring any more is in other hands, or about to run.
    pub(super) fn settle(&self) {
        if self.ahead.count() == 0 {
            self.aside().lower();
        }
    }

    /// D4.
    pub(super) fn next(&self) -> Option<Task<K>> {
        if !K::TAKES_AHEAD {
            return None;
        }
        let task = self.ahead.take_first()?;
        self.settle();
        Some(task)
    }

    /// After something was put back. There is a live worker, this one, so no call fails for want of one.
    pub(super) fn call(&self) {
        self.settle();
        let _ = Engine::<K>::call_for_worker(self.engine);
    }
}

impl<K: WorkerKind> Behind for Hands<'_, K> {
    /// D5.
    fn give_back(&self, last: usize) {
        let last = last.min(self.ahead.count());
        if last == 0 {
            return;
        }
        let stays = self.ahead.count() - last;
        for nth in 0..last {
            if let Some(task) = self.ahead.place(stays + nth).take() {
                // Also if it is to be cancelled: D7.
                self.engine.store.put_back(task.give_back());
            }
        }
        self.ahead.count.set(stays);
        self.call();
    }
}
