//! What tasks cost: one allocation each, and nothing that stays.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use asyncpal::{CompletionFilter, ThreadPool, WhenFull, as_done};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it is the system's allocator, counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters are everybody's: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn a_million_nested_waits_on_one_worker_keep_memory_flat() {
    const ROUNDS: u64 = 1_000_000;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let pool = std::sync::Arc::new(ThreadPool::builder().max_workers(1).build().unwrap());
    let inner = std::sync::Arc::clone(&pool);

    let nested = pool.submit(move || {
        let (mut sum, mut at_first, mut at_most) = (0, 0, 0);
        for n in 0..ROUNDS {
            sum += inner.submit(move || n).unwrap().collect().unwrap();
            if n == 1000 {
                at_first = LIVE_BYTES.load(Ordering::Relaxed);
            }
            at_most = at_most.max(LIVE_BYTES.load(Ordering::Relaxed));
        }
        (sum, at_first, at_most)
    });
    let (sum, at_first, at_most) = nested.unwrap().collect().unwrap();

    assert_eq!(sum, ROUNDS * (ROUNDS - 1) / 2);
    // Less than a byte per round: stubs that stayed would be a hundred times as much.
    assert!(at_most < at_first + 65_536, "{at_first} bytes after 1000 rounds, {at_most} at most");
}

#[test]
fn a_task_is_one_allocation_and_a_block_of_the_queue_now_and_then() {
    const TASKS: usize = 10_000;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let pool = ThreadPool::builder().max_workers(1).build().unwrap();
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let gate = pool.submit(move || opened.recv().unwrap_err()).unwrap();
    let mut handles = Vec::with_capacity(TASKS);
    let (allocations, bytes) =
        (ALLOCATIONS.load(Ordering::Relaxed), LIVE_BYTES.load(Ordering::Relaxed));

    handles.extend((0..TASKS as u64).map(|n| pool.submit(move || n).unwrap()));

    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    let bytes = LIVE_BYTES.load(Ordering::Relaxed) - bytes;
    drop(open);
    drop(gate.collect());
    // The worker's thread may still be on its way to the gate, and allocate a little.
    assert!(allocations <= TASKS + TASKS / 100 + 20, "{allocations} for {TASKS} tasks");
    if usize::BITS == 64 {
        assert!(bytes <= 96 * TASKS, "{bytes} bytes for {TASKS} tasks");
        assert_eq!(size_of_val(&handles[0]), 8);
    }
}

#[test]
fn a_full_pool_keeps_nothing_of_what_it_drops_or_lets_its_submitters_run() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for policy in [WhenFull::RunHere, WhenFull::DropOldest, WhenFull::DropNewest] {
        let pool = ThreadPool::single().capacity(1).when_full(policy).build().unwrap();
        let (gate, opened) = std::sync::mpsc::channel::<()>();
        let (start, started) = std::sync::mpsc::channel();
        let busy = pool.submit(move || (start.send(()).unwrap(), opened.recv().is_err()));
        started.recv().unwrap();
        drop(pool.submit(|| ()).unwrap());
        let before = LIVE_BYTES.load(Ordering::Relaxed);

        for _ in 0..10_000 {
            drop(pool.submit(|| ()).unwrap());
        }

        // A byte per task: what is left of one in the queue is a hundred times as much.
        let after = LIVE_BYTES.load(Ordering::Relaxed);
        assert!(after < before + 10_000, "{policy:?}: {before} bytes before, {after} after");
        drop(gate);
        assert!(busy.unwrap().collect().unwrap().1);
    }
}

/// A labelled task lies in a larger piece of memory than others, and must be given back as such.
#[test]
fn a_label_is_part_of_its_tasks_allocation_and_goes_with_it() {
    const TASKS: usize = 1_000;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let pool = ThreadPool::builder().max_workers(1).build().unwrap();
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let (started, has_started) = std::sync::mpsc::channel();
    let gate = pool.submit(move || {
        started.send(()).unwrap();
        opened.recv().unwrap_err()
    });
    let gate = gate.unwrap();
    has_started.recv().unwrap();
    let mut handles = Vec::with_capacity(TASKS);
    let counters = || (ALLOCATIONS.load(Ordering::Relaxed), LIVE_BYTES.load(Ordering::Relaxed));
    let before = counters();

    handles.extend((0..TASKS).map(|n| pool.submit_labelled("borrowed", move || n).unwrap()));
    let borrowed = counters();
    handles.drain(..).for_each(|handle| assert!(handle.cancel()));
    handles.extend((0..TASKS).map(|n| pool.submit_labelled(n.to_string(), move || n).unwrap()));
    assert_eq!(handles[TASKS - 1].label(), Some("999"));
    drop(open);
    let _ = gate.collect();
    handles.drain(..).enumerate().for_each(|(n, handle)| assert_eq!(handle.collect().unwrap(), n));
    drop(pool);

    let allocations = borrowed.0 - before.0;
    assert!(allocations <= TASKS + TASKS / 100 + 20, "{allocations} for {TASKS} tasks");
    if usize::BITS == 64 {
        // The job has a label, too.
        let bytes = borrowed.1 - before.1;
        assert!(bytes <= (96 + 2 * size_of::<asyncpal::Label>()) * TASKS, "{bytes} bytes");
    }
    // A label that stayed, or that was not given back, is 24 bytes of each of 2000 tasks.
    let after = LIVE_BYTES.load(Ordering::Relaxed);
    assert!(after.abs_diff(before.1) <= 16_384, "{after} bytes, {} before", before.1);
}

#[test]
fn waits_that_give_a_handle_back_leave_nothing_with_it() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let pool = ThreadPool::builder().max_workers(1).build().unwrap();
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let mut handles = vec![pool.submit(move || opened.recv().unwrap_err()).unwrap()];
    let mut wait = |rounds| {
        for _ in 0..rounds {
            let filter = CompletionFilter::from_iter(handles.drain(..));
            assert!(filter.try_get().is_none());
            handles.extend(filter.into_rest());
            let mut done = as_done(handles.drain(..)).timeout(core::time::Duration::ZERO);
            assert!(done.next().is_none());
            handles.extend(done.into_rest());
        }
        LIVE_BYTES.load(Ordering::Relaxed)
    };

    let (at_first, at_last) = (wait(10), wait(4000));

    assert!(at_last < at_first + 16_384, "{at_first} bytes after 10 rounds, {at_last} after 4010");
    drop(open);
    handles.pop().unwrap().collect().unwrap();
}
