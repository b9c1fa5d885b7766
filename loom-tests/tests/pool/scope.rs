//! Scopes: their end never comes before the last closure and the last output are gone.
//!
//! What tasks borrow is a cell of the checker on the stack of the scope's caller: each run and each
//! destructor writes to it, and the caller writes when the scope is over. A scope that ends too
//! early, or that lacks the edge N4, is a race on the cell; a caller that is not woken, a deadlock.
//! The ledger itself, which lies there, too, is guarded in the same way.

use crate::pool;
use asyncpal::{Scope, Status, TaskError, ThreadPool};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
use loom::cell::UnsafeCell;
use loom_tests::{model_bounded, outcomes};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a task borrows: a count.
struct Lent(UnsafeCell<usize>);

// SAFETY: of two accesses one happens before the other, which is what is checked.
unsafe impl Sync for Lent {}

impl Lent {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    fn touch(&self) {
        // SAFETY: no other access meanwhile, which is what is checked.
        self.0.with_mut(|count| unsafe { *count += 1 });
    }

    /// How often it was touched, when nobody can any more.
    fn count(&self) -> usize {
        // SAFETY: as above.
        self.0.with_mut(|count| unsafe { *count })
    }
}

/// Touches what it borrows when it is dropped.
struct Touches<'a>(&'a Lent);

impl Drop for Touches<'_> {
    fn drop(&mut self) {
        self.0.touch();
    }
}

#[test]
fn a_scope_ends_after_the_output_of_a_task_without_a_handle_is_gone() {
    let name = "a_scope_ends_after_the_output_of_a_task_without_a_handle_is_gone";
    model_bounded(name, Some(2), || {
        let pool = pool(1);
        let lent = Lent::new();

        pool.scope(|scope| {
            drop(scope.submit(|| {
                lent.touch();
                Touches(&lent)
            }));
        });

        assert_eq!(lent.count(), 2);
    });
}

#[test]
fn a_scope_ends_after_all_of_its_tasks() {
    model_bounded("a_scope_ends_after_all_of_its_tasks", Some(1), || {
        let pool = pool(2);
        let lent = [Lent::new(), Lent::new()];

        pool.scope(|scope| {
            for lent in &lent {
                drop(scope.submit(|| Touches(lent)));
            }
        });

        assert!(lent.iter().all(|lent| lent.count() == 1));
    });
}

#[test]
fn a_forgotten_handle_keeps_no_scope_open() {
    model_bounded("a_forgotten_handle_keeps_no_scope_open", Some(2), || {
        let pool = pool(1);
        let lent = Lent::new();

        pool.scope(|scope| {
            core::mem::forget(scope.submit(|| {
                lent.touch();
                Touches(&lent)
            }));
        });

        assert_eq!(lent.count(), 1);
    });
}

#[test]
fn a_collected_output_is_the_bodys() {
    model_bounded("a_collected_output_is_the_bodys", Some(2), || {
        let pool = pool(1);
        let lent = Lent::new();

        pool.scope(|scope| {
            let task = scope.submit(|| Touches(&lent)).expect("the pool is open");
            task.collect().expect("no panic").0.touch();
        });

        assert_eq!(lent.count(), 2);
    });
}

#[test]
fn a_scoped_task_that_is_cancelled_while_a_worker_comes_for_it_runs_or_is_dropped() {
    let name = "a_scoped_task_that_is_cancelled_while_a_worker_comes_for_it_runs_or_is_dropped";
    let ways = outcomes(name, Some(2), || {
        let pool = pool(1);
        let lent = Lent::new();

        let cancelled = pool.scope(|scope| {
            let captured = Touches(&lent);
            let task = scope.submit(move || {
                captured.0.touch();
                captured
            });
            task.expect("the pool is open").cancel()
        });

        assert_eq!(lent.count(), if cancelled { 1 } else { 2 });
        cancelled
    });

    assert_eq!(ways, BTreeSet::from([false, true]));
}

#[test]
fn a_shutdown_meanwhile_leaves_nothing_that_borrows() {
    let name = "a_shutdown_meanwhile_leaves_nothing_that_borrows";
    let ways = outcomes(name, Some(1), || {
        let pool = Arc::new(pool(1));
        let theirs = pool.clone();
        let lent = Lent::new();
        let closer = loom::thread::spawn(move || assert!(theirs.shutdown()));

        let end = pool.scope(|scope| {
            let captured = Touches(&lent);
            let task = scope.submit(move || drop(captured)).ok()?;
            task.wait();
            Some(task.status())
        });

        assert_eq!(lent.count(), 1);
        closer.join().expect("no panic");
        end.map(|status| status == Status::Completed)
    });

    assert_eq!(ways, BTreeSet::from([None, Some(false), Some(true)]));
}

