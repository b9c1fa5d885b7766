//! Who drops the output of a task to which the list of a scope refers, too.
//!
//! # State
//! One word: `NEITHER` has the job returned nor its handle been dropped, or which of the two came first.
//!
//! # Invariants
//! - **B6** Exactly one of the two comes second: if that is the job, it drops its output before it is published; if it
//!   is the handle, it takes the output as soon as that is published. So the list's reference never has one.
//!
//! # Transitions
//! `produce`, by the job, with a ticket; `give_up`, by the handle. Each comes at most once.
//!
//! # Edges
//! None: the output is the job's until it is published, and passes to the handle by that.
//!
//! # Progress
//! Wait-free. A handle that comes second waits for the worker that is about to publish.
//!
//! # Modelled by
//! `loom-tests/tests/pool/scope.rs`
#![forbid(unsafe_code)]

use crate::sync::{AtomicUsize, Ordering};

const NEITHER: usize = 0;
const PRODUCED: usize = 1;
const GIVEN_UP: usize = 2;

/// See the head of this file.
pub(super) struct Wanted(AtomicUsize);

impl Wanted {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(NEITHER))
    }

    /// The job has an output. Whether its handle is still there: if not, the job drops it.
    pub(super) fn produce(&self) -> bool {
        // ORDERING: Relaxed: the second sees the first, and reads nothing by it.
        self.0.swap(PRODUCED, Ordering::Relaxed) != GIVEN_UP
    }

    /// The handle is dropped. Whether there is an output, published or about to be: if so, the handle drops it.
    pub(super) fn give_up(&self) -> bool {
        // ORDERING: Relaxed: as above.
        self.0.swap(GIVEN_UP, Ordering::Relaxed) == PRODUCED
    }
}
