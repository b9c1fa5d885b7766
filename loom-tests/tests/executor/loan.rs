//! Callers that borrow the seat of an idle worker, against all that worker and submitters do meanwhile.

use crate::Lending;
use crate::kind::Script;
use crate::observed::{Fate, Pool, Refusal, fate, wait};
use crate::scenes::{beside, end, join, let_others_run, taken, two_submits};
use asyncpal_core::sync::stall;
use asyncpal_core::task::Status;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::sync::Notify;
use loom::thread;
use loom_tests::{model, model_bounded};
use std::sync::Arc;

/// Steps of a borrower until it counts as busy, and of a submit until its task is in the queue.
const BEHIND_THE_SEAT: usize = 2;
const BEFORE_THE_FENCE: usize = 4;

/// Steps of a borrower until it has the seat of a worker.
const WITH_THE_SEAT: usize = 8;

/// A pool with an idle worker, or one that is about to be idle.
fn pool_with_worker(max_workers: usize, script: Script) -> Arc<Pool<Lending>> {
    let pool = Pool::<Lending>::new(max_workers, script);
    assert_eq!(fate(pool.submit()), Fate::Ran);
    Arc::new(pool)
}

#[test]
fn the_tasks_of_a_pool_that_lends_run() {
    model("the_tasks_of_a_pool_that_lends_run", || {
        two_submits::<Lending>(1, Script::default());
    });
}

#[test]
fn a_caller_finds_a_seat_or_a_worker() {
    let borrowed = Arc::new(AtomicBool::new(false));
    let has_borrowed = Arc::clone(&borrowed);
    model("a_caller_finds_a_seat_or_a_worker", move || {
        let pool = pool_with_worker(1, Script::default());

        let (fate, borrowed) = pool.run(None);

        has_borrowed.fetch_or(borrowed, Relaxed);
        end(pool).with_fates(&[Fate::Ran, fate]);
        assert_eq!(fate, Fate::Ran);
    });
    assert!(borrowed.load(Relaxed), "nobody ever borrowed");
}

#[test]
fn a_caller_finds_a_seat_or_a_worker_while_that_retires() {
    model_bounded("a_caller_finds_a_seat_or_a_worker_while_that_retires", Some(1), || {
        let pool = pool_with_worker(1, Script { timeouts: 2, ..Script::default() });

        let fates = [Fate::Ran, pool.run(None).0];

        end(pool).with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 2]);
    });
}

#[test]
fn a_submit_beside_a_borrower_runs() {
    model_bounded("a_submit_beside_a_borrower_runs", Some(1), || {
        let pool = pool_with_worker(1, Script::default());
        let other = beside(&pool, |pool| fate(pool.submit()));

        let fates = [Fate::Ran, pool.run(None).0, join(other)];

        end(pool).with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 3]);
    });
}

#[test]
fn two_borrowers_of_one_seat_run_both() {
    model_bounded("two_borrowers_of_one_seat_run_both", Some(0), || {
        let pool = pool_with_worker(1, Script::default());
        let other = beside(&pool, |pool| pool.run(None).0);

        let fates = [Fate::Ran, pool.run(None).0, join(other)];

        end(pool).with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 3]);
    });
}

/// N9: the borrowed task waits for the submitted one, for which there is room for another worker.
#[test]
fn a_borrowed_task_is_not_in_the_way_of_a_submitted_one() {
    model_bounded("a_borrowed_task_is_not_in_the_way_of_a_submitted_one", Some(0), || {
        let pool = pool_with_worker(2, Script::default());
        let ran = Arc::new(Notify::new());
        let other = beside(&pool, {
            let ran = Arc::clone(&ran);
            move |pool| fate(pool.submit_work(move || ran.notify()))
        });

        let (borrowed, _) = pool.run(Some(Box::new(move || ran.wait())));

        let fates = [Fate::Ran, borrowed, join(other)];
        end(pool).with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 3]);
    });
}

/// N9: the same, in the narrow place where the borrower has not counted the pending tasks yet and the submitter
/// not the workers that look. That takes two preemptions: so both are stopped where they must be. Whoever is
/// called for takes longer to start than the model: that he was called is what counts.
#[test]
fn a_task_submitted_while_a_seat_is_taken_is_not_behind_the_borrower() {
    let name = "a_task_submitted_while_a_seat_is_taken_is_not_behind_the_borrower";
    model_bounded(name, Some(0), move || {
        let pool = pool_with_worker(2, Script { starting_workers: 1, ..Script::default() });
        let gates = [(); 3].map(|()| loom::sync::Arc::new(Notify::new()));
        let [at_seat, at_fence, at_work] = gates.clone();
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let borrower = beside(&pool, move |pool| {
            stall::arm(BEHIND_THE_SEAT, at_seat);
            let (fate, _) = pool.run(Some(Box::new(move || {
                stall::disarm();
                begins.store(true, Relaxed);
                at_work.wait();
            })));
            stall::disarm();
            fate
        });
        let submitter = beside(&pool, move |pool| {
            stall::arm(BEFORE_THE_FENCE, at_fence);
            let submitted = pool.submit();
            stall::disarm();
            submitted
        });
        for gate in &gates[..2] {
            thread::yield_now();
            gate.notify();
        }

        let submitted = join(submitter);
        // The first task and the borrower's have begun, and the submitted one has nobody.
        let is_behind = begun.load(Relaxed) && pool.runs() == 2 && pool.spawns().0 == 1;
        gates[2].notify();
        let fates = [Fate::Ran, join(borrower), fate(submitted)];

        end(pool).with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 3]);
        assert!(!is_behind, "nobody was called for the task behind the borrower's");
    });
}

