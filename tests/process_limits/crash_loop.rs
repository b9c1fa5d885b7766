//! Workers that never become ready.

use std::path::PathBuf;
use std::{env, fs, process};

use asyncpal::process::error::HandshakeError;
use asyncpal::process::{LaunchError, LostCause, ProcessOptions, ProcessPool};
use asyncpal::{BrokenCause, PoolError};

use crate::{eventually, options, own_pid, trials};

trials! {
    workers_that_die_before_they_are_ready_break_the_pool_with_the_last_cause
    a_pool_that_may_go_on_trying_does
    a_worker_that_becomes_ready_starts_the_count_anew
    workers_that_die_in_their_tasks_break_nothing
}

/// How many starts are to fail; each of them takes one away.
const TO_FAIL: &str = "ASYNCPAL_TEST_TO_FAIL";

/// An initializer that ends its worker as long as the file says so.
fn stumble() {
    let path = PathBuf::from(env::var_os(TO_FAIL).expect("set"));
    let left: u32 = fs::read_to_string(&path).expect("text").parse().expect("a number");
    if left > 0 {
        fs::write(path, (left - 1).to_string()).expect("writable");
        process::exit(7);
    }
}

struct Stumbling {
    pool: ProcessPool,
    path: PathBuf,
}

impl Stumbling {
    fn new(options: ProcessOptions, starts: u32) -> Self {
        let path = env::temp_dir().join(format!("asyncpal-to-fail-{}", own_pid()));
        fs::write(&path, starts.to_string()).expect("writable");
        let builder = options.env(TO_FAIL, &path).pool().max_workers(1).initializer(stumble);
        Self { pool: builder.build().expect("valid"), path }
    }

    fn left(&self) -> u32 {
        fs::read_to_string(&self.path).expect("text").parse().expect("a number")
    }
}

impl Drop for Stumbling {
    fn drop(&mut self) {
        fs::remove_file(&self.path).expect("there");
    }
}

fn workers_that_die_before_they_are_ready_break_the_pool_with_the_last_cause() {
    let it = Stumbling::new(options(), 100);

    // Three starts for the first task. Those after it have one each, or share that of the task before.
    let error = it.pool.run(own_pid).expect_err("nobody runs it");
    assert!(error.to_string().contains("did not become a worker"), "{error}");
    assert_eq!(it.left(), 97);
    assert!(it.pool.check().is_ok(), "not yet");
    eventually(|| it.pool.run(own_pid).is_err() && it.pool.check().is_err());

    let Err(PoolError::Broken(cause)) = it.pool.check() else { panic!("{:?}", it.pool) };
    let BrokenCause::CrashLoop { starts: 5, last, .. } = &*cause else { panic!("{cause:?}") };
    let last = last.downcast_ref::<LaunchError>().unwrap_or_else(|| panic!("{last:?}"));
    let LaunchError::Handshake(HandshakeError::Lost(lost)) = last else { panic!("{last:?}") };
    assert_eq!(lost.cause(), &LostCause::Exited(7));
    assert!(cause.to_string().starts_with("5 workers in a row"), "{cause}");
    assert_eq!(it.left(), 95, "no more were started");
}

fn a_pool_that_may_go_on_trying_does() {
    let it = Stumbling::new(options().crash_loop(0), 8);

    assert!(it.pool.run(own_pid).is_err(), "three starts are not enough");
    eventually(|| it.pool.run(own_pid).is_ok());

    assert_eq!(it.left(), 0);
    assert!(it.pool.check().is_ok());
}

fn a_worker_that_becomes_ready_starts_the_count_anew() {
    let it = Stumbling::new(options().crash_loop(3), 2);
    for _ in 0..3 {
        fs::write(&it.path, "2").expect("writable");
        // Two that fail, and the third that works.
        it.pool.run(own_pid).expect("it is tried three times");
        it.pool.run(|| -> u8 { process::exit(1) }).expect_err("the worker is gone");
    }

    assert!(it.pool.check().is_ok());
}

fn workers_that_die_in_their_tasks_break_nothing() {
    let pool = options().crash_loop(1).pool().max_workers(1).build().expect("valid");

    for _ in 0..10 {
        pool.run(|| -> u8 { process::exit(1) }).expect_err("the worker is gone");
    }

    assert!(pool.check().is_ok() && pool.run(own_pid).is_ok());
}
