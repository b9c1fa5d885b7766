//! A task: what a user submits, once, with one outcome.
//!
//! `job` is what it is made of, `state` the word and its transitions, `cell` the memory that the word
//! guards, `home` whom it belongs to, `heap`, `slab` and `arena` where it comes from, `live` what the parties
//! do with it, `entry` the queue's end, `handle` the caller's end, `running` what a running task sees of itself,
//! `observers` the callbacks, `finally` what is done although users' code unwinds.

mod arena;
mod cell;
mod entry;
mod finally;
mod handle;
#[cfg(feature = "alloc")]
mod heap;
mod home;
mod job;
mod live;
#[cfg_attr(not(feature = "alloc"), path = "no_observers.rs")]
mod observers;
mod oneshot;
mod running;
#[cfg(feature = "alloc")]
mod slab;
mod state;
#[cfg(all(asyncpal_loom, feature = "alloc"))]
#[doc(hidden)]
pub mod testing;

pub use arena::Arena;
pub(crate) use arena::Vacancy;
pub(crate) use entry::{Claimed, Popped};
pub use entry::{Finished, TaskRef};
pub(crate) use finally::Finally;
pub use handle::{Handle, Registered, Registration};
#[cfg(feature = "alloc")]
pub(crate) use heap::{free, heap_task};
pub(crate) use home::Home;
#[cfg(feature = "alloc")]
pub use job::{AnyJob, KeptJob, Label, TakeLabel};
pub use job::{Job, Receipt, TakeReceipt};
#[cfg(feature = "alloc")]
pub use observers::ObserverId;
pub use oneshot::Completer;
#[cfg(feature = "alloc")]
pub use oneshot::oneshot;
pub(crate) use running::{Behind, Clocked};
pub use running::{Running, Withdrawn};
#[cfg(feature = "alloc")]
pub use slab::Slabs;

use core::time::Duration;

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Submitted, not started.
    Pending,
    /// Being run by a worker.
    Running,
    /// It returned a value.
    Completed,
    /// It panicked, or was lost with its worker.
    Failed,
    /// It was cancelled before it started.
    Cancelled,
}

impl Status {
    /// True for the three states that last.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl core::fmt::Display for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// How long a task waited and how long it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// From the submit to the start, or to the cancellation.
    pub pending: Duration,
    /// From the start to the end; zero for a task that was cancelled.
    pub running: Duration,
}
