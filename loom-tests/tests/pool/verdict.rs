//! What the checker finds in a model with a pool is the model's failure.
//!
//! Its panics are expected, and printed.

use crate::{Gate, pool};
use asyncpal::model::explore;
use core::panic::AssertUnwindSafe;
use loom::cell::UnsafeCell;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Arc;

/// What the checker says about `model`.
fn verdict(model: impl Fn() + Send + Sync + 'static) -> String {
    let outcome = catch_unwind(AssertUnwindSafe(|| explore(Some(1), model)));
    let payload = outcome.expect_err("the model is wrong");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast::<&str>().expect("a panic with a text").to_string(),
    }
}

#[test]
fn a_deadlock_of_a_task_and_its_caller_is_reported() {
    let verdict = verdict(|| {
        let pool = pool(1);
        let never = Arc::new(Gate::default());
        pool.run(move || never.pass()).expect("no panic");
    });

    assert!(verdict.starts_with("deadlock"), "{verdict}");
}

#[test]
fn a_race_in_a_task_whose_result_nobody_looks_at_is_reported() {
    struct Shared(UnsafeCell<usize>);
    // SAFETY: a lie, for the checker to find.
    unsafe impl Send for Shared {}
    // SAFETY: as above.
    unsafe impl Sync for Shared {}

    let verdict = verdict(|| {
        let pool = pool(1);
        let shared = Arc::new(Shared(UnsafeCell::new(0)));
        let theirs = shared.clone();
        drop(pool.submit(move || theirs.0.with_mut(|_| ())));

        shared.0.with_mut(|_| ());
    });

    assert!(verdict.starts_with("Causality violation"), "{verdict}");
}

#[test]
fn a_task_that_starts_too_many_threads_is_reported() {
    let verdict = verdict(|| {
        let pool = pool(1);
        drop(pool.submit(|| (0..9).for_each(|_| drop(loom::thread::spawn(|| ())))));
    });

    assert!(verdict.contains("max()"), "{verdict}");
}

#[test]
fn an_assertion_that_fails_while_a_pool_is_open_is_reported() {
    let verdict = verdict(|| {
        let pool = pool(1);
        let never = Arc::new(Gate::default());
        let _task = pool.submit(move || never.pass()).expect("the pool is open");

        panic!("a wrong model");
    });

    assert_eq!(verdict, "a wrong model");
}

#[test]
fn a_panic_of_a_task_is_no_verdict() {
    explore(Some(1), || {
        let pool = pool(1);
        let result = pool.run(|| -> () { resume_unwind(Box::new("expected")) });
        assert!(result.is_err());
    });
}
