//! The end of a pool, and of the program: that is this one, started again with a marker.

use core::time::Duration;
use std::env;
use std::process::{self, Command};
use std::sync::OnceLock;

use asyncpal::ProcessPool;
use asyncpal::kind::With;

use crate::{eventually, nap, pool};

pub(crate) const WITHOUT_INIT: &str = "ASYNCPAL_TEST_WITHOUT_INIT";
pub(crate) const OPEN_AT_EXIT: &str = "ASYNCPAL_TEST_OPEN_AT_EXIT";

crate::trials! {
    shutdown_cancels_what_is_pending_and_finishes_what_runs
    a_shutdown_with_a_limit_counts_the_task_that_its_caller_runs
    without_init_no_pool_is_built
    a_pool_open_at_the_end_of_main_is_drained
}

fn shutdown_cancels_what_is_pending_and_finishes_what_runs() {
    let pool = pool(1);
    let running = pool.submit_with(nap, (200,)).expect("open");
    eventually(|| running.is_running());
    let pending = pool.submit_with(nap, (1,)).expect("open");

    assert!(pool.shutdown());

    assert_eq!(running.collect().expect("it ran"), 200);
    assert!(pending.is_cancelled());
    let error = pool.submit_with(nap, (3,)).expect_err("closed");
    assert_eq!(error.into_inner().arguments, (3,));
}

fn a_shutdown_with_a_limit_counts_the_task_that_its_caller_runs() {
    let pool = pool(1);
    // So that there is an idle worker, whose place the next caller takes.
    pool.run(With::new(nap, (1,))).expect("open");
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| pool.run(With::new(nap, (300,))).expect("it runs on"));
        eventually(|| pool.stats().running == 1);

        let report = pool.shutdown_timeout(Duration::from_millis(10));

        assert_eq!((report.completed, report.running, report.workers), (0, 1, 1));
        assert_eq!(caller.join().expect("no panic"), 300);
    });
    assert!(pool.shutdown_timeout(Duration::MAX).is_complete());
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
    eventually(|| handle.is_running());
    drop(pool.submit_with(nap, (60_000,)).expect("open"));
}
