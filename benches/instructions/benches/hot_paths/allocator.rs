//! An allocator of few and always the same instructions: that of the system takes half of a task's, and
//! other ones with each version.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Enough for a process that prepares and runs one function.
const ARENA_BYTES: usize = 64 << 20;

struct Arena(UnsafeCell<[u8; ARENA_BYTES]>);

// SAFETY: only pointers into it are handed out, each byte once.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; ARENA_BYTES]));
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Hands out one block after the other, and takes none back.
struct Forgetful;

// SAFETY: `TAKEN` only grows, so pieces are disjoint; they are inside the arena, with as much room as
// aligning the block takes.
unsafe impl GlobalAlloc for Forgetful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let length = layout.size() + layout.align();
        // ORDERING: Relaxed: a number.
        let start = TAKEN.fetch_add(length, Ordering::Relaxed);
        if start + length > ARENA_BYTES {
            return ptr::null_mut();
        }
        // SAFETY: `start` is below the length of the arena.
        let piece = unsafe { ARENA.0.get().cast::<u8>().add(start) };
        piece.wrapping_add(piece.align_offset(layout.align()))
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Forgetful = Forgetful;
