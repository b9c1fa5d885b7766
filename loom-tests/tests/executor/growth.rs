//! Workers come, go idle, retire, are recycled: every task runs.

use crate::OnHeap;
use crate::kind::Script;
use crate::observed::{Fate, Pool, fate};
use crate::scenes::{Signal, let_others_run, taken, two_submits, two_submitters};
use asyncpal_core::sync::stall;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::sync::Notify;
use loom::thread;
use loom_tests::{model, model_bounded, model_bounded_below};
use std::sync::Arc;

/// Two callers with a task each, which both run.
fn two_tasks_run(max_workers: usize, script: Script) {
    let (fates, _) = two_submitters::<OnHeap>(max_workers, script);

    assert_eq!(fates, [Fate::Ran; 2]);
}

#[test]
fn a_task_submitted_while_the_worker_goes_idle_runs() {
    model("a_task_submitted_while_the_worker_goes_idle_runs", || {
        two_submits::<OnHeap>(1, Script::default());
    });
}

#[test]
fn the_tasks_of_two_submitters_run_on_one_worker() {
    model_bounded("the_tasks_of_two_submitters_run_on_one_worker", Some(1), || {
        two_tasks_run(1, Script::default());
    });
}

#[test]
fn the_tasks_of_one_submitter_run_on_two_workers() {
    model_bounded("the_tasks_of_one_submitter_run_on_two_workers", Some(1), || {
        two_submits::<OnHeap>(2, Script::default());
    });
}

#[test]
fn the_tasks_of_two_submitters_run_on_two_workers() {
    model_bounded_below("the_tasks_of_two_submitters_run_on_two_workers", 2, || {
        two_tasks_run(2, Script::default());
    });
}

#[test]
fn a_task_submitted_while_the_worker_retires_runs() {
    model("a_task_submitted_while_the_worker_retires_runs", || {
        two_submits::<OnHeap>(1, Script { timeouts: 1, ..Script::default() });
    });
}

#[test]
fn the_tasks_of_two_submitters_run_while_the_worker_retires() {
    model_bounded("the_tasks_of_two_submitters_run_while_the_worker_retires", Some(1), || {
        two_tasks_run(1, Script { timeouts: 1, ..Script::default() });
    });
}

#[test]
fn a_recycled_worker_leaves_the_next_task_to_a_successor() {
    model("a_recycled_worker_leaves_the_next_task_to_a_successor", || {
        let script = Script { tasks_per_worker: 1, ..Script::default() };

        let spawns = two_submits::<OnHeap>(1, script).spawns();

        assert!(spawns >= 2);
    });
}

#[test]
fn a_caller_that_waits_before_it_submits_again_makes_no_second_worker() {
    model("a_caller_that_waits_before_it_submits_again_makes_no_second_worker", || {
        let pool = Pool::<OnHeap>::new(2, Script::default());

        let fates = [(); 2].map(|()| fate(pool.submit()));

        let ended = pool.end();
        ended.with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 2]);
        assert_eq!(ended.spawns(), 1);
    });
}

/// The worker finds the first task when it has announced itself idle and was claimed for the
/// second: the wake that it owes must go on to another worker, or the second task is stuck behind
/// the first although a slot is free.
///
/// That takes two submits at two moments of the worker's way to sleep, too many preemptions for the
/// checker: so the worker is stopped at each pair of steps there.
#[test]
fn a_task_that_waits_for_a_later_one_is_not_in_its_way() {
    // From its look at the queue to its announcement, and from there to its second look's end.
    let pairs = (0..8).flat_map(|first| (4..10).map(move |second| (first, second)));

    for (first_stop, second_stop) in pairs {
        let name = "a_task_that_waits_for_a_later_one_is_not_in_its_way";
        model_bounded(name, Some(0), move || {
            let pool = Pool::<OnHeap>::new(2, Script::default());
            let later_ran = Arc::new(Notify::new());
            let gates = [(); 2].map(|()| loom::sync::Arc::new(Notify::new()));
            let stops = gates.clone();
            let first = pool.submit_work(move || {
                let [one, two] = stops;
                stall::arm(first_stop, one);
                stall::arm(second_stop, two);
            });
            thread::yield_now();

            let waiting = pool.submit_work({
                let later_ran = Arc::clone(&later_ran);
                move || later_ran.wait()
            });
            gates[0].notify();
            thread::yield_now();
            let later = pool.submit_work(move || later_ran.notify());
            gates[1].notify();

            assert_eq!(fate(later), Fate::Ran);
            drop((first, waiting));
            pool.end();
        });
    }
}