/// N10: the submit and the mark come while the borrower has counted what is pending and is about to make its task,
/// which is not over when somebody asks.
#[test]
fn a_borrower_s_task_is_not_taken_for_an_older_one() {
    for stop in 14..=16 {
        model_bounded("a_borrower_s_task_is_not_taken_for_an_older_one", Some(0), move || {
            let pool = pool_with_worker(1, Script::default());
            let gates = [(); 2].map(|()| loom::sync::Arc::new(Notify::new()));
            let [at_seat, at_work] = gates.clone();
            let borrower = beside(&pool, move |pool| {
                stall::arm(stop, at_seat);
                let (fate, _) = pool.run(Some(Box::new(move || {
                    stall::disarm();
                    at_work.wait();
                })));
                stall::disarm();
                fate
            });
            thread::yield_now();
            let submitted = taken(pool.submit());
            let mark = pool.executor.engine().mark();
            gates[0].notify();
            thread::yield_now();

            let has_passed = pool.executor.engine().has_passed(mark);

            assert!(!has_passed || submitted.status() != Status::Pending, "it has not begun");
            gates[1].notify();
            let fates = [Fate::Ran, join(borrower), wait(submitted)];
            end(pool).with_fates(&fates);
            assert_eq!(fates, [Fate::Ran; 3]);
        });
    }
}

#[test]
fn a_borrower_against_close_is_settled() {
    model_bounded("a_borrower_against_close_is_settled", Some(1), || {
        let pool = pool_with_worker(1, Script::default());
        let other = beside(&pool, |pool| pool.run(None).0);

        pool.executor.close();

        let fates = [Fate::Ran, join(other)];
        end(pool).with_fates(&fates);
        let settled = [Fate::Ran, Fate::Cancelled(None), Fate::GivenBack(Refusal::Closed)];
        assert!(settled.contains(&fates[1]), "{fates:?}");
    });
}

#[test]
fn a_worker_that_is_renewed_gets_its_seat_back() {
    model_bounded("a_worker_that_is_renewed_gets_its_seat_back", Some(1), || {
        let pool = pool_with_worker(1, Script::default());
        let other = beside(&pool, |pool| pool.run(None).0);

        pool.executor.renew_workers();

        let fates = [Fate::Ran, join(other)];
        end(pool).with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 2]);
    });
}

/// N7: between a worker's looks at the word one borrower gives the seat back and another one takes it.
#[test]
fn a_worker_asks_for_its_seat_however_often_that_changes_hands() {
    let name = "a_worker_asks_for_its_seat_however_often_that_changes_hands";
    for stop in 0..8 {
        model_bounded(name, Some(0), move || {
            let gates = [(); 4].map(|()| loom::sync::Arc::new(Notify::new()));
            let [at_look, at_next_look, at_work, with_seat] = gates.clone();
            let pool = pool_with_worker(
                1,
                Script {
                    going_to_sleep: Some(Box::new(move || {
                        stall::arm(stop, at_look.clone());
                        stall::arm(0, at_next_look.clone());
                    })),
                    ..Script::default()
                },
            );
            let one = beside(&pool, |pool| pool.run(Some(Box::new(move || at_work.wait()))).0);
            let_others_run();
            pool.executor.close();
            let_others_run();
            gates[2].notify();
            let_others_run();
            gates[0].notify();
            let_others_run();
            let two = beside(&pool, move |pool| {
                stall::arm(WITH_THE_SEAT, with_seat);
                let fate = pool.run(None).0;
                stall::disarm();
                fate
            });
            let_others_run();
            gates[1].notify();
            let_others_run();
            gates[3].notify();

            let fates = [Fate::Ran, join(one), join(two)];
            pool.join_workers();
            end(pool).with_fates(&fates);
            assert_eq!(fates[2], Fate::GivenBack(Refusal::Closed));
        });
    }
}

/// Its tasks are counted, whoever runs them.
#[test]
fn a_borrower_that_runs_a_worker_s_last_task_leaves_the_next_to_a_successor() {
    model_bounded(
        "a_borrower_that_runs_a_worker_s_last_task_leaves_the_next_to_a_successor",
        Some(1),
        || {
            let pool = pool_with_worker(1, Script { tasks_per_worker: 2, ..Script::default() });

            let fates = [Fate::Ran, pool.run(None).0, pool.run(None).0];

            let ended = end(pool);
            ended.with_fates(&fates);
            assert_eq!(fates, [Fate::Ran; 3]);
            assert_eq!(ended.spawns(), 2);
        },
    );
}
