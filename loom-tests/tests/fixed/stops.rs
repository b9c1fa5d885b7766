//! A thread stops for ever at any step: the others go on, and are refused no more than the one slot
//! that it has.
//!
//! What it takes along besides its own task: a worker the entry that it has just popped, or, if it
//! was about to look, a task that counts on it until the next submit; a submitter the worker that it
//! has claimed and not woken or spawned yet. So there are two workers here, and a slot to spare.

use crate::kind::Script;
use crate::observed::{Fate, Pool};
use crate::owner::Fixed;
use crate::scenes::{beside, end, join, let_others_run, taken};
use crate::stop::{Stop, at_every_step};
use loom::sync::Notify;
use std::sync::Arc;

type FixedPool = Pool<Fixed<3, 2>>;

#[test]
fn a_submitter_that_stops_while_nobody_lives_holds_up_nobody() {
    at_every_step("a_submitter_that_stops_while_nobody_lives_holds_up_nobody", 0, |stop| {
        beside_a_stopped_submitter(stop, FixedPool::new(2, Script::default()), 0);
    });
}

#[test]
fn a_submitter_that_stops_while_a_worker_sleeps_holds_up_nobody() {
    at_every_step("a_submitter_that_stops_while_a_worker_sleeps_holds_up_nobody", 0, |stop| {
        let pool = FixedPool::new(2, Script::default());
        assert_eq!(pool.join(pool.submit()), Fate::Ran);
        let_others_run();
        beside_a_stopped_submitter(stop, pool, 1);
    });
}

/// Of three slots one is the stopped thread's, and one may still be in a worker's hands.
fn beside_a_stopped_submitter(stop: Stop, pool: FixedPool, ran_before: usize) {
    let pool = Arc::new(pool);
    let gate = stop.gate();
    let stopped = beside(&pool, move |pool| {
        let submitted = stop.during(|| pool.submit());
        assert_eq!(pool.join(submitted), Fate::Ran);
    });
    let_others_run();

    for _ in 0..2 {
        assert_eq!(pool.join(Ok(taken(pool.submit()))), Fate::Ran);
    }

    gate.notify();
    join(stopped);
    end(pool).with_fates(&vec![Fate::Ran; 3 + ran_before]);
}

/// The worker stops after its first task: before it publishes the end, while it gives the slot back,
/// with another task in its hands, on its way to sleep. One of two other tasks runs.
#[test]
fn a_worker_that_stops_takes_one_task_along_at_most() {
    at_every_step("a_worker_that_stops_takes_one_task_along_at_most", 0, |stop| {
        let finalizer = {
            let stop = stop.clone();
            move || stop.disarm()
        };
        let script = Script { finalizer: Some(Box::new(finalizer)), ..Script::default() };
        let pool = FixedPool::new(2, script);
        let gate = stop.gate();
        let first = taken(pool.submit_work(move || stop.arm()));
        let_others_run();

        let ran = Arc::new(Notify::new());
        let two = [(); 2].map(|()| {
            let ran = Arc::clone(&ran);
            taken(pool.submit_work(move || ran.notify()))
        });
        ran.wait();

        gate.notify();
        for task in two.into_iter().chain([first]) {
            assert_eq!(pool.join(Ok(task)), Fate::Ran);
        }
        pool.end().with_fates(&[Fate::Ran; 3]);
    });
}
