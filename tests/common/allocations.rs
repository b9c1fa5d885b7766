//! An allocator that looks at what a thread is in the midst of, whenever that allocates.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

/// To be the test program's global allocator.
pub(crate) struct Observed;

std::thread_local! {
    static CALLED: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Does `work`, and calls `look` before each of its allocations on this thread but for those of `look` itself.
pub(crate) fn at_each_allocation<T>(look: fn(), work: impl FnOnce() -> T) -> T {
    CALLED.set(Some(look));
    let result = work();
    CALLED.set(None);
    result
}

fn allocates() {
    let look = CALLED.try_with(Cell::take).ok().flatten();
    if let Some(look) = look {
        look();
        CALLED.set(Some(look));
    }
}

// SAFETY: it is the system's; what it calls before allocates by itself.
unsafe impl GlobalAlloc for Observed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocates();
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(memory, layout) };
    }
}
