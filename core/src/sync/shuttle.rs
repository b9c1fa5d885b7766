//! The types of shuttle, a randomised scheduler.
//!
//! Every operation is a step at which threads may change. There is one order of all operations,
//! whatever ordering they name: what shuttle finds is a wrong protocol, never a weak ordering (that
//! is loom's part); in exchange whole pools of many threads fit into an execution.

#[cfg(feature = "alloc")]
pub use alloc::sync::Arc;

pub use ::shuttle::hint::spin_loop;
pub use ::shuttle::sync::atomic::{AtomicPtr, AtomicUsize, fence, fence as rmw_fence};

pub use super::plain::{LastUse, UnsafeCell};
pub(crate) use super::plain::{array, constructor, words};

/// Who looks again lets others run first; looking often adds steps and no behaviour.
pub const SPINS: usize = 1;

/// For how many turns who has found a queue empty leaves it alone.
pub const PAUSES: usize = 0;

/// For how many turns at a time a worker lets tasks gather.
pub const GATHERING: usize = 0;

/// As above.
pub const LOOKS: usize = 1;

/// Small blocks, so that executions cross their boundary.
pub const BLOCK_SLOTS: usize = 3;

/// How long a slab of tasks is, and at multiples of which address it lies.
pub const SLAB_BYTES: usize = 4096;

/// So many of the largest tasks that are made in slabs fit into one.
pub const SLAB_TASKS: usize = 16;

/// Every other inline run clears up: an execution has few of them.
pub const STUBS: usize = 2;
