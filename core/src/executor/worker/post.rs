//! A slot's post: somebody was called for, and nobody has come yet.
//!
//! Kinds of workers bring the call to a thread of execution in their own ways. Whatever they do, who comes takes
//! the post first.
//!
//! # State
//! One word per slot: 0, or 1 and the generation in which somebody was called for.
//!
//! # Invariants
//! - **V1** After a free slot was claimed (C1, C10 of the census) its post is offered once, and taken once: by the
//!   worker, by who says that there will be none, or by the spawner whose spawn has failed. So a slot has one
//!   worker at a time, however often and wherever `work` and `forsake` are called.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | V2 `offer` | 0 → a generation | spawner | it has claimed the free slot |
//! | V3 `take` | a generation → 0, or nothing | anybody | it comes to work, or nobody will |
//!
//! # Edges
//! - **V4** V2 (Release) / V3 (Acquire): the slot's fields. Who was spawned has them from the spawn; who comes
//!   unbidden has this.
//!
//! # Progress
//! Wait-free.
//!
//! # Modelled by
//! `loom-tests/tests/executor/failure.rs`

use crate::lifecycle::Generation;
use crate::sync::{AtomicUsize, Ordering, constructor};

const NOBODY: usize = 0;
/// Generations leave this bit alone.
const OFFERED: usize = 1;

/// See the head of this file.
pub(in crate::executor) struct Post(AtomicUsize);

impl Post {
    constructor! {
        /// That of a slot for which nobody was called.
        pub(in crate::executor) fn new() -> Self {
            Self(AtomicUsize::new(NOBODY))
        }
    }

    /// V2.
    pub(in crate::executor) fn offer(&self, born: Generation) {
        // ORDERING: Release, V4.
        self.0.store(born.to_word() | OFFERED, Ordering::Release);
    }

    /// V3. The generation in which the caller was called for, who alone has the slot now; `None` if somebody else
    /// has come, or nobody was called for.
    pub(in crate::executor) fn take(&self) -> Option<Generation> {
        // ORDERING: Acquire, V4.
        let word = self.0.swap(NOBODY, Ordering::Acquire);
        (word != NOBODY).then(|| Generation::from_word(word & !OFFERED))
    }
}
