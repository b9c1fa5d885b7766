//! An allocator that watches the queue's blocks and the tasks of a model.
//!
//! loom knows its own objects only: it sees neither a block that is never freed nor an access to
//! one that was. Both kinds of memory are aligned to at least 1024 bytes (blocks are; a model's
//! tasks are because of their job's type), which nothing else is. Such memory is counted, filled
//! with garbage when it is freed, and then either kept from further use, so that whoever touches it
//! meets garbage, or given out again at once, so that an address soon means something else.
//!
//! loom runs all threads of a model on one thread of the system, so all of this is thread-local.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

/// No other memory of a model is aligned so.
const WATCHED: usize = 1024;
/// Watched memory that an execution may free and not use again.
const CAPACITY: usize = 64;
/// What freed memory holds: as an index of a loom object, out of all bounds.
const GARBAGE: u8 = 0xF5;

/// To keep freed memory from further use for the rest of the execution; `0` gives it out at once.
pub(crate) const ALL: usize = CAPACITY;

/// Runs one execution of a model, which keeps so many pieces of freed memory from further use;
/// afterwards all that it allocated must have been freed, once.
///
/// Returns how many pieces were given out a second time.
pub(crate) fn watched(kept: usize, execution: impl FnOnce()) -> usize {
    WATCH.with(|watch| {
        watch.forget_freed();
        watch.live.set(0);
        watch.kept_at_least.set(kept);
        watch.reused.set(0);
    });

    execution();

    WATCH.with(|watch| {
        assert_eq!(watch.live.get(), 0, "blocks or tasks were not freed");
        watch.reused.get()
    })
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

struct Watching;

struct Watch {
    live: Cell<usize>,
    kept_at_least: Cell<usize>,
    reused: Cell<usize>,
    kept: [Cell<Option<(*mut u8, Layout)>>; CAPACITY],
}

std::thread_local! {
    static WATCH: Watch = const {
        Watch {
            live: Cell::new(0),
            kept_at_least: Cell::new(ALL),
            reused: Cell::new(0),
            kept: [const { Cell::new(None) }; CAPACITY],
        }
    };
}

impl Watch {
    fn take_back(&self, layout: Layout) -> Option<*mut u8> {
        let kept = self.kept.iter().filter(|slot| slot.get().is_some()).count();
        if kept <= self.kept_at_least.get() {
            return None;
        }
        let fits = |slot: &&Cell<Option<(*mut u8, Layout)>>| {
            slot.get().is_some_and(|(_, kept)| kept == layout)
        };
        let (memory, _) = self.kept.iter().find(fits)?.take()?;
        self.reused.set(self.reused.get() + 1);
        Some(memory)
    }

    fn keep(&self, memory: *mut u8, layout: Layout) {
        let kept = |slot: &Cell<Option<(*mut u8, Layout)>>| {
            slot.get().is_some_and(|(kept, _)| kept == memory)
        };
        assert!(!self.kept.iter().any(kept), "memory was freed twice");
        let free = self.kept.iter().find(|slot| slot.get().is_none());
        free.expect("an execution frees less").set(Some((memory, layout)));
    }

    fn forget_freed(&self) {
        for (memory, layout) in self.kept.iter().filter_map(Cell::take) {
            // SAFETY: the memory came from the system with this layout and is given back once.
            unsafe { System.dealloc(memory, layout) };
        }
    }
}

// SAFETY: memory comes from the system's allocator; watched memory that was freed is given out
// again for the same layout only, and by one thread.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() >= WATCHED {
            let again = WATCH.with(|watch| {
                watch.live.set(watch.live.get() + 1);
                watch.take_back(layout)
            });
            if let Some(memory) = again {
                return memory;
            }
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if layout.align() < WATCHED {
            // SAFETY: the caller's promise.
            return unsafe { System.dealloc(memory, layout) };
        }
        // SAFETY: the caller gives up so many bytes.
        unsafe { memory.write_bytes(GARBAGE, layout.size()) };
        WATCH.with(|watch| {
            watch.live.set(watch.live.get().checked_sub(1).expect("more was freed than allocated"));
            watch.keep(memory, layout);
        });
    }
}
