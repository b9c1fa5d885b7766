//! The end of a pool, and of the program: that is this one, started again with a marker.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::process::{self, Command};
use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::time::Instant;
use std::{env, thread};

use asyncpal::kind::With;
use asyncpal::process::Processes;
use asyncpal::{Builder, Event, EventKind, ProcessPool};

use crate::gate::{Gate, wait_at};
use crate::{eventually, nap, pool};

pub(crate) const WITHOUT_INIT: &str = "ASYNCPAL_TEST_WITHOUT_INIT";
pub(crate) const OPEN_AT_EXIT: &str = "ASYNCPAL_TEST_OPEN_AT_EXIT";
pub(crate) const EXIT_ON_BORROWED: &str = "ASYNCPAL_TEST_EXIT_ON_BORROWED";

crate::trials! {
    shutdown_cancels_what_is_pending_and_finishes_what_runs
    a_shutdown_with_a_limit_counts_the_task_that_its_caller_runs
    a_shutdown_on_a_borrowed_seat_leaves_its_worker_out
    a_join_on_a_borrowed_seat_leaves_its_worker_out
    an_exit_on_a_borrowed_seat_does_not_wait_for_its_worker
    without_init_no_pool_is_built
    a_pool_open_at_the_end_of_main_is_drained
}

fn shutdown_cancels_what_is_pending_and_finishes_what_runs() {
    let pool = pool(1);
    let gate = Gate::new();
    let running = pool.submit_with(wait_at, (gate.path(),)).expect("open");
    eventually(|| running.is_running());
    let pending = pool.submit_with(nap, (1,)).expect("open");

    std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| pool.shutdown());
        eventually(|| pending.is_cancelled());
        assert!(running.is_running());
        drop(gate);
        assert!(shutdown.join().expect("no panic"));
    });

    running.collect().expect("it ran");
    let error = pool.submit_with(nap, (3,)).expect_err("closed");
    assert_eq!(error.into_inner().arguments, (3,));
}

fn a_shutdown_with_a_limit_counts_the_task_that_its_caller_runs() {
    let pool = pool(1);
    // So that there is an idle worker, whose place the next caller takes.
    pool.run(With::new(nap, (1,))).expect("open");
    std::thread::scope(|scope| {
        let gate = Gate::new();
        let call = With::new(wait_at, (gate.path(),));
        let caller = scope.spawn(|| pool.run(call).expect("it runs on"));
        eventually(|| pool.stats().running == 1);

        let report = pool.shutdown_timeout(Duration::from_millis(10));

        assert_eq!((report.completed, report.running, report.workers), (0, 1, 1));
        drop(gate);
        caller.join().expect("no panic");
    });
    assert!(pool.shutdown_timeout(Duration::MAX).is_complete());
}

/// Calls `act` from a hook, on a thread that has the seat of the pool's only worker for its own call.
pub(crate) fn on_a_borrowed_seat(
    builder: Builder<Processes>,
    act: impl Fn(&Arc<ProcessPool>) + Send + Sync + 'static,
) -> Arc<ProcessPool> {
    let told = Arc::new(AtomicBool::new(false));
    let is_told = Arc::clone(&told);
    let pool = Arc::new_cyclic(|this: &Weak<ProcessPool>| {
        let this = this.clone();
        let hook = move |event: &Event<'_>| {
            let is_borrowers = event.worker.is_none();
            if let (EventKind::TaskEnded { .. }, true) = (event.kind, is_borrowers) {
                if !told.swap(true, Ordering::Relaxed) {
                    act(&this.upgrade().expect("the caller has it"));
                }
            }
        };
        builder.max_workers(1).on_event(hook).build().expect("`init` has run")
    });
    let (returned, has_returned) = mpsc::channel();
    let caller = Arc::clone(&pool);
    thread::spawn(move || {
        // The first call is the worker's, and so may be others until that sleeps.
        while !is_told.load(Ordering::Relaxed) {
            caller.run(With::new(nap, (1,))).expect("open");
        }
        drop(caller);
        let _ = returned.send(());
    });
    let returned = has_returned.recv_timeout(Duration::from_secs(20));
    returned.expect("it does not wait for the seat that it has itself");
    pool
}

/// That worker cannot leave before the thread that has its seat goes on.
fn a_shutdown_on_a_borrowed_seat_leaves_its_worker_out() {
    let pool = on_a_borrowed_seat(ProcessPool::builder(), |pool| {
        assert!(pool.shutdown());
        assert_eq!((pool.is_terminated(), pool.count_workers()), (false, 1));
    });

    assert!(!pool.shutdown(), "it is closed");
    assert!(pool.is_terminated());
}

/// The same.
fn a_join_on_a_borrowed_seat_leaves_its_worker_out() {
    let pool = on_a_borrowed_seat(ProcessPool::builder(), |pool| {
        pool.join();
        assert!(pool.join_timeout(Duration::ZERO));
    });

    assert_eq!(pool.run(With::new(nap, (1,))).expect("open"), 1);
    pool.join();
    assert_eq!(pool.count_workers(), 0);
}

fn an_exit_on_a_borrowed_seat_does_not_wait_for_its_worker() {
    let begun = Instant::now();

    let output = this_program(EXIT_ON_BORROWED);

    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "a grace is 30 seconds");
}

pub(crate) fn exit_on_a_borrowed_seat() {
    on_a_borrowed_seat(ProcessPool::builder(), |pool| {
        // Called on the thread that closes the pool for this one.
        let pending = pool.submit_with(nap, (1,)).expect("open");
        let pool = Arc::clone(pool);
        pending.add_callback(move |_| {
            pool.shutdown();
        });
        process::exit(7);
    });
}

fn this_program(marker: &str) -> process::Output {
    let this = env::current_exe().expect("a test program has a path");
    Command::new(this).env(marker, "1").output().expect("it starts")
}

fn without_init_no_pool_is_built() {
    assert!(this_program(WITHOUT_INIT).status.success());
}

fn a_pool_open_at_the_end_of_main_is_drained() {
    let output = this_program(OPEN_AT_EXIT);

    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "napped 300 ms", "{output:?}");
}

pub(crate) fn leave_a_pool_open() {
    static POOL: OnceLock<ProcessPool> = OnceLock::new();
    let pool = POOL.get_or_init(|| pool(1));
    let handle = pool.submit_with(nap, (300,)).expect("open");
    handle.add_callback(|status| {
        println!("napped 300 ms{}", if status == asyncpal::Status::Completed { "" } else { "?" })
    });
    eventually(|| !handle.is_pending());
    drop(pool.submit_with(nap, (60_000,)).expect("open"));
}
