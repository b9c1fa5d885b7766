//! probe
#![cfg(asyncpal_loom)]
#![allow(unreachable_pub)]

#[path = "executor/kind.rs"]
mod kind;
#[path = "executor/park.rs"]
mod park;

use kind::{Fate, Pool, Script, fate, wait};
use core::sync::atomic::Ordering::Relaxed;
use loom::sync::Notify;
use loom::thread;
use loom_tests::model;
use std::sync::Arc;

#[test]
fn one_task() {
    model("one_task", || {
        let pool = Pool::new(1, Script::default());
        assert_eq!(fate(pool.submit()), Fate::Ran);
        pool.end().with_fates(&[Fate::Ran]);
    });
}

#[test]
fn a_task_that_waits_for_a_later_one_is_not_in_its_way() {
    model("a_task_that_waits_for_a_later_one_is_not_in_its_way", || {
        let pool = Pool::new(2, Script::default());
        let [first_runs, later_ran] = [(); 2].map(|()| Arc::new(Notify::new()));
        let first = pool.submit_work({
            let first_runs = Arc::clone(&first_runs);
            move || first_runs.notify()
        });
        first_runs.wait();

        let waiting = pool.submit_work({
            let later_ran = Arc::clone(&later_ran);
            move || later_ran.wait()
        });
        thread::yield_now();
        let later = pool.submit_work(move || later_ran.notify());

        assert_eq!(fate(later), Fate::Ran);
        drop((first, waiting));
        pool.end();
    });
}

#[test]
fn a_caller_that_waits_before_it_submits_again_needs_one_worker() {
    model("a_caller_that_waits_before_it_submits_again_needs_one_worker", || {
        let pool = Pool::new(2, Script::default());
        assert_eq!(fate(pool.submit()), Fate::Ran);
        assert_eq!(fate(pool.submit()), Fate::Ran);
        assert_eq!(pool.record.spawns.load(Relaxed), 1);
        pool.end();
    });
}

#[test]
fn two_submitters_one_worker() {
    model("two_submitters_one_worker", || {
        let pool = Arc::new(Pool::new(1, Script::default()));
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || fate(pool.submit()))
        };
        let mine = fate(pool.submit());
        let theirs = other.join().unwrap();
        Arc::into_inner(pool).unwrap().end().with_fates(&[mine, theirs]);
    });
}

#[test]
fn stalled() {
    for step in 0..14 {
        let verdict = std::panic::catch_unwind(|| {
            loom_tests::model_bounded(&format!("stalled at {step}"), Some(1), move || {
                let pool = Pool::new(2, Script::default());
                let [first_runs, later_ran] = [(); 2].map(|()| Arc::new(Notify::new()));
                let gate = loom::sync::Arc::new(Notify::new());
                let first = pool.submit_work({
                    let first_runs = Arc::clone(&first_runs);
                    let gate = gate.clone();
                    move || {
                        asyncpal_core::sync::stall::arm(step, gate);
                        first_runs.notify()
                    }
                });
                first_runs.wait();

                let waiting = pool.submit_work({
                    let later_ran = Arc::clone(&later_ran);
                    move || later_ran.wait()
                });
                gate.notify();
                let later = pool.submit_work(move || later_ran.notify());

                assert_eq!(fate(later), Fate::Ran);
                drop((first, waiting));
                pool.end();
            })
        });
        println!("step {step}: {}", verdict.is_ok());
    }
}
