//! The executor in a `static` allocates nothing, and never runs out of room by nested waits.
#![cfg(not(asyncpal_loom))]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use asyncpal_core::error::Outcome;
use common::{Bed, Desk, Desks, Pool, hire};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it is the system's allocator, counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: u64 = 1_000_000;

// One test in this file: another one's allocations would be counted, too.
#[test]
fn a_million_nested_waits_on_one_worker_allocate_nothing_and_always_find_room() {
    static POOL: Pool<4, 16, 1> = Pool::new(Desks::new());
    static BED: Bed = Bed::new();
    hire(&POOL);
    let warm_up = POOL.submit(|| 1).expect("there is room");
    assert!(matches!(warm_up.join(&BED), Outcome::Completed(1)));
    let before = ALLOCATIONS.load(Ordering::Relaxed);

    let outer = POOL.submit_with_seat(|desk: &mut Desk| {
        let bed = POOL.kind().bed(desk);
        (0..ROUNDS)
            .map(|n| {
                let inner = POOL.submit(move || n).expect("stubs make room");
                match POOL.join_nested(desk, bed, inner) {
                    Outcome::Completed(n) => n,
                    other => panic!("{other:?}"),
                }
            })
            .sum::<u64>()
    });
    let sum = outer.expect("there is room").join(&BED);

    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), before);
    assert!(matches!(sum, Outcome::Completed(sum) if sum == ROUNDS * (ROUNDS - 1) / 2));
}
