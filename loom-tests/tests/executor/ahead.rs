//! Tasks that a worker takes ahead of their turn: each runs once, wherever, or is cancelled.

use crate::Ahead;
use crate::kind::{Script, TaskHandle};
use crate::observed::{Fate, Pool, Refusal, fate, wait};
use crate::scenes::{
    Signal, a_submit_against_close, beside, end, join, let_others_run, taken, two_submits,
};
use asyncpal_core::task::Status;
use loom::thread;
use loom_tests::{model, model_bounded};
use std::sync::{Arc, Mutex, PoisonError};

/// Three tasks of one caller; in which order they started, and how many workers there were.
fn three_submits(script: Script) -> (Vec<usize>, usize) {
    let pool = Pool::<Ahead>::new(1, script);
    let order = Arc::new(Mutex::new(Vec::new()));
    let noted = |number| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap_or_else(PoisonError::into_inner).push(number)
    };

    let tasks = [1, 2, 3].map(|number| pool.submit_work(noted(number)));

    let fates = tasks.map(fate);
    let ended = pool.end();
    ended.with_fates(&fates);
    assert_eq!(fates, [Fate::Ran; 3]);
    let order = order.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (order, ended.spawns())
}

/// D3, D4.
#[test]
fn tasks_start_in_order_where_one_worker_takes_them_ahead() {
    model_bounded("tasks_start_in_order_where_one_worker_takes_them_ahead", Some(1), || {
        let (order, _) = three_submits(Script { ahead: 2, ..Script::default() });

        assert_eq!(order, [1, 2, 3]);
    });
}

/// D2, D5: its successors run it, before what was submitted later.
#[test]
fn what_a_worker_gives_back_when_it_leaves_comes_first() {
    for ahead in [1, 2] {
        let name = "what_a_worker_gives_back_when_it_leaves_comes_first";
        model_bounded(name, Some(1), move || {
            let script = Script { ahead, tasks_per_worker: 1, ..Script::default() };

            let (order, spawns) = three_submits(script);

            assert_eq!(order, [1, 2, 3]);
            assert!(spawns >= 3);
        });
    }
}

/// The same two with a task less and a preemption more.
#[test]
fn a_task_taken_ahead_runs_after_the_one_before_it() {
    model("a_task_taken_ahead_runs_after_the_one_before_it", || {
        two_submits::<Ahead>(1, Script::default());
    });
}

#[test]
fn a_worker_that_leaves_gives_back_what_it_has_taken_ahead() {
    model("a_worker_that_leaves_gives_back_what_it_has_taken_ahead", || {
        let script = Script { tasks_per_worker: 1, ..Script::default() };

        let spawns = two_submits::<Ahead>(1, script).spawns();

        assert!(spawns >= 2);
    });
}

/// D2: what its seat has begun it runs to its end.
#[test]
fn a_worker_that_leaves_runs_what_its_seat_has_begun() {
    model_bounded("a_worker_that_leaves_runs_what_its_seat_has_begun", Some(1), || {
        let script = Script { ahead: 2, tasks_per_worker: 1, begun: 1, ..Script::default() };

        let (order, _) = three_submits(script);

        assert_eq!(order, [1, 2, 3]);
    });
}

/// D1: it is pending until it runs, in the ring or not.
#[test]
fn a_task_taken_ahead_counts_as_pending() {
    model_bounded("a_task_taken_ahead_counts_as_pending", Some(1), || {
        let pool = Pool::<Ahead>::new(1, Script::default());
        let long = Long::new();
        let first = long.submit(&pool);
        let second = pool.submit();
        long.busy.wait();

        assert_eq!(pool.executor.engine().counts().pending, 1);

        long.gate.give();
        let fates = [first, second].map(fate);
        pool.end().with_fates(&fates);
        assert_eq!(fates, [Fate::Ran; 2]);
    });
}

/// A task that is busy until it may end.
struct Long {
    busy: Signal,
    gate: Signal,
}

impl Long {
    fn new() -> Self {
        Self { busy: Signal::new(), gate: Signal::new() }
    }

    fn submit(&self, pool: &Pool<Ahead>) -> Result<TaskHandle, Refusal> {
        let (busy, gate) = (self.busy.clone(), self.gate.clone());
        pool.submit_work(move || {
            busy.give();
            gate.wait();
        })
    }
}

/// The first task waits for the second, which its own worker has taken: it must get out of its hands. The
/// other worker has found nothing meanwhile.
#[test]
fn a_task_does_not_wait_behind_the_one_that_gives_it_back() {
    model_bounded("a_task_does_not_wait_behind_the_one_that_gives_it_back", Some(0), || {
        waits_for_the_second(Script { recalls: true, ..Script::default() });
    });
}

/// The same if the seat does not take the second.
#[test]
fn a_task_that_cannot_be_announced_is_left_to_others() {
    model_bounded("a_task_that_cannot_be_announced_is_left_to_others", Some(0), || {
        waits_for_the_second(Script { refuses: true, ..Script::default() });
    });
}

