//! Tokens: what must be given back before memory is freed.
//!
//! Who may touch the memory holds a token of it. An owner that hands out tokens one by one, and does not know
//! beforehand how many, starts with a *hold*, more than there can be; in the end it gives back what it has not
//! handed out. So nothing is counted up while the memory is in use, but by who needs a token more.
//!
//! # State
//! One word: how many tokens are out.
//!
//! # Invariants
//! - Each token is given back once, and nobody touches the memory without one. So the word reaches zero once,
//!   and who brings it there is alone with the memory.
//!
//! # Transitions
//! | name | change | by |
//! |---|---|---|
//! | `take` | one more | who has a token |
//! | `give_back` | so many fewer | who has them |
//!
//! # Edges
//! - **M1** giving back (Release) / giving back the last (Acquire): every access to the memory happens before it
//!   is freed.
//!
//! # Progress
//! Wait-free.
//!
//! # Modelled by
//! `loom-tests/tests/queue.rs`, `loom-tests/tests/slab.rs`
#![forbid(unsafe_code)]

use crate::sync::{AtomicUsize, LastUse, Ordering, fence};

/// How many tokens of some memory are out.
#[derive(Debug)]
pub(crate) struct Tokens(AtomicUsize);

impl Tokens {
    /// More than can be handed out one by one.
    pub(crate) const HOLD: usize = 1 << 20;

    /// So many are out.
    pub(crate) fn new(count: usize) -> Self {
        Self(AtomicUsize::new(count))
    }

    /// Makes one more. The caller has one.
    pub(crate) fn take(&self) {
        // ORDERING: Relaxed: the caller holds a token, so the count cannot reach zero meanwhile.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives back so many, which the caller has; true if they were the last: it frees the memory.
    #[must_use]
    pub(crate) fn give_back(&self, count: usize) -> bool {
        // ORDERING: Release, M1: what this thread did in the memory happens before its freeing.
        let before = self.0.fetch_sub(count, Ordering::Release);
        debug_assert!(before >= count, "tokens that were given back twice");
        let is_last = before == count;
        if is_last {
            // ORDERING: Acquire, M1: so does what all others did.
            fence(Ordering::Acquire);
        }
        is_last
    }

    /// Every other use happens before this one.
    pub(crate) fn last_use(&mut self) {
        self.0.last_use();
    }
}
