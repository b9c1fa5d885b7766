//! Tasks that a worker takes ahead of their turn: each runs once, wherever, or is cancelled.

use crate::Ahead;
use crate::kind::Script;
use crate::observed::{Fate, Pool, fate, wait};
use crate::scenes::{a_submit_against_close, beside, end, join, taken, two_submits};
use loom::sync::Notify;
use loom_tests::{model, model_bounded};
use std::sync::Arc;

#[test]
fn a_task_taken_ahead_runs_after_the_one_before_it() {
    model("a_task_taken_ahead_runs_after_the_one_before_it", || {
        two_submits::<Ahead>(1, Script::default());
    });
}

/// Its successor runs it.
#[test]
fn a_worker_that_leaves_gives_back_what_it_has_taken_ahead() {
    model("a_worker_that_leaves_gives_back_what_it_has_taken_ahead", || {
        let script = Script { tasks_per_worker: 1, ..Script::default() };

        let spawns = two_submits::<Ahead>(1, script).spawns();

        assert!(spawns >= 2);
    });
}

/// The first task waits for the second, which its own worker has taken: it must get out of its hands.
#[test]
fn a_task_does_not_wait_behind_the_one_that_gives_it_back() {
    model_bounded("a_task_does_not_wait_behind_the_one_that_gives_it_back", Some(0), || {
        let script = Script { recalls: true, ..Script::default() };
        let pool = Pool::<Ahead>::new(2, script);
        let second_ran = Arc::new(Notify::new());

        let waits = Arc::clone(&second_ran);
        let first = pool.submit_work(move || waits.wait());
        let second = pool.submit_work(move || second_ran.notify());

        let fates = [first, second].map(fate);
        pool.end().with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 2]);
    });
}

/// The first task is long: the worker meets both, takes the second ahead and gives it back, while its
/// owner cancels it. The job is dropped once, and runs or not.
#[test]
fn a_cancel_against_taking_ahead_and_giving_back_is_settled() {
    model_bounded("a_cancel_against_taking_ahead_and_giving_back_is_settled", Some(1), || {
        let script = Script { recalls: true, ..Script::default() };
        let pool = Pool::<Ahead>::new(1, script);
        let first = pool.submit();
        let second = taken(pool.submit());

        let was_cancelled = second.cancel();

        let fates = [fate(first), wait(second)];
        pool.end().with_fates(&fates);
        assert!(!was_cancelled || fates[1] == Fate::Cancelled(None), "{fates:?}");
        assert!(matches!(fates[1], Fate::Ran | Fate::Cancelled(None)));
    });
}

#[test]
fn a_submit_against_close_is_settled_by_a_worker_that_gives_back() {
    model_bounded("a_submit_against_close_is_settled_by_a_worker_that_gives_back", Some(1), || {
        let script = Script { recalls: true, ..Script::default() };
        let pool = Arc::new(Pool::<Ahead>::new(1, script));
        let [first, second] = [pool.submit(), pool.submit()];
        let closer = beside(&pool, |pool| pool.executor.close());

        let fates = [first, second].map(fate);

        join(closer);
        end(pool).with_fates(&fates);
    });
}

#[test]
fn a_task_against_close_is_settled_where_tasks_are_taken_ahead() {
    model("a_task_against_close_is_settled_where_tasks_are_taken_ahead", || {
        let _ = a_submit_against_close::<Ahead>(Script::default());
    });
}

/// D6: the first worker has the first task and takes the second ahead; the other one runs the third, so
/// that as many claims are counted as there were submits before the mark. Who then finds that all of
/// those have passed waits for the second task before the first may end.
#[test]
fn a_task_in_a_worker_s_hands_has_not_passed() {
    model_bounded("a_task_in_a_worker_s_hands_has_not_passed", Some(0), || {
        let pool = Pool::<Ahead>::new(2, Script::default());
        let gate = Arc::new(Notify::new());
        let waits = Arc::clone(&gate);
        let first = pool.submit_work(move || waits.wait());
        let second = pool.submit();
        let mark = pool.executor.engine().mark();
        let third = fate(pool.submit());

        let has_passed = pool.executor.engine().has_passed(mark);

        let second = if has_passed { Ok(fate(second)) } else { Err(second) };
        gate.notify();
        let second = second.unwrap_or_else(fate);
        let fates = [fate(first), second, third];
        pool.end().with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 3]);
    });
}
