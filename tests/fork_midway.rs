//! Programs that fork while another thread is in the midst of something: the locks that it holds stay locked in the
//! child. It is stopped at each of its allocations, and each time a child is forked.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::thread::{self, yield_now};

use asyncpal::{PoolError, ThreadPool};
use libtest_mimic::{Arguments, Failed, Trial};

#[path = "common/allocations.rs"]
mod allocations;
#[path = "common/program.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod program;

use allocations::{Observed, at_each_allocation};
use program::{Program, be_mortal, ending};

#[global_allocator]
static ALLOCATOR: Observed = Observed;

fn main() {
    if let Some(ending) = ending() {
        return match &*ending {
            "build" => build(),
            "spawn" => spawn(),
            other => panic!("no such ending: {other}"),
        };
    }
    let test = |name, ending| {
        Trial::test(name, move || -> Result<(), Failed> {
            Program::start(ending).finish()?.check(0, &["forked"])
        })
    };
    let trials = vec![
        test("a_child_builds_a_pool_while_its_parent_built_the_first", "build"),
        test("a_child_asks_a_pool_that_was_spawning_a_worker", "spawn"),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Whether the thread that works is stopped.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Stops until a child was forked, and is gone.
fn stop() {
    STOPPED.store(true, Ordering::Release);
    while STOPPED.load(Ordering::Acquire) {
        yield_now();
    }
}

/// Does `work` on another thread, and `in_child` in a child for each allocation that this takes.
fn fork_midway(work: impl FnOnce() + Send, in_child: impl Fn()) {
    let mut children = 0;
    thread::scope(|threads| {
        let working = threads.spawn(|| at_each_allocation(stop, work));
        while !working.is_finished() {
            if STOPPED.load(Ordering::Acquire) {
                fork(&in_child);
                children += 1;
                STOPPED.store(false, Ordering::Release);
            }
            yield_now();
        }
    });
    assert!(children > 0, "it allocates");
    println!("forked");
}

/// Forks, and waits for the child.
fn fork(in_child: &impl Fn()) {
    // SAFETY: what the child does is what these tests are about.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork");
    if child == 0 {
        be_mortal();
        let failed = catch_unwind(AssertUnwindSafe(in_child)).is_err();
        // SAFETY: _exit has no preconditions.
        unsafe { libc::_exit(failed.into()) }
    }
    let mut status = 0;
    // SAFETY: waitpid writes one number to the place given.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child hangs or fails");
}

/// Whether there are several processors is found out by the first pool.
fn build() {
    fork_midway(|| drop(ThreadPool::single().build()), || drop(ThreadPool::single().build()));
}

/// The book of the workers is locked while a thread is spawned. `shutdown_timeout` looked into it.
fn spawn() {
    let pool = ThreadPool::single().keep_cancelled_tasks(true).build().expect("valid");
    let in_child = || {
        let report = pool.shutdown_timeout(Duration::MAX);
        assert_eq!((report.completed, report.cancelled), (0, 0));
        assert_eq!(report.workers, pool.count_workers());
        assert!(!pool.shutdown() && !pool.join_timeout(Duration::MAX));
        assert!(!pool.is_closed() && !pool.is_terminated() && !pool.is_broken());
        assert!(matches!(pool.check(), Err(PoolError::Forked)));
        assert_eq!(pool.stats().workers, pool.count_free_workers() + pool.count_busy_workers());
        assert!(pool.count_pending_tasks() <= 1 && format!("{pool:?}").contains("Pool"));
        assert!(pool.submit(|| ()).is_err() && pool.spawn_max_workers().is_err());
        pool.set_idle_timeout(pool.idle_timeout());
        pool.join();
        assert_eq!(pool.take_cancelled_tasks().len(), 0);
        drop(ThreadPool::single().build());
    };
    fork_midway(|| pool.run(|| ()).expect("no panic"), in_child);
}
