//! What a worker is when it has its seat back: not idle, and nobody's claim of it is forgotten.

use crate::Lending;
use crate::kind::Script;
use crate::observed::{Fate, Pool, fate, wait};
use crate::scenes::{Signal, beside, end, join, let_others_run, taken};
use asyncpal_core::sync::stall;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::sync::Notify;
use loom::thread::{self, JoinHandle};
use loom_tests::model_bounded;
use std::sync::Arc;

/// Steps of a worker from its task's end until it has announced itself idle, and until it sleeps.
const LIES_DOWN: Range<usize> = 10..18;

/// Steps of a worker from its last look until it has its seat back, and before.
const GETS_UP: Range<usize> = 6..10;

/// Steps of a borrower from its task's end until it gives the seat back, and before.
const GIVES_BACK: Range<usize> = 6..10;

/// Steps of a borrower until it has chosen a seat of two, and until it counts as busy.
const TAKES: Range<usize> = 6..12;

/// Further than any thread of these models gets.
const NOWHERE: usize = 1000;

/// What workers do when one is about to sleep for the first time.
fn the_first_time(act: impl Fn() + Send + Sync + 'static) -> Option<Box<dyn Fn() + Send + Sync>> {
    let is_first = AtomicBool::new(true);
    Some(Box::new(move || {
        if is_first.swap(false, Relaxed) {
            act();
        }
    }))
}

/// A worker is renewed while its seat is lent, and wakes; the borrower ends just before it asks for its seat, and has
/// set its idle bit. Who submits next must not take it for somebody who can be woken.
#[test]
fn a_worker_that_has_left_is_not_idle() {
    let pairs = (0..4).flat_map(|worker| GIVES_BACK.map(move |borrower| (worker, borrower)));

    for (worker_stop, borrower_stop) in pairs {
        model_bounded("a_worker_that_has_left_is_not_idle", Some(0), move || {
            let gates = [(); 2].map(|()| loom::sync::Arc::new(Notify::new()));
            let [woken, giving_back] = gates.clone();
            let going_to_sleep = the_first_time(move || stall::arm(worker_stop, woken.clone()));
            let script = Script { going_to_sleep, ..Script::default() };
            let pool = Arc::new(Pool::<Lending>::new(1, script));
            assert_eq!(pool.executor.spawn_workers(1), (1, None));
            let_others_run();

            let renews = Arc::clone(&pool);
            let (renewed, has_borrowed) = pool.run(Some(Box::new(move || {
                renews.executor.renew_workers();
                let_others_run();
                thread::spawn(move || {
                    for gate in gates {
                        let_others_run();
                        gate.notify();
                    }
                });
                stall::arm(borrower_stop, giving_back);
            })));
            stall::disarm();
            pool.join_workers();

            assert!(has_borrowed);
            assert_eq!(pool.executor.engine().counts().idle, 0);
            let fates = [renewed, fate(pool.submit())];
            end(pool).with_fates(&fates);
            assert_eq!(fates, [Fate::Ran; 2]);
        });
    }
}

/// A worker is about to look once more when its seat is borrowed, and finds the task of a submitter that has seen
/// nobody idle. The borrower ends, and calls it for that task, or another submitter does: all later submitters rely on
/// it until it answers.
///
/// Too many preemptions for the checker: so worker and borrower are stopped, the worker twice.
fn calls_of_a_worker_on_its_way_home(name: &str, worker_stops: [usize; 2], borrower_stop: usize) {
    model_bounded(name, Some(0), move || {
        let pool = Arc::new(Pool::<Lending>::new(1, Script::default()));
        let gates = [(); 3].map(|()| loom::sync::Arc::new(Notify::new()));
        let [before_look, behind_look, behind_work] = gates.clone();
        let at_work = Signal::new();
        let first = taken(pool.submit_work(move || {
            stall::arm(worker_stops[0], before_look);
            stall::arm(worker_stops[1], behind_look);
        }));
        let_others_run();
        let borrower = beside(&pool, {
            let at_work = at_work.clone();
            move |pool| {
                let (fate, _) = pool.run(Some(Box::new(move || {
                    at_work.wait();
                    stall::arm(borrower_stop, behind_work);
                })));
                stall::disarm();
                fate
            }
        });
        let_others_run();

        let mut submitted = Vec::new();
        submitted.push(taken(pool.submit()));
        gates[0].notify();
        let_others_run();
        at_work.give();
        let_others_run();
        gates[1].notify();
        let_others_run();
        submitted.push(taken(pool.submit()));
        gates[2].notify();
        let_others_run();
        submitted.push(taken(pool.submit()));

        let mut fates = vec![wait(first), join(borrower)];
        fates.extend(submitted.into_iter().map(wait));
        end(pool).with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 5]);
    });
}

#[test]
fn a_borrower_s_call_is_answered() {
    let pairs = LIES_DOWN.flat_map(|first| GETS_UP.map(move |second| [first, second]));

    for stops in pairs {
        calls_of_a_worker_on_its_way_home("a_borrower_s_call_is_answered", stops, NOWHERE);
    }
}

