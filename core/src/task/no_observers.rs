//! Callbacks of a task need memory of their own: without an allocator there are none.

use super::Status;

/// A task's callbacks: none.
pub(super) struct Callbacks;

impl Callbacks {
    /// None.
    pub(super) const fn new() -> Self {
        Self
    }

    /// Runs none.
    pub(super) fn run_all(&self, _: Status) {}

    /// Drops none.
    ///
    /// # Safety
    ///
    /// None is needed.
    pub(super) unsafe fn clear(&self) {}
}
