//! A global allocator that counts while asked to.
//!
//! While nobody asks, it costs one relaxed load of a word that nobody writes, the same for every
//! pool; counters that run always would make threads contend for them in every other job.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

// ORDERING of all three: Relaxed: they are read on the thread that switches the counting, which
// is the only one that allocates meanwhile; they publish nothing.
static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// What was allocated, and not freed, between two points.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// As requested, without what the allocator adds; negative if more was freed.
    pub(crate) bytes: i64,
    /// Calls, freed since or not; growing a buffer is one more.
    pub(crate) allocations: u64,
}

/// Counts what `f` and every thread beside it allocate.
pub(crate) fn growth_during(f: impl FnOnce()) -> Growth {
    LIVE_BYTES.store(0, Ordering::Relaxed);
    ALLOCATIONS.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    f();
    COUNTING.store(false, Ordering::Relaxed);
    Growth {
        bytes: LIVE_BYTES.load(Ordering::Relaxed),
        allocations: ALLOCATIONS.load(Ordering::Relaxed),
    }
}

pub(crate) struct Counting;

impl Counting {
    fn note(allocations: u64, gained: usize, lost: usize) {
        if COUNTING.load(Ordering::Relaxed) {
            LIVE_BYTES.fetch_add(gained as i64 - lost as i64, Ordering::Relaxed);
            ALLOCATIONS.fetch_add(allocations, Ordering::Relaxed);
        }
    }
}

// SAFETY: every call goes to `System` unchanged, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::note(1, layout.size(), 0);
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::note(1, layout.size(), 0);
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::note(0, 0, layout.size());
        // SAFETY: the caller's promise about `block` and `layout` is handed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        Self::note(1, new_size, layout.size());
        // SAFETY: the caller's promise about `block`, `layout` and `new_size` is handed on.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
