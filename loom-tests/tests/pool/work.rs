//! Tasks run, and their results come back.

use crate::{Gate, IDLE_TIMEOUT, pool, retiring_pool};
use asyncpal::model::Time;
use asyncpal::{Status, TaskError, ThreadPool, as_done, wait};
use core::time::Duration;
use loom_tests::{model_bounded, outcomes};
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

#[test]
fn a_submitted_task_is_collected() {
    model_bounded("a_submitted_task_is_collected", Some(2), || {
        let pool = pool(1);

        let handle = pool.submit(|| 6 * 7).expect("the pool is open");

        assert_eq!(handle.collect().expect("no panic"), 42);
    });
}

#[test]
fn two_tasks_on_one_worker_run_in_their_order() {
    model_bounded("two_tasks_on_one_worker_run_in_their_order", Some(1), || {
        let pool = pool(1);
        let order = Arc::new(Mutex::new(Vec::new()));

        let handles = [1, 2].map(|number| {
            let order = order.clone();
            pool.submit(move || order.lock().expect("no panic").push(number))
                .expect("the pool is open")
        });

        assert!(wait(&handles, None));
        assert_eq!(*order.lock().expect("no panic"), [1, 2]);
    });
}

#[test]
fn a_second_worker_comes_for_a_task_that_the_first_waits_for() {
    model_bounded("a_second_worker_comes_for_a_task_that_the_first_waits_for", Some(0), || {
        let pool = pool(2);
        let second_ran = Arc::new(Gate::default());
        let opened = second_ran.clone();

        let first = pool.submit(move || opened.pass()).expect("the pool is open");
        let second = pool.submit(move || second_ran.open()).expect("the pool is open");

        first.collect().expect("no panic");
        second.collect().expect("no panic");
    });
}

#[test]
fn handles_come_as_they_are_done() {
    model_bounded("handles_come_as_they_are_done", Some(1), || {
        let pool = pool(1);
        let handles = [1, 2].map(|n| pool.submit(move || n).expect("the pool is open"));

        let results: Vec<_> =
            as_done(handles).map(|handle| handle.collect().expect("no panic")).collect();

        assert_eq!(results, [1, 2]);
    });
}

#[test]
fn a_map_returns_its_results_in_the_order_of_the_items() {
    model_bounded("a_map_returns_its_results_in_the_order_of_the_items", Some(1), || {
        let pool = pool(1);

        let results: Result<Vec<_>, _> = pool.map(|n| n * n, [2, 3]).collect();

        assert_eq!(results.expect("no panic"), [4, 9]);
    });
}

#[test]
fn a_worker_that_waits_for_its_own_pool_runs_the_task_itself() {
    model_bounded("a_worker_that_waits_for_its_own_pool_runs_the_task_itself", Some(1), || {
        let pool = Arc::new(pool(1));
        let inner = pool.clone();

        let outer = pool
            .submit(move || {
                let nested = inner.submit(|| 7).expect("the pool is open");
                // The outer thread ends the pool.
                drop(inner);
                nested.collect()
            })
            .expect("the pool is open");

        let nested = outer.collect().expect("the outer task does not panic");
        assert_eq!(nested.expect("nor does the inner one"), 7);
    });
}

#[test]
fn a_panic_is_the_tasks_failure_and_its_worker_goes_on() {
    model_bounded("a_panic_is_the_tasks_failure_and_its_worker_goes_on", Some(1), || {
        let pool = pool(1);

        let panicking = pool.submit(|| quiet_panic("expected")).expect("the pool is open");
        let next = pool.submit(|| 3).expect("the pool is open");

        match panicking.collect() {
            Err(TaskError::Panicked(panic)) => assert_eq!(panic.message(), Some("expected")),
            other => panic!("{other:?}"),
        }
        assert_eq!(next.collect().expect("no panic"), 3);
    });
}

#[test]
fn a_panic_is_reported_once_if_nobody_collects_it() {
    let reports = outcomes("a_panic_is_reported_once_if_nobody_collects_it", Some(1), || {
        let reports = Arc::new(Mutex::new(0));
        let failed = Arc::new(Mutex::new(0));
        let (told, fails) = (reports.clone(), failed.clone());
        let pool = ThreadPool::builder()
            .max_workers(1)
            .idle_timeout(None)
            .on_uncollected(move |_| *told.lock().expect("no panic") += 1)
            .build()
            .expect("the settings are valid");

        let handle = pool.submit(|| quiet_panic("expected")).expect("the pool is open");
        handle.add_callback(move |status| {
            *fails.lock().expect("no panic") += u8::from(status == Status::Failed);
        });
        drop(handle);
        // What has not started by then is cancelled, and nobody's loss.
        drop(pool);

        let reports = *reports.lock().expect("no panic");
        assert_eq!(reports, *failed.lock().expect("no panic"));
        reports
    });

    assert_eq!(reports, BTreeSet::from([0, 1]));
}

/// A panic about which nothing is printed: it happens in each of thousands of executions.
fn quiet_panic(text: &'static str) {
    resume_unwind(Box::new(text));
}

#[test]
fn a_task_submitted_while_the_idle_worker_retires_runs() {
    let this_thread = || loom::thread::current().id();
    let name = "a_task_submitted_while_the_idle_worker_retires_runs";
    let stayed = outcomes(name, Some(1), move || {
        let time = Time::start();
        let pool = retiring_pool(1, Some(IDLE_TIMEOUT));
        let first = pool.run(this_thread).expect("no panic");

        time.elapse(IDLE_TIMEOUT);

        let second = pool.run(this_thread).expect("no panic");
        first == second
    });

    assert_eq!(stayed, BTreeSet::from([false, true]));
}

#[test]
fn a_wait_ends_at_its_deadline_or_at_the_tasks_end() {
    let second = Duration::from_secs(1);
    let ways = outcomes("a_wait_ends_at_its_deadline_or_at_the_tasks_end", Some(1), move || {
        let time = Arc::new(Time::start());
        let pool = pool(1);
        let gate = Arc::new(Gate::default());
        let passed = gate.clone();
        let mut handle = pool.submit(move || passed.pass()).expect("the pool is open");
        let others = (time.clone(), gate.clone());
        let other = loom::thread::spawn(move || {
            others.0.elapse(second);
            others.1.open();
        });

        let in_time = match handle.collect_timeout(second) {
            Ok(()) => true,
            Err(TaskError::TimedOut) => {
                handle.collect_timeout(Duration::MAX).expect("the handle stays usable");
                false
            }
            Err(other) => panic!("{other}"),
        };

        other.join().expect("no panic");
        in_time
    });

    assert_eq!(ways, BTreeSet::from([false, true]));
}

#[test]
fn an_iteration_over_handles_ends_when_its_time_is_up() {
    model_bounded("an_iteration_over_handles_ends_when_its_time_is_up", Some(0), || {
        let second = Duration::from_secs(1);
        let time = Arc::new(Time::start());
        let pool = pool(1);
        let gate = Arc::new(Gate::default());
        let passed = gate.clone();
        let handle = pool.submit(move || passed.pass()).expect("the pool is open");
        let mut done = as_done([handle]).timeout(second);
        let clock = time.clone();
        let other = loom::thread::spawn(move || clock.elapse(second));

        assert!(done.next().is_none());

        gate.open();
        other.join().expect("no panic");
        drop(done);
    });
}
