//! What a thousand pools leave behind: no memory, no thread, no descriptor, no child. `.ci/leaks` runs
//! the same under valgrind, which also says who has allocated what is lost.

#[path = "common/processes.rs"]
mod processes;

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicIsize, Ordering};
use core::time::Duration;
use std::alloc::System;
use std::{fs, thread};

use asyncpal::{CompletionFilter, ProcessPool, TaskError, ThreadPool};
use libtest_mimic::{Arguments, Failed, Trial};

use processes::{children, eventually};

/// Blocks that were allocated and not freed.
struct Counting(AtomicIsize);

#[global_allocator]
static MEMORY: Counting = Counting(AtomicIsize::new(0));

// SAFETY: the system's allocator does it all; `realloc` in its default form calls the two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: as of the caller.
        unsafe { System.dealloc(block, layout) }
    }
}

fn main() {
    asyncpal::process::init();
    let mut arguments = Arguments::from_args();
    // They count what belongs to the whole process.
    arguments.test_threads = Some(1);
    let trials = vec![
        Trial::test("a_thousand_thread_pools_leave_nothing", || leave_nothing(1000, threads)),
        Trial::test("a_hundred_process_pools_leave_nothing", || leave_nothing(100, processes)),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

#[derive(Debug, PartialEq, Eq)]
struct Held {
    blocks: isize,
    threads: usize,
    descriptors: usize,
    children: usize,
}

fn held() -> Held {
    // First: looking takes memory, too.
    let blocks = MEMORY.0.load(Ordering::Relaxed);
    let count = |path: &str| fs::read_dir(path).expect("Linux").count();
    Held {
        blocks,
        threads: count("/proc/self/task"),
        descriptors: count("/proc/self/fd"),
        children: children().len(),
    }
}

/// Uses so many pools, after some for what is made once.
fn leave_nothing(pools: usize, use_one: fn()) -> Result<(), Failed> {
    // Panics are part of the use; that they are printed is not.
    std::panic::set_hook(Box::new(|_| ()));
    // Each time on a thread that ends: what submitting leaves with the thread (slabs) is not for ever.
    let use_many = |count| {
        thread::spawn(move || (0..count).for_each(|_| use_one())).join().expect("no panic");
        // The kernel lists a thread a little longer than it can be joined.
        eventually(|| fs::read_dir("/proc/self/task").expect("Linux").count() == 1);
        held()
    };
    let before = use_many(pools / 10);

    let after = use_many(pools);
    drop(std::panic::take_hook());
    if after == before { Ok(()) } else { Err(format!("before {before:?}, after {after:?}").into()) }
}

/// A pool of two workers, created, used in every way, dropped with tasks pending.
fn threads() {
    let pool = ThreadPool::dual().capacity(100).keep_cancelled_tasks(true);
    let pool = pool.max_tasks_per_worker(5).on_uncollected(|_| ()).build().expect("valid");
    let handle = pool.submit(|| vec![1, 2, 3]).expect("open");
    let _ = handle.add_callback(|_| ());
    assert_eq!(handle.collect().expect("no panic").len(), 3);
    assert!(matches!(pool.run(|| panic!("on purpose")), Err(TaskError::Panicked(_))));
    drop(pool.submit_fallible(|| "12%".parse::<u8>()).expect("open"));
    assert_eq!(pool.map(|n: u32| n.to_string(), 0..20).chunk_size(5).flatten().count(), 20);
    drop(pool.map_all_unordered(|n: u32| vec![n], 0..20, 2));
    let mut number = 0;
    pool.scope(|scope| drop(scope.submit(|| number += 1).expect("open")));
    let filter: CompletionFilter<_> =
        (0..5).map(|n| pool.submit(move || n).expect("open")).collect();
    drop(filter.get());
    let pending = pool.submit(|| Box::new(1)).expect("open");
    let _ = pending.cancel();
    let _ = pool.submit(|| ()).expect("open").collect_timeout(Duration::ZERO);
    drop(pool.submit(|| Box::new(2)).expect("open"));
}

fn successor(n: u64) -> u64 {
    n + 1
}

fn get_lost() {
    std::process::exit(3);
}

/// The same with processes.
fn processes() {
    let pool = ProcessPool::dual().build().expect("`init` has run");
    assert_eq!(pool.run(|| String::from("text")).expect("no panic"), "text");
    assert_eq!(pool.map(successor, 0..10).chunk_size(2).flatten().sum::<u64>(), 55);
    assert!(pool.run(get_lost).is_err());
    drop(pool.submit_with(successor, (1,)).expect("open"));
}