/// The finalizer of the first worker waits for the second task; there is a free slot.
fn task_that_a_finalizer_waits_for(script: Script) {
    let second_ran = Arc::new(Notify::new());
    let finalizer = {
        let (second_ran, first_time) = (Arc::clone(&second_ran), AtomicBool::new(true));
        move || {
            if first_time.swap(false, Relaxed) {
                second_ran.wait();
            }
        }
    };
    let pool = Pool::<OnHeap>::new(2, Script { finalizer: Some(Box::new(finalizer)), ..script });

    let first = pool.submit();
    let second = pool.submit_work(move || second_ran.notify());

    assert_eq!(fate(second), Fate::Ran);
    drop(first);
    pool.end();
}

#[test]
fn no_task_counts_on_a_worker_that_retires() {
    model_bounded("no_task_counts_on_a_worker_that_retires", Some(1), || {
        task_that_a_finalizer_waits_for(Script { timeouts: 1, ..Script::default() });
    });
}

/// Between its last task and its goodbye a recycled worker was counted on as if it would look at
/// the queue: the second task waited for its finalizer although a slot was free.
#[test]
fn no_task_counts_on_a_worker_that_is_recycled() {
    model_bounded("no_task_counts_on_a_worker_that_is_recycled", Some(1), || {
        task_that_a_finalizer_waits_for(Script { tasks_per_worker: 1, ..Script::default() });
    });
}

/// Steps of a worker from its task's end to its publication, and further.
const ENDS_TASK: core::ops::Range<usize> = 0..10;

/// A callback that is added when its task is over already, but not for others, runs on the worker. It waits for a task
/// that is submitted before or after that.
///
/// The worker is stopped at each step there; true if it has called back at any.
fn late_callbacks_wait(name: &'static str, submitted_before: bool) -> bool {
    let called_back = Arc::new(AtomicBool::new(false));
    for stop in ENDS_TASK {
        let called_back = Arc::clone(&called_back);
        model_bounded(name, Some(0), move || {
            let pool = Pool::<OnHeap>::new(2, Script::default());
            let gate = loom::sync::Arc::new(Notify::new());
            let stops = gate.clone();
            let first = taken(pool.submit_work(move || stall::arm(stop, stops)));
            let_others_run();
            let awaited_ran = Signal::new();
            let submit = || {
                let awaited_ran = awaited_ran.clone();
                pool.submit_work(move || awaited_ran.give())
            };
            let before = submitted_before.then(submit);

            let (waits, caller) = (awaited_ran.clone(), thread::current().id());
            let called_back = Arc::clone(&called_back);
            first.on_done(Box::new(move |_| {
                if thread::current().id() != caller {
                    called_back.store(true, Relaxed);
                    waits.wait();
                }
            }));

            let awaited = before.unwrap_or_else(submit);
            gate.notify();
            assert_eq!([Ok(first), awaited].map(fate), [Fate::Ran; 2]);
            pool.end();
        });
    }
    called_back.load(Relaxed)
}

#[test]
fn a_worker_in_a_late_callback_has_no_task_in_its_hands() {
    let name = "a_worker_in_a_late_callback_has_no_task_in_its_hands";
    assert!(late_callbacks_wait(name, true));
}

#[test]
fn no_task_counts_on_a_worker_in_a_late_callback() {
    assert!(late_callbacks_wait("no_task_counts_on_a_worker_in_a_late_callback", false));
}
