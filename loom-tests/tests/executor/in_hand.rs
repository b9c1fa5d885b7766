//! What a worker of a kind that takes tasks ahead has in its hands, and jobs that are cancelled meanwhile (D7): each of
//! them waits for the task before it.

use crate::Ahead;
use crate::kind::Script;
use crate::observed::{Fate, Pool, fate, wait};
use crate::scenes::{Signal, WhenDropped, beside, end, join, let_others_run, taken};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom_tests::model_bounded;
use std::sync::Arc;

/// It is given back by a worker that leaves.
#[test]
fn a_cancelled_job_that_is_given_back_may_wait_for_the_task_before_it() {
    let name = "a_cancelled_job_that_is_given_back_may_wait_for_the_task_before_it";
    model_bounded(name, Some(1), || {
        let script = Script { tasks_per_worker: 1, ..Script::default() };
        let pool = Pool::<Ahead>::new(1, script);
        let waits = WhenDropped::waits_for(taken(pool.submit_work(let_others_run)));
        let second = taken(pool.submit_work(move || drop(waits)));
        let_others_run();

        let _ = second.cancel();

        assert!(matches!(wait(second), Fate::Ran | Fate::Cancelled(None)));
        pool.end();
    });
}

/// L4: the queue was drained before the task comes back: its giver looks again when the one before is over.
#[test]
fn a_job_given_back_after_a_close_may_wait_for_the_task_before_it() {
    for recalls in [true, false] {
        let name = "a_job_given_back_after_a_close_may_wait_for_the_task_before_it";
        model_bounded(name, Some(0), move || {
            let gives_back = Signal::new();
            let script = Script {
                recalls,
                refuses: !recalls,
                gives_back: Some(gives_back.clone()),
                ..Script::default()
            };
            let pool = Pool::<Ahead>::new(2, script);
            let waits = WhenDropped::waits_for(taken(pool.submit()));
            let second = pool.submit_work(move || drop(waits));
            let_others_run();

            pool.executor.close();
            gives_back.give();

            assert!([Fate::Ran, Fate::Cancelled(None)].contains(&fate(second)));
            pool.end();
        });
    }
}

/// The worker has the first in its hands when it finds the second in a pool that was closed.
#[test]
fn a_job_that_is_not_taken_ahead_may_wait_for_the_task_before_it() {
    let name = "a_job_that_is_not_taken_ahead_may_wait_for_the_task_before_it";
    model_bounded(name, Some(1), || {
        let pool = Arc::new(Pool::<Ahead>::new(1, Script::default()));
        let waits = WhenDropped::waits_for(taken(pool.submit()));
        let second = pool.submit_work(move || drop(waits));
        let closer = beside(&pool, |pool| pool.executor.close());

        assert!([Fate::Ran, Fate::Cancelled(None)].contains(&fate(second)));
        join(closer);
        end(pool);
    });
}

/// It is given back while the task before it runs.
#[test]
fn a_cancelled_job_in_a_worker_s_hands_may_wait_for_the_task_before_it() {
    let name = "a_cancelled_job_in_a_worker_s_hands_may_wait_for_the_task_before_it";
    let late = Arc::new(AtomicBool::new(false));
    let was_late = Arc::clone(&late);
    model_bounded(name, Some(0), move || {
        let gives_back = Signal::new();
        let script =
            Script { recalls: true, gives_back: Some(gives_back.clone()), ..Script::default() };
        let pool = Pool::<Ahead>::new(1, script);
        let waits = WhenDropped::waits_for(taken(pool.submit()));
        let second = taken(pool.submit_work(move || drop(waits)));
        let_others_run();

        let was_cancelled = second.cancel();
        gives_back.give();

        let fate = wait(second);
        pool.end();
        assert!(!was_cancelled || fate == Fate::Cancelled(None));
        late.fetch_or(!was_cancelled && fate == Fate::Cancelled(None), Relaxed);
    });
    assert!(was_late.load(Relaxed), "no cancel came in time after all");
}
