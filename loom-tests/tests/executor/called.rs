//! One wake at a time (I5): submitters that rely on a worker which is about to look, against what that
//! worker finds and does.

use crate::kind::Script;
use crate::observed::{Fate, Pool, fate, wait};
use crate::scenes::{Signal, let_others_run, taken};
use crate::{Lending, OnHeap};
use asyncpal_core::sync::stall;
use asyncpal_core::task::Status;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::sync::Notify;
use loom::thread;
use loom_tests::model_bounded;
use std::sync::Arc;

/// Steps of a worker from its task's end to the moment when it has stopped looking out, and before.
const LOOKS_OUT: core::ops::Range<usize> = 8..14;

/// Two workers, of which the second sleeps. A task that waits and the one it waits for are submitted while
/// the first worker is on its way from the task before to its sleep, and looks out: their submitter relies on
/// it, and it must call the second worker.
///
/// Too many preemptions for the checker: so the worker is stopped at each step.
#[test]
fn a_worker_that_looks_out_leaves_no_task_behind_one_that_waits_for_it() {
    let name = "a_worker_that_looks_out_leaves_no_task_behind_one_that_waits_for_it";
    let relied_upon = Arc::new(AtomicBool::new(false));
    for stop in LOOKS_OUT {
        let relied_upon = Arc::clone(&relied_upon);
        model_bounded(name, Some(0), move || {
            let script = Script { spins: true, ..Script::default() };
            let pool = Pool::<OnHeap>::new(2, script);
            assert_eq!(pool.executor.spawn_workers(2), (2, None));
            thread::yield_now();
            let awaited_ran = Signal::new();
            let gate = loom::sync::Arc::new(Notify::new());
            let stops = gate.clone();
            let before = taken(pool.submit_work(move || stall::arm(stop, stops)));
            thread::yield_now();

            let waiting = taken(pool.submit_work({
                let awaited_ran = awaited_ran.clone();
                move || awaited_ran.wait()
            }));
            let sleeps = pool.executor.engine().counts().idle == 1;
            relied_upon.fetch_or(sleeps && waiting.status() == Status::Pending, Relaxed);
            let awaited = taken(pool.submit_work(move || awaited_ran.give()));
            gate.notify();

            assert_eq!([before, waiting, awaited].map(wait), [Fate::Ran; 3]);
            pool.end();
        });
    }
    assert!(relied_upon.load(Relaxed), "every submitter has woken somebody");
}

/// Between getting its seat back and leaving, because a borrower had run its last task, a worker was
/// counted on as if it would look: the submitted task waited for its finalizer although a slot was free.
#[test]
fn no_task_counts_on_a_worker_whose_seat_is_spent() {
    model_bounded("no_task_counts_on_a_worker_whose_seat_is_spent", Some(1), || {
        let awaited_ran = Signal::new();
        let finalizer = {
            let (awaited_ran, is_first) = (awaited_ran.clone(), AtomicBool::new(true));
            move || {
                if is_first.swap(false, Relaxed) {
                    awaited_ran.wait();
                }
            }
        };
        let finalizer: Box<dyn Fn() + Send + Sync> = Box::new(finalizer);
        let script =
            Script { tasks_per_worker: 1, finalizer: Some(finalizer), ..Script::default() };
        let pool = Pool::<Lending>::new(2, script);
        let _ = pool.executor.spawn_workers(1);
        let_others_run();

        let (borrowed, _) = pool.run(None);
        let awaited = fate(pool.submit_work(move || awaited_ran.give()));

        assert_eq!([borrowed, awaited], [Fate::Ran; 2]);
        pool.end();
    });
}
