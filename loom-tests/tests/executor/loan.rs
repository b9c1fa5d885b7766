//! Callers that borrow the seat of an idle worker, against all that worker and submitters do meanwhile.

use crate::Lending;
use crate::kind::Script;
use crate::observed::{Fate, Pool, Refusal, fate};
use crate::scenes::{beside, end, join, two_submits};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::sync::Notify;
use loom_tests::{model, model_bounded};
use std::sync::Arc;

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
