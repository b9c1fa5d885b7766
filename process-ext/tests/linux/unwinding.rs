//! What users wrote and the parent calls, panicking, blocking or nesting there: how a result is read, how arguments are
//! dropped.

use core::time::Duration;
use std::panic::catch_unwind;
use std::thread::sleep;
use std::time::Instant;

use asyncpal_process::error::DecodeError;
use asyncpal_process::{LostCause, ProcessOptions, ProcessPool, Within, WorkerLost};
use asyncpal_std::{Handle, TaskError, With};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Trials, exists, trials};

pub(crate) fn trials() -> Trials {
    trials![
        a_result_whose_reading_panics_fails_its_task_and_no_other,
        a_result_nested_without_end_fails_its_task_and_no_other,
        who_runs_a_task_gets_the_panic_of_its_result_as_an_error,
        arguments_whose_destructor_panics_are_those_of_a_task_like_any_other,
        a_destructor_that_panics_behind_another_panic_is_contained,
        a_task_is_killed_at_its_limit_however_long_its_arguments_take_to_drop,
        who_submits_arguments_gets_the_panic_of_their_writing,
    ]
}

const LONG: Duration = Duration::from_secs(60);

fn pool() -> ProcessPool {
    ProcessPool::builder().max_workers(1).build().unwrap()
}

fn result<T>(mut handle: Handle<T>) -> Result<T, TaskError> {
    handle.collect_timeout(LONG)
}

/// Can be written, and not read.
#[derive(Debug, Serialize)]
struct Unreadable;

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("cannot read it")
    }
}

fn unreadable() -> Unreadable {
    Unreadable
}

fn is_the_panic(error: &TaskError) -> bool {
    matches!(error, TaskError::Panicked(panic) if panic.message() == Some("cannot read it"))
}

fn a_result_whose_reading_panics_fails_its_task_and_no_other() {
    let pool = pool();
    let worker = pool.run(std::process::id).unwrap();

    let first = pool.submit(unreadable).unwrap();
    let behind: Vec<_> = (0..20).map(|n: u8| pool.submit_with(|n: u8| n, (n,)).unwrap()).collect();

    assert!(is_the_panic(&result(first).unwrap_err()));
    for (n, handle) in (0..).zip(behind) {
        assert_eq!(result(handle).unwrap(), n);
    }
    assert_eq!(pool.run(std::process::id).unwrap(), worker, "its reply was whole");
    assert!(pool.shutdown_timeout(LONG).is_complete());
}

/// A list that ends. Written, it does not.
#[derive(Debug, Deserialize)]
struct Link {
    #[expect(dead_code, reason = "it is read, and never looked at")]
    next: Option<Box<Link>>,
}

/// A million bytes, each of which says that there is one more link.
impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = serializer.serialize_tuple(1_000_000)?;
        for _ in 0..1_000_000 {
            bytes.serialize_element(&1_u8)?;
        }
        bytes.end()
    }
}

/// It overflowed the stack of whoever read it, which ended the program.
fn a_result_nested_without_end_fails_its_task_and_no_other() {
    let pool = pool();
    let worker = pool.run(std::process::id).unwrap();
    let last_link = || Link { next: None };

    let submitted = pool.submit(last_link).unwrap();
    let behind = pool.submit(|| 7_u8).unwrap();

    for error in [result(submitted).unwrap_err(), pool.run(last_link).unwrap_err()] {
        assert!(error.downcast_ref::<DecodeError>().is_some(), "{error:?}");
        assert!(error.to_string().contains("nested deeper than 512 levels"), "{error}");
    }
    assert_eq!(result(behind).unwrap(), 7);
    assert_eq!(pool.run(std::process::id).unwrap(), worker, "its replies were whole");
}

fn who_runs_a_task_gets_the_panic_of_its_result_as_an_error() {
    let pool = pool();
    let worker = pool.run(std::process::id).unwrap();

    let error = pool.run(unreadable).unwrap_err();

    assert!(is_the_panic(&error), "{error:?}");
    assert_eq!(pool.run(std::process::id).unwrap(), worker);
}

/// Its destructor runs where the arguments were sent from.
#[derive(Serialize, Deserialize)]
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("it breaks");
    }
}

fn arguments_whose_destructor_panics_are_those_of_a_task_like_any_other() {
    fn put_away(fragile: Fragile) -> u8 {
        core::mem::forget(fragile);
        7
    }
    let pool = pool();
    let worker = pool.run(std::process::id).unwrap();

    assert_eq!(result(pool.submit_with(put_away, (Fragile,)).unwrap()).unwrap(), 7);
    assert_eq!(pool.run(With::new(put_away, (Fragile,))).unwrap(), 7);

    assert_eq!(pool.run(std::process::id).unwrap(), worker);
    assert!(pool.shutdown_timeout(LONG).is_complete());
}

fn a_destructor_that_panics_behind_another_panic_is_contained() {
    fn swallow(fragile: Fragile) -> Unreadable {
        core::mem::forget(fragile);
        Unreadable
    }
    let pool = pool();

    let submitted = result(pool.submit_with(swallow, (Fragile,)).unwrap());
    let ran = pool.run(With::new(swallow, (Fragile,)));

    assert!(is_the_panic(&submitted.unwrap_err()) && is_the_panic(&ran.unwrap_err()));
}

/// Its destructor takes as long as this worker lives, which it does not wait for without end.
#[derive(Serialize, Deserialize)]
struct Slow(u32);

impl Drop for Slow {
    fn drop(&mut self) {
        let begun = Instant::now();
        while exists(self.0) && begun.elapsed() < Duration::from_secs(30) {
            sleep(Duration::from_millis(1));
        }
    }
}

/// Its time runs while its arguments are dropped.
fn a_task_is_killed_at_its_limit_however_long_its_arguments_take_to_drop() {
    fn work_for_ever(_: Slow) {
        loop {
            core::hint::spin_loop();
        }
    }
    let limit = Duration::from_millis(100);
    let options = ProcessOptions::new().task_timeout(limit);
    let pool = options.pool().max_workers(1).build().unwrap();
    let worker = pool.run(Within::new(LONG, std::process::id)).unwrap();

    let begun = Instant::now();
    let handle = pool.submit_with(work_for_ever, (Slow(worker),)).unwrap();
    while exists(worker) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it lives beyond its limit");
        sleep(Duration::from_millis(1));
    }

    let error = result(handle).unwrap_err();
    assert_eq!(*WorkerLost::of(&error).unwrap().cause(), LostCause::TimedOut(limit));
}

/// Can be read, and not written.
#[derive(Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("cannot write it")
    }
}

fn who_submits_arguments_gets_the_panic_of_their_writing() {
    let pool = pool();

    let submitted = catch_unwind(|| pool.submit_with(|_: Unwritable| (), (Unwritable,)).map(drop));
    let ran = catch_unwind(|| pool.run(With::new(|_: Unwritable| (), (Unwritable,))));

    assert!(submitted.is_err() && ran.is_err());
    assert_eq!(pool.stats().submitted, 0);
    assert_eq!(pool.run(|| 7_u8).unwrap(), 7);
}