#[test]
fn a_panic_that_nobody_collects_is_the_scopes() {
    model_bounded("a_panic_that_nobody_collects_is_the_scopes", Some(1), || {
        let pool = pool(1);
        let lent = Lent::new();

        let scope = core::panic::AssertUnwindSafe(|| {
            pool.scope(|scope| {
                drop(scope.submit(|| {
                    let _captured = Touches(&lent);
                    std::panic::resume_unwind(Box::new("expected"))
                }));
            });
        });
        let payload = std::panic::catch_unwind(scope).expect_err("the task panicked");

        assert_eq!(payload.downcast_ref(), Some(&"expected"));
        assert_eq!(lent.count(), 1);
    });
}

/// Calls `body` with a scope on a worker of the pool.
fn on_a_worker<'env, F>(pool: &'env ThreadPool, body: F)
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) + Send + 'env,
{
    pool.scope(|outer| {
        let task = outer.submit(|| pool.scope(body)).expect("the pool is open");
        task.collect().expect("no panic");
    });
}

#[test]
fn the_only_worker_runs_the_tasks_of_its_scope() {
    model_bounded("the_only_worker_runs_the_tasks_of_its_scope", Some(1), || {
        let pool = pool(1);
        let lent = Lent::new();

        on_a_worker(&pool, |scope| {
            drop(scope.submit(|| Touches(&lent)));
            core::mem::forget(scope.submit(|| lent.touch()));
        });

        assert_eq!(lent.count(), 2);
    });
}

#[test]
fn a_task_of_a_nested_scope_is_claimed_once_by_its_caller_or_a_worker() {
    let name = "a_task_of_a_nested_scope_is_claimed_once_by_its_caller_or_a_worker";
    model_bounded(name, Some(0), || {
        let pool = pool(2);
        let lent = Lent::new();

        on_a_worker(&pool, |scope| {
            let task = scope.submit(|| {
                lent.touch();
                Touches(&lent)
            });
            let mut task = pin!(task.expect("the pool is open"));
            // A waker may be left with the task when its handle goes.
            let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        });

        assert_eq!(lent.count(), 2);
    });
}

#[test]
fn a_task_that_is_submitted_while_the_worker_waits_for_its_scope_wakes_it() {
    let name = "a_task_that_is_submitted_while_the_worker_waits_for_its_scope_wakes_it";
    model_bounded(name, Some(0), || {
        let pool = pool(2);
        let [started, go, ran] = [(); 3].map(|()| crate::Gate::default());

        pool.scope(|outer| {
            let nested = outer.submit(|| {
                pool.scope(|scope| {
                    let (started, go, ran) = (&started, &go, &ran);
                    drop(scope.submit(move || {
                        started.open();
                        // Meanwhile the other worker may fall asleep at its scope's end.
                        go.pass();
                        // This worker does not come for it, so the other must.
                        drop(scope.submit(|| ran.open()));
                        ran.pass();
                    }));
                    started.pass();
                });
            });
            started.pass();
            go.open();
            nested.expect("the pool is open").collect().expect("no panic");
        });
    });
}

/// Calls what it holds when it is dropped.
struct Last<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Last<F> {
    fn drop(&mut self) {
        self.0.take().expect("once")();
    }
}

/// B6: wherever the output is dropped, a task that is submitted there is one of the scope's.
#[test]
fn an_output_that_submits_when_it_is_dropped_keeps_a_workers_scope_open() {
    let name = "an_output_that_submits_when_it_is_dropped_keeps_a_workers_scope_open";
    model_bounded(name, Some(0), || {
        let pool = pool(2);
        let lent = Lent::new();

        on_a_worker(&pool, |scope| {
            let again = || drop(scope.submit(|| lent.touch()));
            drop(scope.submit(move || Last(Some(again))));
        });

        assert_eq!(lent.count(), 1);
    });
}

#[test]
fn a_failed_collect_says_why() {
    model_bounded("a_failed_collect_says_why", Some(1), || {
        let pool = pool(1);

        pool.scope(|scope| {
            let task = scope.submit(|| std::panic::resume_unwind(Box::new("expected")));
            let task: asyncpal::ScopedHandle<'_, ()> = task.expect("the pool is open");
            match task.collect() {
                Err(TaskError::Panicked(panic)) => assert_eq!(panic.message(), Some("expected")),
                other => panic!("{other:?}"),
            }
        });
    });
}
