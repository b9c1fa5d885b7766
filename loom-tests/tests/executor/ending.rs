//! Close, drop, join against submit and cancel: every submit is settled, the engine goes last.

use crate::OnHeap;
use crate::kind::Script;
use crate::observed::{Fate, Pool, Refusal, fate, wait};
use crate::scenes::{WhenDropped, a_submit_against_close, beside, end, join, taken};
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::thread;
use loom_tests::{model, model_bounded};
use std::sync::Arc;

const SETTLED: [Fate; 3] = [Fate::Ran, Fate::Cancelled(None), Fate::GivenBack(Refusal::Closed)];

#[test]
fn a_submit_against_close_is_settled() {
    model("a_submit_against_close_is_settled", || {
        let fate = a_submit_against_close::<OnHeap>(Script::default());

        assert!(SETTLED.contains(&fate), "{fate:?}");
    });
}

/// Nobody but the closer and the submitter itself looks after the task. With another task before it
/// the closer knows the queue, and looks at it without taking a ticket: only the fences order that.
#[test]
fn a_submit_against_close_is_settled_before_its_worker_starts() {
    for tasks_before in 0..=1 {
        model("a_submit_against_close_is_settled_before_its_worker_starts", move || {
            let script = Script { starting_workers: 0, ..Script::default() };
            let pool = Arc::new(Pool::<OnHeap>::new(1, script));
            let before: Vec<_> = (0..tasks_before).map(|_| pool.submit()).collect();
            let other = beside(&pool, |pool| fate(pool.submit()));

            pool.executor.close();

            let mut fates = vec![join(other)];
            fates.extend(before.into_iter().map(fate));
            end(pool).with_fates(&fates);
            assert!(fates.iter().all(|fate| SETTLED.contains(fate)), "{fates:?}");
        });
    }
}

#[test]
fn a_submit_against_close_is_settled_while_a_worker_is_at_any_step() {
    model_bounded(
        "a_submit_against_close_is_settled_while_a_worker_is_at_any_step",
        Some(1),
        || {
            let pool = Arc::new(Pool::<OnHeap>::new(1, Script::default()));
            let first = pool.submit();
            let other = beside(&pool, |pool| fate(pool.submit()));

            pool.executor.close();

            let fates = [fate(first), join(other)];
            end(pool).with_fates(&fates);
            assert!(fates.iter().all(|fate| SETTLED.contains(fate)), "{fates:?}");
        },
    );
}

/// The worker that has run the first pops the second, whose destructor waits for the first: its end is
/// published before that.
#[test]
fn a_job_that_is_turned_down_may_wait_for_the_task_before_it() {
    model("a_job_that_is_turned_down_may_wait_for_the_task_before_it", || {
        let pool = Pool::<OnHeap>::new(1, Script::default());
        let waits = WhenDropped::waits_for(taken(pool.submit()));
        let second = pool.submit_work(move || drop(waits));

        pool.executor.close();

        assert!(SETTLED[..2].contains(&fate(second)));
        pool.end();
    });
}

/// It never comes into the queue, so neither worker nor closer looks after it.
#[test]
fn a_task_that_its_submitter_runs_against_close_is_settled() {
    let name = "a_task_that_its_submitter_runs_against_close_is_settled";
    model(name, || {
        let pool = Arc::new(Pool::<OnHeap>::new(1, Script::default()));
        let other = beside(&pool, |pool| [pool.run_here(), pool.cancel_here()].map(fate));

        pool.executor.close();

        let fates = join(other);
        assert!([Fate::Ran, Fate::GivenBack(Refusal::Closed)].contains(&fates[0]), "{fates:?}");
        assert!(SETTLED[1..].contains(&fates[1]), "{fates:?}");
        end(pool).with_fates(&fates);
    });
}

/// The worker has run its last task; what is pending meanwhile is cancelled before it is gone.
#[test]
fn a_worker_that_leaves_stubs_behind_calls_nobody() {
    model("a_worker_that_leaves_stubs_behind_calls_nobody", || {
        let cancelled = Arc::new(AtomicBool::new(false));
        let finalizer = {
            let cancelled = Arc::clone(&cancelled);
            move || {
                while !cancelled.load(Acquire) {
                    thread::yield_now();
                }
            }
        };
        let script = Script {
            tasks_per_worker: 1,
            finalizer: Some(Box::new(finalizer)),
            ..Script::default()
        };
        let pool = Pool::<OnHeap>::new(1, script);
        assert_eq!(fate(pool.submit()), Fate::Ran);

        assert!(taken(pool.submit()).cancel());
        cancelled.store(true, Release);

        pool.join_workers();
        assert_eq!(pool.end().spawns(), 1);
    });
}

#[test]
fn a_task_outlives_its_owner_settled() {
    model("a_task_outlives_its_owner_settled", || {
        let pool = Pool::<OnHeap>::new(1, Script::default());
        let handle = pool.submit().expect("the pool is open");

        let ended = pool.end();

        let fates = [wait(handle)];
        ended.with_fates(&fates);
        assert!(SETTLED.contains(&fates[0]), "{fates:?}");
    });
}

#[test]
fn a_task_submitted_while_the_workers_are_renewed_runs() {
    model_bounded("a_task_submitted_while_the_workers_are_renewed_runs", Some(1), || {
        let pool = Arc::new(Pool::<OnHeap>::new(1, Script::default()));
        let first = pool.submit();
        let other = beside(&pool, |pool| fate(pool.submit()));

        pool.executor.renew_workers();

        let fates = [fate(first), join(other)];
        assert_eq!(fates, [Fate::Ran; 2]);
        end(pool).with_fates(&fates);
    });
}

#[test]
fn a_renewed_worker_leaves_whatever_it_was_about_to_do() {
    model("a_renewed_worker_leaves_whatever_it_was_about_to_do", || {
        let pool = Pool::<OnHeap>::new(1, Script::default());
        let task = pool.submit();

        pool.executor.renew_workers();

        pool.join_workers();
        assert_eq!(fate(task), Fate::Ran);
        pool.end();
    });
}

/// The engine is touched by a canceller whose stub the owner has popped: the stub's reference
/// keeps it.
#[test]
fn a_canceller_keeps_the_engine_when_its_owner_goes() {
    model("a_canceller_keeps_the_engine_when_its_owner_goes", || {
        let pool = Pool::<OnHeap>::new(1, Script { starting_workers: 0, ..Script::default() });
        let handle = pool.submit().expect("the pool is open");
        let canceller = thread::spawn(move || {
            handle.cancel();
            wait(handle)
        });

        let record = pool.drop_owner();

        assert_eq!(join(canceller), Fate::Cancelled(None));
        record.assert_all_gone();
    });
}
