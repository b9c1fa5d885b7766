//! Spawns and initializers fail: every submit is settled, nothing hangs.

use crate::OnHeap;
use crate::kind::{Cause, Script};
use crate::observed::{Fate, Pool, Refusal, fate};
use crate::owner::Owner;
use crate::scenes::{beside, end, join, two_submitters};
use asyncpal_core::executor::OpenError;
use asyncpal_core::lifecycle::Phase;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use loom::sync::Notify;
use loom::thread;
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

/// One caller with two tasks, and workers that cannot start: what became of the tasks.
fn two_submits_without_a_start(opening: fn(usize) -> Result<(), OpenError<Cause>>) -> [Fate; 2] {
    let pool = Pool::<OnHeap>::new(1, Script { opening, ..Script::default() });

    let fates = [pool.submit(), pool.submit()].map(fate);

    assert_eq!(pool.executor.phase(), Phase::Open);
    pool.end().with_fates(&fates);
    fates
}

#[test]
fn a_worker_that_cannot_start_is_tried_again_and_costs_no_task() {
    model_bounded("a_worker_that_cannot_start_is_tried_again_and_costs_no_task", Some(1), || {
        let fates = two_submits_without_a_start(|nth| match nth {
            0 | 1 => Err(OpenError::Spawn(Cause::Open)),
            _ => Ok(()),
        });

        assert_eq!(fates, [Fate::Ran; 2]);
    });
}

#[test]
fn every_submit_is_settled_when_no_worker_can_start() {
    model_bounded("every_submit_is_settled_when_no_worker_can_start", Some(1), || {
        let fates = two_submits_without_a_start(|_| Err(OpenError::Spawn(Cause::Open)));

        assert_eq!(fates, [Fate::Cancelled(Some(Cause::Open)); 2]);
    });
}

/// A spawn seemed to succeed, and a third thread says that nobody comes.
#[test]
fn every_submit_is_settled_when_a_worker_is_forsaken() {
    model_bounded("every_submit_is_settled_when_a_worker_is_forsaken", Some(1), || {
        let script = Script { forsaken_spawns: 1, ..Script::default() };
        let (fates, phase) = two_submitters::<OnHeap>(1, script);

        assert!(fates.iter().all(|fate| [Fate::Ran, TAKEN_ALONG].contains(fate)), "{fates:?}");
        assert_eq!(phase, Phase::Open);
    });
}

/// V4: the second worker of a slot is a thread that was there before the first one, and nobody has called.
#[test]
fn a_slot_s_fields_pass_to_who_comes_unbidden() {
    let most = Arc::new(AtomicUsize::new(0));
    let came = Arc::clone(&most);
    model_bounded("a_slot_s_fields_pass_to_who_comes_unbidden", Some(1), move || {
        let script = Script {
            opening: |_| Err(OpenError::Spawn(Cause::Open)),
            starting_workers: 1,
            is_unbidden: true,
            ..Script::default()
        };
        let pool = Pool::<OnHeap>::new(1, script);

        pool.executor.spawn_workers(1);
        thread::yield_now();
        pool.executor.spawn_workers(1);
        pool.join_workers();

        let failures = pool.executor.engine().totals().spawn_failures;
        assert_eq!(failures, pool.seats());
        came.fetch_max(failures, Relaxed);
        pool.end();
    });
    assert_eq!(most.load(Relaxed), 2, "nobody came unbidden");
}

/// Something that a task waits for: a `Notify` alone wakes without a cause now and then.
struct Gate {
    is_open: AtomicBool,
    opened: Notify,
}

impl Gate {
    fn new() -> Self {
        Self { is_open: AtomicBool::new(false), opened: Notify::new() }
    }

    fn open(&self) {
        self.is_open.store(true, Relaxed);
        self.opened.notify();
    }

    fn pass(&self) {
        while !self.is_open.load(Relaxed) {
            self.opened.wait();
        }
    }
}

/// While a worker is busy with the first task so many others are submitted, and as many spawns fail.
/// Each of the others waits for the next one: they all need a worker at the same time.
fn a_chain_of(links: usize) {
    let workers = links;
    let script =
        Script { spared_spawns: 1, failing_spawns: links, time_flies: true, ..Script::default() };
    let pool = Pool::<OnHeap>::new(workers, script);
    let gates: Vec<_> = (0..=links).map(|_| Arc::new(Gate::new())).collect();

    let mut tasks = Vec::new();
    for link in 0..=links {
        // The first waits for the main thread, the others for their successors.
        let (mine, before) = (gates[link].clone(), link.checked_sub(1).filter(|&link| link > 0));
        let before = before.map(|link| gates[link].clone());
        tasks.push(pool.submit_work(move || {
            if let Some(gate) = before {
                gate.open();
            }
            if link < links {
                mine.pass();
            }
        }));
    }
    gates[0].open();

    let fates: Vec<_> = tasks.into_iter().map(fate).collect();
    let ended = pool.end();
    ended.with_fates(&fates);
    assert_eq!(fates, vec![Fate::Ran; links + 1]);
    assert_eq!((ended.spawns(), ended.failed_spawns()), (workers, links));
}

#[test]
fn a_worker_that_finishes_a_task_resumes_growth() {
    model_bounded("a_worker_that_finishes_a_task_resumes_growth", Some(0), || a_chain_of(2));
}

/// Time stands still: growth is not due again, but for the worker that starts after the first failure.
#[test]
fn a_pool_that_cannot_grow_runs_everything_and_does_not_keep_trying() {
    model_bounded(
        "a_pool_that_cannot_grow_runs_everything_and_does_not_keep_trying",
        Some(1),
        || {
            let script =
                Script { spared_spawns: 1, failing_spawns: usize::MAX, ..Script::default() };
            let pool = Pool::<OnHeap>::new(2, script);

            let fates = [(); 3].map(|()| pool.submit()).map(fate);

            assert_eq!(fates, [Fate::Ran; 3]);
            let ended = pool.end();
            ended.with_fates(&fates);
            assert_eq!(ended.spawns(), 1);
            assert!(ended.failed_spawns() <= 2, "{} spawns failed", ended.failed_spawns());
        },
    );
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
