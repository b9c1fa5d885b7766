//! Workers that never become ready.

use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::{env, fs, process};

use asyncpal::process::error::HandshakeError;
use asyncpal::process::{LaunchError, LostCause, ProcessOptions, ProcessPool, Processes};
use asyncpal::{BrokenCause, PoolError, TaskError};

use crate::{eventually, millis, options, own_pid, trials};

trials! {
    workers_that_die_before_they_are_ready_break_the_pool_with_the_last_cause
    a_pool_that_may_go_on_trying_does
    a_worker_that_becomes_ready_starts_the_count_anew
    workers_that_die_in_their_tasks_break_nothing
    a_start_that_fails_within_a_task_counts_like_any_other
    the_last_start_that_may_fail_breaks_the_pool_within_a_task_too
    an_initializer_that_fails_within_a_task_breaks_the_pool
}

/// How many starts are to fail; each of them takes one away.
const TO_FAIL: &str = "ASYNCPAL_TEST_TO_FAIL";

/// An initializer that ends its worker as long as the file says so.
fn stumble() {
    if is_to_fail() {
        process::exit(7);
    }
}

/// An initializer that fails as long as the file says so.
fn refuse() -> Result<(), &'static str> {
    if is_to_fail() { Err("no flour") } else { Ok(()) }
}

fn is_to_fail() -> bool {
    let path = PathBuf::from(env::var_os(TO_FAIL).expect("set"));
    let left: u32 = fs::read_to_string(&path).expect("text").parse().expect("a number");
    if left > 0 {
        fs::write(path, (left - 1).to_string()).expect("writable");
    }
    left > 0
}

/// A task that ends once this file is there, and leaves its worker without requests.
fn end_requests(gate: String) {
    while !Path::new(&gate).exists() {
        sleep(millis(1));
    }
    let unreadable = fs::OpenOptions::new().write(true).open("/dev/null").expect("Linux");
    // SAFETY: the descriptor stays open, and whose it is. The worker's code finds that it cannot read, and ends.
    let replaced = unsafe { libc::dup2(unreadable.as_raw_fd(), 3) };
    assert_eq!(replaced, 3);
}

type Settings = asyncpal::Builder<Processes>;

struct Stumbling {
    pool: ProcessPool,
    path: PathBuf,
}

impl Stumbling {
    fn new(options: ProcessOptions, starts: u32) -> Self {
        Self::with(options, starts, |builder| builder.initializer(stumble))
    }

    fn with(options: ProcessOptions, starts: u32, set: fn(Settings) -> Settings) -> Self {
        let path = env::temp_dir().join(format!("asyncpal-to-fail-{}", own_pid()));
        fs::write(&path, starts.to_string()).expect("writable");
        let builder = set(options.env(TO_FAIL, &path).pool().max_workers(1));
        Self { pool: builder.build().expect("valid"), path }
    }

    /// Runs a task that is sent to a worker which reads no requests any more and ends, so that another is started
    /// within the task; from that start on so many fail.
    fn run_on_an_ending_worker(&self, starts: u32) -> Result<u32, TaskError> {
        let gate = self.path.with_extension("gate");
        let path = gate.to_str().expect("plain").to_owned();
        let ending = self.pool.submit_with(end_requests, (path,)).expect("open");
        eventually(|| ending.is_running() && self.pool.count_pending_tasks() == 0);
        // It is pending when the worker replies, so the worker's owner does not sleep in between and miss it.
        let next = self.pool.submit(own_pid).expect("open");
        fs::write(&self.path, starts.to_string()).expect("writable");
        fs::write(&gate, "").expect("writable");
        let outcome = next.collect();
        fs::remove_file(gate).expect("there");
        ending.collect().expect("the reply is on another pipe");
        outcome
    }

    fn left(&self) -> u32 {
        fs::read_to_string(&self.path).expect("text").parse().expect("a number")
    }

    fn broken_cause(&self) -> Arc<BrokenCause> {
        let Err(PoolError::Broken(cause)) = self.pool.check() else { panic!("{:?}", self.pool) };
        cause
    }
}

fn assert_is_crash_loop(cause: &BrokenCause, of: u32) {
    let BrokenCause::CrashLoop { starts, last, .. } = cause else { panic!("{cause:?}") };
    assert_eq!(*starts, of);
    let last = last.downcast_ref::<LaunchError>().unwrap_or_else(|| panic!("{last:?}"));
    let LaunchError::Handshake(HandshakeError::Lost(lost)) = last else { panic!("{last:?}") };
    assert_eq!(lost.cause(), &LostCause::Exited(7));
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

    let cause = it.broken_cause();
    assert_is_crash_loop(&cause, 5);
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

/// They once did not: a start within a task was seen by nobody.
fn a_start_that_fails_within_a_task_counts_like_any_other() {
    let it = Stumbling::new(options().crash_loop(2), 0);

    let error = it.run_on_an_ending_worker(100).expect_err("it has no worker");
    assert!(error.to_string().contains("did not become a worker"), "{error}");
    assert!(it.pool.check().is_ok(), "one is not two");
    assert!(it.pool.run(own_pid).is_err());

    eventually(|| it.pool.check().is_err());
    assert_is_crash_loop(&it.broken_cause(), 2);
    assert_eq!(it.left(), 98, "one start within the task, and one for the next");
}

fn the_last_start_that_may_fail_breaks_the_pool_within_a_task_too() {
    let it = Stumbling::new(options().crash_loop(1), 0);

    let error = it.run_on_an_ending_worker(100).expect_err("it has no worker");
    assert!(error.to_string().contains("did not become a worker"), "{error}");

    // The handle tells before the worker leaves, and nothing more is submitted.
    eventually(|| it.pool.check().is_err());
    assert_is_crash_loop(&it.broken_cause(), 1);
    assert_eq!(it.left(), 99);
}

fn an_initializer_that_fails_within_a_task_breaks_the_pool() {
    let it = Stumbling::with(options(), 0, |builder| builder.initializer(refuse));

    let error = it.run_on_an_ending_worker(1).expect_err("it has no worker");
    assert!(error.to_string().contains("initializer failed"), "{error}");

    eventually(|| it.pool.check().is_err());
    let cause = it.broken_cause();
    let BrokenCause::Initializer(error) = &*cause else { panic!("{cause:?}") };
    assert!(error.to_string().contains("no flour"), "{error}");
}