fn waits_for_the_second(script: Script) {
    let [gives_back, second_ran] = [(); 2].map(|()| Signal::new());
    let script = Script { gives_back: Some(gives_back.clone()), ..script };
    let pool = Pool::<Ahead>::new(2, script);
    let waits = second_ran.clone();
    let first = pool.submit_work(move || waits.wait());
    let second = pool.submit_work(move || second_ran.give());
    let_others_run();
    gives_back.give();

    let fates = [first, second].map(fate);

    pool.end().with_fates(&fates);
    assert_eq!(fates, [Fate::Ran; 2]);
}

/// A cancel at any moment: while the worker takes the second task ahead, holds it, or gives it back.
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

/// The worker is about to give the second task back when its owner cancels it. The job is dropped once, and
/// runs or not.
#[test]
fn a_cancel_beside_the_giving_back_is_settled() {
    model_bounded("a_cancel_beside_the_giving_back_is_settled", Some(1), || {
        let gives_back = Signal::new();
        let script =
            Script { recalls: true, gives_back: Some(gives_back.clone()), ..Script::default() };
        let pool = Pool::<Ahead>::new(1, script);
        let first = pool.submit();
        let second = taken(pool.submit());
        let_others_run();
        gives_back.give();

        let was_cancelled = second.cancel();

        let fates = [fate(first), wait(second)];
        pool.end().with_fates(&fates);
        assert!(!was_cancelled || fates[1] == Fate::Cancelled(None), "{fates:?}");
        assert!(matches!(fates[1], Fate::Ran | Fate::Cancelled(None)));
    });
}

/// T10: a cancel that comes too late for a task in a worker's hands is in time when that gives it back.
#[test]
fn a_cancel_of_a_task_that_is_given_back_afterwards_is_in_time() {
    model_bounded("a_cancel_of_a_task_that_is_given_back_afterwards_is_in_time", Some(1), || {
        let script = Script { tasks_per_worker: 1, ..Script::default() };
        let pool = Pool::<Ahead>::new(1, script);
        let long = Long::new();
        let first = long.submit(&pool);
        let second = taken(pool.submit());
        long.busy.wait();

        let _ = second.cancel();
        long.gate.give();

        let fates = [fate(first), wait(second)];
        let_others_run();
        pool.end().with_fates(&fates);
        assert_eq!(fates, [Fate::Ran, Fate::Cancelled(None)]);
    });
}

#[test]
fn a_task_against_close_is_settled_where_tasks_are_taken_ahead() {
    model("a_task_against_close_is_settled_where_tasks_are_taken_ahead", || {
        let _ = a_submit_against_close::<Ahead>(Script::default());
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

/// U4: a worker is at the first task and has taken the second ahead, while another one has run the third: as
/// many claims are counted as there were submits before the mark.
#[test]
fn a_task_in_a_worker_s_hands_has_not_passed() {
    model_bounded("a_task_in_a_worker_s_hands_has_not_passed", Some(0), || {
        held_ahead(false);
    });
}

/// U5: the worker goes on to the second task, and only the count of what is out of its turn says so.
#[test]
fn a_task_that_has_passed_is_seen_in_the_hands_that_run_it() {
    model_bounded("a_task_that_has_passed_is_seen_in_the_hands_that_run_it", Some(0), || {
        held_ahead(true);
    });
}

fn held_ahead(goes_on: bool) {
    let starts = [(); 2].map(|()| Signal::new());
    let script = Script { starts: starts.to_vec(), ..Script::default() };
    let pool = Arc::new(Pool::<Ahead>::new(2, script));
    let [first, second, third] = [(); 3].map(|()| Long::new());
    let look = Signal::new();
    let handles = [&first, &second].map(|long| taken(long.submit(&pool)));
    let mark = pool.executor.engine().mark();
    let last = taken(third.submit(&pool));
    let [told, runs, ran] = [&look, &second.busy, &third.busy].map(Signal::clone);
    let reader = beside(&pool, move |pool| {
        told.wait();
        if ran.is_given() {
            // The edge to who ran the third; none to the other worker.
            ran.wait();
            let has_passed = pool.executor.engine().has_passed(mark);
            assert!(!has_passed || goes_on || runs.is_given());
            assert!(!has_passed || handles[1].status() != Status::Pending);
        }
        handles
    });

    for start in starts {
        start.give();
        let_others_run();
    }
    if goes_on {
        first.gate.give();
        thread::yield_now();
    }
    look.give();

    let handles = join(reader);
    pool.executor.close();
    [first, second, third].iter().for_each(|long| long.gate.give());
    let_others_run();
    drop((handles, last));
    end(pool);
}

/// What was out of its turn is not for ever: the worker is at the third task, and holds nothing.
#[test]
fn tasks_that_ran_have_passed_whatever_is_pending_now() {
    for recalls in [false, true] {
        let name = "tasks_that_ran_have_passed_whatever_is_pending_now";
        model_bounded(name, Some(0), move || {
            let pool = Pool::<Ahead>::new(1, Script { recalls, ..Script::default() });
            let long = Long::new();
            let [first, second] = [pool.submit(), pool.submit()];
            let mark = pool.executor.engine().mark();
            let third = long.submit(&pool);
            long.busy.wait();
            let last = pool.submit();

            assert!(pool.executor.engine().has_passed(mark));

            long.gate.give();
            let fates = [first, second, third, last].map(fate);
            pool.end().with_fates(&fates);
            assert_eq!(fates, [Fate::Ran; 4]);
        });
    }
}
