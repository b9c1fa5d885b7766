//! The home of a task: what it counts at, asks for the time, and is freed by. Most are engines.
//!
//! # Its lifetime
//! A task does not count references to its home, the engine (two contended writes per task saved).
//! The engine is there whenever it is touched:
//! - a worker, and a worker that waits, hold the engine themselves;
//! - a canceller touches it between `begin_cancel` and `publish`. While the entry is in the queue
//!   the engine cannot go, since it empties its queue first. Whoever pops an entry that is not
//!   pending *retains* the engine before `discard_entry`; if that finds the canceller still at
//!   its accounts, it leaves the retained reference to it, and `publish` tells the canceller so.
//!
//! # Modelled by
//! `loom-tests/tests/task.rs`, `loom-tests/tests/executor.rs`

use core::ptr::NonNull;

use super::running::Withdrawn;
#[cfg(feature = "alloc")]
use super::slab::Slabs;
use crate::clock::Instant;

/// The engine, as its tasks see it.
///
/// # Safety
///
/// `retain` keeps the value alive until the matching `release`.
pub(crate) unsafe trait Home: Sync {
    /// Whether tasks that are made for this home have room for a label.
    #[cfg(feature = "alloc")]
    const LABELS: bool = false;

    /// Whether tasks run somewhere else than on their workers' own threads: whoever waits for one waits a little longer.
    const FAR: bool = false;

    /// Calls `keep` with the calling thread's slabs, if it has any.
    #[cfg(feature = "alloc")]
    fn with_slabs<R>(keep: impl FnOnce(&mut Slabs) -> R) -> Option<R> {
        let _ = keep;
        None
    }

    /// A task left pending in another way than by being popped: its job is still there.
    fn left_pending(&self) {}

    /// The entry of a task that left pending in another way than by being popped is a stub from now on.
    fn withdrawn(&self);

    /// A task was cancelled: its job is gone.
    fn cancelled(&self, task: &Withdrawn<'_>) {
        let _ = task;
        self.withdrawn();
    }

    /// A task that was claimed by a waiter, and is [withdrawn](Self::withdrawn), is over: the time to clear stubs away.
    ///
    /// By address, since it may take a reference: the counts that are beside the value are out of
    /// reach of a `&self`.
    ///
    /// # Safety
    ///
    /// The caller keeps the value alive.
    unsafe fn ran_inline(this: *const Self) {
        let _ = this;
    }

    /// Whether its running tasks should stop.
    fn asks_to_stop(&self) -> bool {
        false
    }

    /// The present moment.
    fn now(&self) -> Instant;

    /// Takes a reference.
    ///
    /// # Safety
    ///
    /// The value is alive.
    unsafe fn retain(this: *const Self);

    /// Gives a reference back.
    ///
    /// # Safety
    ///
    /// The reference was retained, and is given back once.
    unsafe fn release(this: *const Self);

    /// Frees the memory of a task.
    ///
    /// # Safety
    ///
    /// `T` is the type as which the task was made for this home; its job and outcome are gone, and it
    /// is reached by nobody else.
    unsafe fn free<T>(this: *const Self, task: NonNull<T>);
}
