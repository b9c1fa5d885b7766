//! The scenes of the engine on the heap, in a `static`; and nested waits.

use crate::kind::{Cause, Script};
use crate::observed::{Fate, Pool, Refusal};
use crate::owner::Fixed;
use crate::scenes::{a_submit_against_close, end, two_submits, two_submitters};
use loom_tests::model_bounded;
use std::sync::Arc;

#[test]
fn a_task_submitted_while_the_worker_goes_idle_runs() {
    model_bounded("a_task_submitted_while_the_worker_goes_idle_runs", Some(2), || {
        two_submits::<Fixed<2, 1>>(1, Script::default());
    });
}

#[test]
fn a_task_submitted_while_the_worker_retires_runs() {
    model_bounded("a_task_submitted_while_the_worker_retires_runs", Some(2), || {
        two_submits::<Fixed<2, 1>>(1, Script { timeouts: 1, ..Script::default() });
    });
}

#[test]
fn two_tasks_run_on_two_workers() {
    model_bounded("two_tasks_run_on_two_workers", Some(1), || {
        two_submits::<Fixed<2, 2>>(2, Script::default());
    });
}

#[test]
fn the_tasks_of_two_submitters_run_on_one_worker() {
    model_bounded("the_tasks_of_two_submitters_run_on_one_worker", Some(0), || {
        let (fates, _) = two_submitters::<Fixed<2, 1>>(1, Script::default());

        assert_eq!(fates, [Fate::Ran; 2]);
    });
}

#[test]
fn a_submit_against_close_is_settled() {
    model_bounded("a_submit_against_close_is_settled", Some(2), || {
        let fate = a_submit_against_close::<Fixed<1, 1>>(Script::default());

        let settled = [Fate::Ran, Fate::Cancelled(None), Fate::GivenBack(Refusal::Closed)];
        assert!(settled.contains(&fate), "{fate:?}");
    });
}

#[test]
fn every_submit_is_settled_when_no_spawn_succeeds() {
    model_bounded("every_submit_is_settled_when_no_spawn_succeeds", Some(1), || {
        let script = Script { failing_spawns: usize::MAX, ..Script::default() };
        let (fates, _) = two_submitters::<Fixed<2, 1>>(1, script);

        let given_back = Fate::GivenBack(Refusal::Spawn(Cause::Spawn));
        let taken_along = Fate::Cancelled(Some(Cause::Spawn));
        assert!(fates.iter().all(|fate| [given_back, taken_along].contains(fate)), "{fates:?}");
    });
}

/// The only worker waits for a task that may be behind another caller's: it runs its own.
#[test]
fn a_worker_runs_the_task_that_it_waits_for_while_another_submits() {
    let name = "a_worker_runs_the_task_that_it_waits_for_while_another_submits";
    model_bounded(name, Some(2), || {
        let pool = Arc::new(Pool::<Fixed<3, 1>>::new(1, Script::default()));
        let outer = {
            let inside = Arc::clone(&pool);
            pool.submit_work(move || {
                assert_eq!(inside.join_nested(inside.submit()), Fate::Ran);
            })
        };

        let fates = [pool.submit(), outer].map(|submitted| pool.join(submitted));

        assert_eq!(fates, [Fate::Ran; 2]);
        end(pool).with_fates(&[Fate::Ran; 3]);
    });
}

/// A join without an allocator: the parker is the caller's, and stays.
#[test]
fn a_caller_that_joins_in_its_own_parker_is_woken() {
    model_bounded("a_caller_that_joins_in_its_own_parker_is_woken", Some(2), || {
        let pool = Pool::<Fixed<1, 1>>::new(1, Script::default());

        let fate = pool.join(pool.submit());

        assert_eq!(fate, Fate::Ran);
        pool.end().with_fates(&[fate]);
    });
}
