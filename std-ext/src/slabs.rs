//! Each thread's slabs: where the tasks that it submits are made, whatever the pool.

use core::cell::RefCell;

use asyncpal_core::task::Slabs;

use crate::sync::{HAVE_SLABS, program};

/// Calls `use_them` with this thread's slabs; `None` if it has none: it is ending, or in the middle of this.
pub(crate) fn with<R>(use_them: impl FnOnce(&mut Slabs) -> R) -> Option<R> {
    program::thread_local! {
        static SLABS: RefCell<Slabs> = const { RefCell::new(Slabs::new()) };
    }
    if !HAVE_SLABS {
        return None;
    }
    SLABS.try_with(|slabs| Some(use_them(&mut *slabs.try_borrow_mut().ok()?))).ok()?
}
