//! Entries that are out of their turn: taken from the queue, with tasks that nobody runs or ends yet.
//!
//! Claims are counted, and the queue is first in, first out: from their number follows which tasks have been
//! claimed, but for those that a clearer of stubs or a worker has set aside. Whoever draws that conclusion
//! asks here, too. There is one count for all, since an entry goes from hand to hand: who looked at one
//! place after the other could miss it.
//!
//! # State
//! | word | meaning |
//! |---|---|
//! | `count` | holds on entries that are out of their turn |
//!
//! # Invariants
//! - **U1** While an entry is out of its turn there is a hold on it: the clearer's; one of its own, in `front`
//!   and among what was given back; or that of a worker for its whole ring.
//!
//! # Transitions
//! | name | change | by |
//! |---|---|---|
//! | U2 `raise` | a hold more | clearer or worker, before it takes an entry or puts one back |
//! | U3 `lower` | a hold less | who has the entry, once it runs or ends the task, or there is another hold |
//!
//! # Edges
//! - **U4** fence after U2 (Release) / pop of a later entry (Q2 of the queue, Acquire), whose task's claim is
//!   counted (X3): who counts it sees that an older entry is out of its turn, or what became of that.
//! - **U5** U3 (Release) / finding no hold (Acquire): what became of the entries is seen.
//!
//! # Progress
//! Wait-free.
//!
//! # Modelled by
//! `loom-tests/tests/executor.rs`
#![forbid(unsafe_code)]

use crate::sync::{AtomicUsize, LastUse, Ordering, constructor, fence};

/// How many entries are out of their turn, at most.
pub struct Aside(AtomicUsize);

impl Aside {
    constructor! {
        /// None.
        pub(super) fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }

    /// U2.
    pub(super) fn raise(&self) {
        // ORDERING: Relaxed: U4 follows.
        self.0.fetch_add(1, Ordering::Relaxed);
        // ORDERING: Release, U4.
        fence(Ordering::Release);
    }

    /// U3.
    pub(super) fn lower(&self) {
        // ORDERING: Release, U5.
        self.0.fetch_sub(1, Ordering::Release);
    }

    /// Whether an entry may be out of its turn that is older than some whose claims the caller has counted.
    pub(super) fn is_any(&self) -> bool {
        // ORDERING: Acquire, U5.
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.last_use();
    }
}
