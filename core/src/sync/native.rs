//! The language's own types.

pub use core::hint::spin_loop;

#[cfg(feature = "alloc")]
pub use alloc::sync::Arc;

#[cfg(asyncpal_pauses)]
pub use super::pauses::{AtomicPtr, AtomicUsize, fence, rmw_fence};
pub use super::plain::{LastUse, UnsafeCell};
pub(crate) use super::plain::{array, constructor, words};
#[cfg(not(asyncpal_pauses))]
pub use super::processor::{AtomicPtr, AtomicUsize, fence, rmw_fence};

/// How often a thread looks again before it takes the long way round.
pub const SPINS: usize = 32;

/// For how many turns who has found a queue empty leaves it alone.
pub const PAUSES: usize = 24;

/// For how many turns at a time a worker lets tasks gather.
pub const GATHERING: usize = 96;

/// How often a waiting thread looks before it sleeps: a few microseconds.
pub const LOOKS: usize = 100;

/// Items per block of an engine's queue: blocks of 1 KiB on 64-bit targets, with what the allocator puts in
/// front of one.
pub const BLOCK_SLOTS: usize = 124;

/// How long a slab of tasks is, and at multiples of which address it lies.
pub const SLAB_BYTES: usize = 4096;

/// So many of the largest tasks that are made in slabs fit into one.
pub const SLAB_TASKS: usize = 16;

/// How many tasks waiting workers run inline before their stubs are cleared away.
pub const STUBS: usize = 32;
