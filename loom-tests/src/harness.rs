//! Runs a model to its end, counts its executions, and reports both.
//!
//! # How a run is configured
//! | variable               | meaning                                                | default           |
//! |------------------------|--------------------------------------------------------|-------------------|
//! | `ASYNCPAL_LOOM_BOUND`  | preemptions per execution, or `none`                   | [`DEFAULT_BOUND`] |
//! | `ASYNCPAL_LOOM_REPORT` | file to which each model appends a line                | no file           |
//!
//! loom's own variables that end a run early, and let it pass, have no effect here.

use crate::DEFAULT_BOUND;
use asyncpal::model as checker;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Checks `f` in every execution that the run's preemption bound allows.
///
/// `name` is what the table of `cargo loom` calls it: the name of the test.
///
/// # Panics
///
/// When an execution panics, deadlocks or leaks; and when the checker skips interleavings, as the
/// published loom does, because such a run proves nothing.
#[track_caller]
pub fn model(name: &str, f: impl Fn() + Send + Sync + 'static) {
    model_bounded(name, run_bound(), f);
}

/// Like [`model`], with the model's own bound whatever the run's: for a model that needs more
/// preemptions to reach its subject, or is too large for as many as the others.
///
/// `None` allows any number: the check is exhaustive.
///
/// # Panics
///
/// As [`model`].
#[track_caller]
pub fn model_bounded(
    name: &str,
    max_preemptions: Option<usize>,
    f: impl Fn() + Send + Sync + 'static,
) {
    assert!(
        !checker::skips_interleavings(),
        "this loom skips interleavings, so `{name}` would prove nothing: run `cargo loom`"
    );
    explore(name, max_preemptions, f);
}

/// Like [`model`], with so many preemptions fewer than the run's: for a model that is too large for as many as the
/// others, and has its turn in a deeper run.
///
/// # Panics
///
/// As [`model`].
#[track_caller]
pub fn model_bounded_below(name: &str, fewer: usize, f: impl Fn() + Send + Sync + 'static) {
    model_bounded(name, run_bound().map(|bound| bound.saturating_sub(fewer)), f);
}

/// The set of what `f` returns, over all its executions.
///
/// Works on a checker that skips interleavings, too: this is how one finds out.
///
/// # Panics
///
/// When an execution panics, deadlocks or leaks.
#[track_caller]
pub fn outcomes<T: Ord + Send + 'static>(
    name: &str,
    max_preemptions: Option<usize>,
    f: impl Fn() -> T + Send + Sync + 'static,
) -> BTreeSet<T> {
    let (observe, seen) = observed(f);

    explore(name, max_preemptions, observe);

    take(&seen)
}

/// `f` as a model, and the set into which it puts what it returns.
fn observed<T: Ord + Send + 'static>(
    f: impl Fn() -> T + Send + Sync + 'static,
) -> (impl Fn() + Send + Sync + 'static, Arc<Mutex<BTreeSet<T>>>) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let observe = {
        let seen = Arc::clone(&seen);
        move || {
            let outcome = f();
            seen.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome);
        }
    };
    (observe, seen)
}

fn take<T: Ord>(seen: &Mutex<BTreeSet<T>>) -> BTreeSet<T> {
    core::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}

#[track_caller]
fn explore(name: &str, max_preemptions: Option<usize>, f: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = {
        let executions = Arc::clone(&executions);
        move || {
            // ORDERING: Relaxed: a count, and loom runs all of a model on one thread.
            executions.fetch_add(1, Ordering::Relaxed);
            f();
        }
    };
    let started = Instant::now();

    let verdict = catch_unwind(AssertUnwindSafe(|| checker::explore(max_preemptions, counted)));

    // ORDERING: Relaxed: as above.
    let executions = executions.load(Ordering::Relaxed);
    report(name, max_preemptions, executions, started.elapsed(), verdict.is_ok());
    if let Err(panic) = verdict {
        resume_unwind(panic);
    }
}

fn report(name: &str, bound: Option<usize>, executions: usize, took: Duration, passed: bool) {
    let bound = bound.map_or_else(|| "none".to_owned(), |bound| bound.to_string());
    let seconds = took.as_secs_f64();
    if passed {
        println!("model {name}: bound {bound}, {executions} executions, {seconds:.2} s");
    } else {
        println!("model {name}: bound {bound}, FAILED in execution {executions}, {seconds:.2} s");
    }

    if let Some(path) = env::var_os("ASYNCPAL_LOOM_REPORT") {
        let verdict = if passed { "passed" } else { "failed" };
        let line = format!("{verdict}\t{bound}\t{executions}\t{seconds}\t{name}\n");
        // One write of one line: the models of a file run side by side and append to one report.
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|error| panic!("cannot write the report {path:?}: {error}"));
    }
}

fn run_bound() -> Option<usize> {
    match env::var("ASYNCPAL_LOOM_BOUND").as_deref() {
        Err(_) => Some(DEFAULT_BOUND),
        Ok("none") => None,
        Ok(bound) => Some(bound.parse().unwrap_or_else(|error| {
            panic!("ASYNCPAL_LOOM_BOUND is `{bound}`, neither a number nor `none`: {error}")
        })),
    }
}
