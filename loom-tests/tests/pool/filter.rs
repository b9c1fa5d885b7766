//! The completion filter: N1 to N3 of `std-ext/src/filter.rs`.

use crate::{Gate, pool};
use asyncpal::{CompletionFilter, Handle};
use loom_tests::{model_bounded, outcomes};
use std::collections::BTreeSet;
use std::sync::Arc;

fn value(handle: Handle<u32>) -> u32 {
    handle.collect().expect("no panic")
}

#[test]
fn of_two_threads_that_wait_for_the_last_task_one_gets_it() {
    model_bounded("of_two_threads_that_wait_for_the_last_task_one_gets_it", Some(1), || {
        let pool = pool(1);
        let filter = Arc::new(CompletionFilter::new());
        filter.put(pool.submit(|| 1).expect("the pool is open"));
        let theirs = filter.clone();
        let other = loom::thread::spawn(move || theirs.get().map(value));

        let ours = filter.get().map(value);

        assert_eq!([ours, other.join().expect("no panic")].into_iter().flatten().sum::<u32>(), 1);
    });
}

#[test]
fn what_a_worker_is_running_is_got_once() {
    // The worker runs it while it drains the filter, and this thread may be the one that gets it.
    let ways = outcomes("what_a_worker_is_running_is_got_once", Some(2), || {
        let pool = pool(1);
        let filter = Arc::new(CompletionFilter::new());
        let theirs = filter.clone();
        let is_fed = Arc::new(Gate::default());
        let may_drain = is_fed.clone();
        let drained = pool.submit(move || {
            may_drain.pass();
            theirs.get_all().map(value).sum::<u32>()
        });
        filter.put(pool.submit(|| 1).expect("the pool is open"));
        is_fed.open();

        let ours = filter.get().map_or(0, value);

        assert_eq!(ours + value(drained.expect("the pool is open")), 1);
        ours
    });

    assert_eq!(ways, BTreeSet::from([0, 1]));
}

#[test]
fn a_put_wakes_a_worker_that_can_run_the_task() {
    model_bounded("a_put_wakes_a_worker_that_can_run_the_task", Some(0), || {
        let pool = pool(2);
        let gate = Arc::new(Gate::default());
        let passed = gate.clone();
        let held = pool.submit(move || {
            passed.pass();
            1
        });
        let filter = Arc::new(CompletionFilter::from_iter([held.expect("the pool is open")]));
        let theirs = filter.clone();
        let drained = pool.submit(move || theirs.get_all().map(value).sum::<u32>());

        // Both workers are busy: the second, which drains the filter, must come for this one.
        filter.put(
            pool.submit(move || {
                gate.open();
                2
            })
            .expect("the pool is open"),
        );

        let ours: u32 = filter.get_all().map(value).sum();
        assert_eq!(ours + value(drained.expect("the pool is open")), 3);
    });
}
