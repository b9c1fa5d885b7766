//! Spawns and initializers fail: every submit is settled, nothing hangs.

use crate::OnHeap;
use crate::kind::{Cause, Script};
use crate::observed::{Fate, Pool, Refusal, fate};
use crate::scenes::{beside, end, join, two_submitters};
use asyncpal_core::executor::OpenError;
use asyncpal_core::lifecycle::Phase;
use loom_tests::model_bounded;
use std::sync::Arc;

const GIVEN_BACK: Fate = Fate::GivenBack(Refusal::Spawn(Cause::Spawn));
const TAKEN_ALONG: Fate = Fate::Cancelled(Some(Cause::Spawn));

#[test]
fn one_failing_spawn_is_tried_again_and_costs_no_task() {
    model_bounded("one_failing_spawn_is_tried_again_and_costs_no_task", Some(1), || {
        let (fates, _) =
            two_submitters::<OnHeap>(1, Script { failing_spawns: 1, ..Script::default() });

        assert_eq!(fates, [Fate::Ran; 2]);
    });
}

#[test]
fn two_failing_spawns_are_tried_again_and_cost_no_task() {
    model_bounded("two_failing_spawns_are_tried_again_and_cost_no_task", Some(1), || {
        let (fates, _) =
            two_submitters::<OnHeap>(1, Script { failing_spawns: 2, ..Script::default() });

        assert_eq!(fates, [Fate::Ran; 2]);
    });
}

#[test]
fn a_submitter_that_gives_up_takes_along_who_relied_on_it() {
    model_bounded("a_submitter_that_gives_up_takes_along_who_relied_on_it", Some(1), || {
        let (fates, _) =
            two_submitters::<OnHeap>(1, Script { failing_spawns: 3, ..Script::default() });

        for fate in fates {
            assert!([Fate::Ran, GIVEN_BACK, TAKEN_ALONG].contains(&fate), "{fates:?}");
        }
    });
}

#[test]
fn every_submit_is_settled_when_no_spawn_succeeds() {
    model_bounded("every_submit_is_settled_when_no_spawn_succeeds", Some(2), || {
        let (fates, _) =
            two_submitters::<OnHeap>(1, Script { failing_spawns: usize::MAX, ..Script::default() });

        for fate in fates {
            assert!([GIVEN_BACK, TAKEN_ALONG].contains(&fate), "{fates:?}");
        }
    });
}

#[test]
fn every_submit_is_settled_when_no_worker_can_start() {
    model_bounded("every_submit_is_settled_when_no_worker_can_start", Some(1), || {
        let opening = |_| Err(OpenError::Spawn(Cause::Open));
        let (fates, phase) = two_submitters::<OnHeap>(1, Script { opening, ..Script::default() });

        assert_eq!(fates, [Fate::Cancelled(Some(Cause::Open)); 2]);
        assert_eq!(phase, Phase::Open);
    });
}

#[test]
fn a_failing_initializer_breaks_the_pool_and_settles_every_submit() {
    model_bounded(
        "a_failing_initializer_breaks_the_pool_and_settles_every_submit",
        Some(1),
        || {
            let opening = |_| Err(OpenError::Initializer(Cause::Open));
            let (fates, phase) =
                two_submitters::<OnHeap>(1, Script { opening, ..Script::default() });

            for fate in fates {
                let settled = [Fate::Cancelled(None), Fate::GivenBack(Refusal::Broken)];
                assert!(settled.contains(&fate), "{fates:?}");
            }
            assert_eq!(phase, Phase::Broken);
        },
    );
}

/// C10: the submitter relies on a worker that was wanted by somebody else, and cannot be spawned.
fn a_submit_beside_a_hire(failing_spawns: usize) -> Fate {
    let pool = Arc::new(Pool::<OnHeap>::new(1, Script { failing_spawns, ..Script::default() }));
    let other = beside(&pool, |pool| fate(pool.submit()));

    let (spawned, cause) = pool.executor.spawn_workers(1);

    assert!(spawned + usize::from(cause.is_some()) <= 1);
    let fate = join(other);
    end(pool).with_fates(&[fate]);
    fate
}

#[test]
fn a_task_that_relies_on_a_hire_that_fails_runs() {
    model_bounded("a_task_that_relies_on_a_hire_that_fails_runs", Some(2), || {
        assert_eq!(a_submit_beside_a_hire(1), Fate::Ran);
    });
}

#[test]
fn a_task_that_relies_on_a_hire_is_settled_when_no_spawn_succeeds() {
    model_bounded(
        "a_task_that_relies_on_a_hire_is_settled_when_no_spawn_succeeds",
        Some(2),
        || {
            assert!([GIVEN_BACK, TAKEN_ALONG].contains(&a_submit_beside_a_hire(usize::MAX)));
        },
    );
}
