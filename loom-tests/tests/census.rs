//! Models of the census alone, with a queue that is two numbers.
//!
//! # Claims
//! - **I2**: no task is left behind while its worker goes idle (C2, C3), retires (C5), leaves (C9)
//!   or could not be spawned (C6). A task that is left behind is reported as a deadlock.
//! - **F1 ↔ F2**, **F1 ↔ F3**: the numbers are Relaxed, so nothing but the fences orders them against
//!   the word.
//! - **I3**: a wake that is owed to a worker which retires is not lost.
//! - **I5**, **F1 ↔ F4**: a task whose submitter relied on a worker that is about to look is not stuck behind
//!   the task which that look finds.
//! - **C8**: who counts a worker counts the task for which it was called.
//! - **I4**, **C7**: a slot's fields are its worker's alone, and pass from worker to worker.
#![cfg(asyncpal_loom)]
#![expect(unreachable_pub, reason = "the modules of one test file see each other only")]

#[path = "executor/park.rs"]
mod park;
#[path = "census/toy.rs"]
mod toy;

use asyncpal_core::census::AfterPush;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;
use loom_tests::{model, model_bounded};
use std::sync::Arc;
use toy::{CALM, Setting, Toy};

/// One thread submits two tasks.
fn one_submitter(setting: Setting) {
    let toy = Toy::new(setting, 2);

    toy.submit();
    toy.submit();

    toy.end();
}

/// Two threads submit a task each.
fn two_submitters(setting: Setting) {
    two_submit(&Toy::new(setting, 2));
}

/// The same with a pool that may have workers.
fn two_submit(toy: &Arc<Toy>) {
    let other = {
        let toy = Arc::clone(toy);
        thread::spawn(move || toy.submit())
    };

    toy.submit();

    other.join().expect("no submitter panics");
    toy.end();
}

#[test]
fn no_task_is_left_behind_by_a_worker_that_goes_idle() {
    model("no_task_is_left_behind_by_a_worker_that_goes_idle", || one_submitter(CALM));
}

#[test]
fn no_task_of_two_submitters_is_left_behind_by_one_worker() {
    model("no_task_of_two_submitters_is_left_behind_by_one_worker", || two_submitters(CALM));
}

#[test]
fn no_task_of_two_submitters_is_left_behind_by_two_workers() {
    model("no_task_of_two_submitters_is_left_behind_by_two_workers", || {
        two_submitters(Setting { slots: 2, ..CALM });
    });
}

/// Two workers sleep, or the first is awake and looks out; the task that starts first waits for the second,
/// whose submitter may find somebody called.
fn a_task_waits_for_another_submitters(looks_out: bool) {
    let toy = Toy::new(Setting { slots: 2, first_waits: true, looks_out, ..CALM }, 2);
    for slot in 0..2 {
        assert_eq!(toy.census.hire(), Some(slot));
        let sleeps = slot > 0 || !looks_out;
        if sleeps {
            toy.census.go_idle(slot);
        }
        let worker = Arc::clone(&toy);
        let thread = thread::spawn(move || {
            if !sleeps || worker.sleep(slot) {
                worker.census.answer(slot);
                worker.serve(slot, true);
            }
            worker.census.leave(slot);
        });
        toy.threads().push(thread);
    }

    two_submit(&toy);
}

#[test]
fn no_task_is_left_behind_one_that_waits_for_it() {
    model_bounded("no_task_is_left_behind_one_that_waits_for_it", Some(2), || {
        a_task_waits_for_another_submitters(false);
    });
}

#[test]
fn no_task_that_a_worker_finds_while_it_looks_out_leaves_another_behind() {
    let name = "no_task_that_a_worker_finds_while_it_looks_out_leaves_another_behind";
    model_bounded(name, Some(1), || a_task_waits_for_another_submitters(true));
}

#[test]
fn a_retiring_worker_takes_the_wake_it_is_owed_or_leaves_its_slot_to_another() {
    model("a_retiring_worker_takes_the_wake_it_is_owed_or_leaves_its_slot_to_another", || {
        one_submitter(Setting { timeouts: 1, ..CALM });
    });
}

#[test]
fn a_worker_that_retires_against_two_submitters_leaves_no_task_behind() {
    model("a_worker_that_retires_against_two_submitters_leaves_no_task_behind", || {
        two_submitters(Setting { timeouts: 1, ..CALM });
    });
}

#[test]
fn a_spawner_that_fails_looks_after_who_relied_on_it() {
    model("a_spawner_that_fails_looks_after_who_relied_on_it", || {
        two_submitters(Setting { failing_spawns: 1, ..CALM });
    });
}

#[test]
fn a_slot_that_was_left_is_hired_with_its_fields() {
    model_bounded("a_slot_that_was_left_is_hired_with_its_fields", None, || {
        let toy = Toy::new(CALM, 0);
        assert_eq!(toy.census.hire(), Some(0));
        let leaver = {
            let toy = Arc::clone(&toy);
            thread::spawn(move || {
                toy.seats[0].fields.with_mut(|_| ());
                toy.census.leave(0);
            })
        };

        if let Some(slot) = toy.census.hire() {
            toy.seats[slot].fields.with_mut(|_| ());
        }

        leaver.join().expect("it does not panic");
    });
}

/// One thread numbers a task and calls for a worker, the other finds nobody idle and counts.
fn a_count_beside_a_call(was_idle: bool) {
    let toy = Toy::new(CALM, 0);
    if was_idle {
        assert_eq!(toy.census.after_push(|| true), AfterPush::Spawn(0));
        toy.census.go_idle(0);
    }
    let caller = {
        let toy = Arc::clone(&toy);
        thread::spawn(move || {
            toy.pushed.fetch_add(1, Relaxed);
            toy.census.after_push(|| true)
        })
    };

    if toy.census.idle() == 0 && toy.census.is_live(0) {
        assert_eq!(toy.pending(), 1, "the worker is counted and its task is not");
    }

    let called = if was_idle { AfterPush::Wake(0) } else { AfterPush::Spawn(0) };
    assert_eq!(caller.join().expect("no caller panics"), called);
}

#[test]
fn who_counts_a_worker_counts_the_task_for_which_it_was_called() {
    for was_idle in [false, true] {
        let name = "who_counts_a_worker_counts_the_task_for_which_it_was_called";
        model_bounded(name, None, move || a_count_beside_a_call(was_idle));
    }
}

/// Went wrong: the submitter took the worker for one that does not look, since it was idle when it was
/// counted, and spawned another, since its word was the same before and after.
#[test]
fn a_worker_that_goes_idle_and_comes_back_is_reckoned_with() {
    let name = "a_worker_that_goes_idle_and_comes_back_is_reckoned_with";
    model_bounded(name, None, || {
        let toy = Toy::new(Setting { slots: 2, ..CALM }, 0);
        assert_eq!(toy.census.after_push(|| true), AfterPush::Spawn(0));
        let worker = {
            let toy = Arc::clone(&toy);
            thread::spawn(move || {
                toy.census.go_idle(0);
                let found = toy.pending() > 0;
                let _ = if found { Some(toy.census.leave_idle(0)) } else { None };
            })
        };

        toy.pushed.fetch_add(1, Relaxed);
        let called = toy.census.after_push(|| toy.pending() > toy.live());
        worker.join().expect("no worker panics");

        assert_ne!(called, AfterPush::Spawn(1), "the only worker looks, or is woken");
    });
}