#[test]
fn a_call_between_a_borrower_s_last_steps_is_answered() {
    let name = "a_call_between_a_borrower_s_last_steps_is_answered";
    let pairs = LIES_DOWN.flat_map(|worker| GIVES_BACK.map(move |borrower| (worker, borrower)));

    for (worker, borrower) in pairs {
        calls_of_a_worker_on_its_way_home(name, [worker, NOWHERE], borrower);
    }
}

/// A borrower that stops after so many steps, until it is notified, and whose task waits for a signal.
fn stopped_borrower(
    pool: &Arc<Pool<Lending>>,
    stop: usize,
    awaited_ran: Signal,
) -> (JoinHandle<Fate>, loom::sync::Arc<Notify>) {
    let gate = loom::sync::Arc::new(Notify::new());
    let stops_at = gate.clone();
    let borrower = beside(pool, move |pool| {
        stall::arm(stop, stops_at);
        let (fate, _) = pool.run(Some(Box::new(move || awaited_ran.wait())));
        stall::disarm();
        fate
    });
    let_others_run();
    (borrower, gate)
}

/// A borrower is about to take a seat when its worker's keep-alive elapses, and the worker lies down anew. The
/// borrower's task waits for another one, for which there is room for a worker: whoever submits that must not call the
/// one whose seat is lent.
#[test]
fn a_worker_whose_seat_is_lent_is_not_idle() {
    for stop in TAKES {
        model_bounded("a_worker_whose_seat_is_lent_is_not_idle", Some(0), move || {
            let (goes_to_sleep, awaited_ran) = (Signal::new(), Signal::new());
            let goes = goes_to_sleep.clone();
            let going_to_sleep = the_first_time(move || goes.wait());
            let script = Script { timeouts: 1, going_to_sleep, ..Script::default() };
            let pool = Arc::new(Pool::<Lending>::new(2, script));
            assert_eq!(pool.executor.spawn_workers(1), (1, None));
            let_others_run();
            let (borrower, gate) = stopped_borrower(&pool, stop, awaited_ran.clone());
            goes_to_sleep.give();
            let_others_run();
            gate.notify();
            let_others_run();

            let awaited = fate(pool.submit_work(move || awaited_ran.give()));

            let fates = [join(borrower), awaited];
            end(pool).with_fates(&fates);
            assert_eq!(fates, [Fate::Ran; 2]);
        });
    }
}

/// A borrower has taken a seat when its worker is called for a task, which is then cancelled. The borrower's task waits
/// for another one, whose submitter relies on the worker that was called, although another one is idle.
#[test]
fn the_seat_of_a_worker_that_was_called_is_not_lent() {
    for stop in TAKES {
        model_bounded("the_seat_of_a_worker_that_was_called_is_not_lent", Some(0), move || {
            let awaited_ran = Signal::new();
            let pool = Arc::new(Pool::<Lending>::new(2, Script::default()));
            assert_eq!(pool.executor.spawn_workers(2), (2, None));
            let_others_run();
            let (borrower, gate) = stopped_borrower(&pool, stop, awaited_ran.clone());
            let cancelled = taken(pool.submit());
            let _ = cancelled.cancel();
            gate.notify();
            let_others_run();

            let awaited = fate(pool.submit_work(move || awaited_ran.give()));

            let fates = [wait(cancelled), join(borrower), awaited];
            end(pool).with_fates(&fates);
            assert_eq!(fates[1..], [Fate::Ran; 2]);
        });
    }
}

/// Somebody else wakes a worker just when its seat comes back: what the borrower has done there, the worker knows by
/// the loan alone, not by the borrower's wake.
fn worker_that_another_wakes(name: &str, is_wanted: bool, tasks_per_worker: usize) {
    model_bounded(name, Some(1), move || {
        let script = Script { tasks_per_worker, ..Script::default() };
        let pool = Arc::new(Pool::<Lending>::new(1, script));
        assert_eq!(pool.executor.spawn_workers(1), (1, None));
        let_others_run();
        let is_lent = Signal::new();
        let waker = beside(&pool, {
            let is_lent = is_lent.clone();
            move |pool| {
                is_lent.wait();
                pool.executor.rouse_workers();
            }
        });
        let_others_run();

        let wakes = Arc::clone(&pool);
        let (ran, _) = pool.run(Some(Box::new(move || {
            if is_wanted {
                wakes.executor.rouse_workers();
                let_others_run();
            }
            is_lent.give();
        })));

        join(waker);
        end(pool).with_fates(&[ran]);
        assert_eq!(ran, Fate::Ran);
    });
}

#[test]
fn a_worker_that_another_wakes_has_a_seat_that_it_waited_for() {
    let name = "a_worker_that_another_wakes_has_a_seat_that_it_waited_for";
    worker_that_another_wakes(name, true, usize::MAX);
}

#[test]
fn a_worker_that_another_wakes_has_a_spent_seat_that_it_waited_for() {
    let name = "a_worker_that_another_wakes_has_a_spent_seat_that_it_waited_for";
    worker_that_another_wakes(name, true, 1);
}

#[test]
fn a_worker_that_another_wakes_has_a_spent_seat_that_was_given_back() {
    let name = "a_worker_that_another_wakes_has_a_spent_seat_that_was_given_back";
    worker_that_another_wakes(name, false, 1);
}
