//! What nested waits leave in the queue on the heap is cleared away by the workers that wait: no
//! task is lost, none overtakes another on one worker, and what was in a clearer's hands is seen.
//!
//! Under the checker every task that a worker runs inline makes it clear. Two moments of two workers
//! must meet, too many preemptions for it: so one of them is stopped at each step instead.

use crate::OnHeap;
use crate::kind::{Desk, Script, TaskHandle};
use crate::observed::{Fate, Pool, Refusal, fate};
use crate::scenes::{Signal, WhenDropped, beside, end, join, let_others_run, taken};
use crate::stop::{Stop, at_every_step};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::sync::Notify;
use loom::thread;
use loom_tests::model_bounded;
use std::sync::{Arc, Mutex, PoisonError};

type OnHeapPool = Arc<Pool<OnHeap>>;

/// A task that submits another and waits for it.
fn submit_nested(pool: &OnHeapPool) -> Result<TaskHandle, Refusal> {
    let inside = Arc::clone(pool);
    pool.submit_work(move || {
        inside.join_nested(inside.submit());
    })
}

/// H2. The inner task is run by who waits for it; the others start as they were submitted.
#[test]
fn tasks_start_in_order_on_one_worker_that_clears() {
    model_bounded("tasks_start_in_order_on_one_worker_that_clears", Some(1), || {
        let pool = Arc::new(Pool::<OnHeap>::new(1, Script::default()));
        let order = Arc::new(Mutex::new(Vec::new()));
        let noted = |number| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap_or_else(PoisonError::into_inner).push(number)
        };
        let outer = submit_nested(&pool);

        let behind = [1, 2].map(|number| pool.submit_work(noted(number)));

        assert_eq!(fate(outer), Fate::Ran);
        assert_eq!(behind.map(fate), [Fate::Ran; 2]);
        assert_eq!(*order.lock().unwrap_or_else(PoisonError::into_inner), [1, 2]);
        end(pool).with_fates(&[Fate::Ran; 4]);
    });
}

/// H1, H4: what one clearer leaves in front the other does not lose.
#[test]
fn two_workers_that_clear_lose_no_task() {
    model_bounded("two_workers_that_clear_lose_no_task", None, || {
        let pool = Arc::new(Pool::<OnHeap>::new(2, unattended()));
        let [first, left, second, right] = [(); 4].map(|()| pool.submit());
        let other = beside(&pool, |pool| pool.join_nested(first));

        let mine = pool.join_nested(second);

        assert_eq!([mine, join(other)], [Fate::Ran; 2]);
        pool.executor.close();
        assert_eq!([left, right].map(fate), [Fate::Cancelled(None); 2]);
        end(pool).with_fates(&[Fate::Ran; 2]);
    });
}

/// H3: who takes it from front knows neither who submitted it nor who put it there: these two are
/// stopped at each pair of steps.
#[test]
fn a_task_that_passes_through_a_clearer_s_hands_is_whole() {
    let pairs = (0..SUBMIT_STEPS).flat_map(|first| (0..STEPS).map(move |second| [first, second]));

    for steps in pairs {
        let name = "a_task_that_passes_through_a_clearer_s_hands_is_whole";
        model_bounded(name, Some(0), move || {
            let [submitter, clearer] = steps.map(Stop::at);
            let gates = [submitter.gate(), clearer.gate()];
            let pool = Arc::new(Pool::<OnHeap>::new(1, unattended()));
            let other = beside(&pool, move |pool| {
                let inner = pool.submit();
                clearer.during(|| pool.join_nested(inner))
            });
            let closer = beside(&pool, move |pool| {
                let_others_run();
                pool.executor.close();
                gates.into_iter().for_each(|gate| gate.notify());
            });

            let mine = submitter.during(|| pool.submit());

            let theirs = join(other);
            join(closer);
            // Whoever is said to live has not come.
            let ended = end(pool);
            ended.with_fates(&[fate(mine), theirs]);
        });
    }
}

/// What is in its hands while the closer drains is settled by one of them, be the clearer a worker or not.
#[test]
fn a_task_in_a_clearer_s_hands_is_settled_by_a_close() {
    model_bounded("a_task_in_a_clearer_s_hands_is_settled_by_a_close", Some(2), || {
        let pool = Arc::new(Pool::<OnHeap>::new(1, Script::default()));
        let other = beside(&pool, |pool| {
            let (before, mine) = (pool.submit(), pool.submit());
            [pool.join_nested(mine), fate(before)]
        });

        pool.executor.close();

        let fates = join(other);
        let endings = [Fate::Ran, Fate::Cancelled(None), Fate::GivenBack(Refusal::Closed)];
        assert!(fates.iter().all(|fate| endings.contains(fate)), "{fates:?}");
        end(pool).with_fates(&fates);
    });
}

/// Then it is settled when the clearer's own task is over, not in it.
#[test]
fn a_task_in_a_clearer_s_hands_may_wait_for_the_task_that_the_clearer_is_in() {
    let name = "a_task_in_a_clearer_s_hands_may_wait_for_the_task_that_the_clearer_is_in";
    model_bounded(name, Some(2), || {
        let pool = Arc::new(Pool::<OnHeap>::new(1, Script::default()));
        let is_over = Signal::new();
        let waits = is_over.clone();
        let ends = WhenDropped::new(move || is_over.give());
        let inside = Arc::clone(&pool);
        let outer = pool.submit_work(move || {
            inside.join_nested(inside.submit());
            drop(ends);
        });
        let waits = WhenDropped::new(move || waits.wait());
        let behind = pool.submit_work(move || drop(waits));

        pool.executor.close();

        for fate in [outer, behind].map(fate) {
            assert!([Fate::Ran, Fate::Cancelled(None)].contains(&fate), "{fate:?}");
        }
        end(pool);
    });
}

/// The count of claims says nothing of a task that was cancelled out of its turn.
#[test]
fn later_tasks_that_are_withdrawn_do_not_pass_for_earlier_ones() {
    let name = "later_tasks_that_are_withdrawn_do_not_pass_for_earlier_ones";
    model_bounded(name, None, || {
        let pool = Pool::<OnHeap>::new(1, unattended());
        let engine = pool.executor.engine();
        let earlier = pool.submit();
        let mark = engine.mark();

        let later = [(); 2].map(|()| taken(pool.submit()));
        assert!(later.iter().all(TaskHandle::cancel));

        assert!(!engine.has_passed(mark));
        assert!(taken(earlier).cancel());
        assert!(engine.has_passed(mark));
        drop(later);
        pool.end();
    });
}

/// U4: later tasks are claimed while an earlier one is in a clearer's hands. The clearer is stopped
/// at each step.
#[test]
fn a_task_in_a_clearer_s_hands_has_not_passed() {
    at_every_step("a_task_in_a_clearer_s_hands_has_not_passed", 0, |stop| {
        let script = Script { starting_workers: 1, ..Script::default() };
        let pool = Arc::new(Pool::<OnHeap>::new(1, script));
        let gate = stop.gate();
        let (inner, earlier) = (pool.submit(), taken(pool.submit()));
        let mark = pool.executor.engine().mark();
        let other = beside(&pool, move |pool| {
            let_others_run();
            assert_eq!([(); 2].map(|()| fate(pool.submit())), [Fate::Ran; 2]);
            if pool.executor.engine().has_passed(mark) {
                // Whoever has it runs it whatever the clearer does.
                let earlier = fate(Ok(earlier));
                gate.notify();
                return earlier;
            }
            gate.notify();
            fate(Ok(earlier))
        });

        let inner = stop.during(|| pool.join_nested(inner));

        assert_eq!([inner, join(other)], [Fate::Ran; 2]);
        end(pool).with_fates(&[Fate::Ran; 4]);
    });
}

/// U4: the same with later tasks that a worker runs in their turn while it waits, for who knows of neither of the two.
/// The clearer is stopped at each step.
#[test]
fn a_task_in_a_clearer_s_hands_has_not_passed_by_what_was_taken_in_turn() {
    let name = "a_task_in_a_clearer_s_hands_has_not_passed_by_what_was_taken_in_turn";
    at_every_step(name, 0, |stop| {
        let pool = Arc::new(Pool::<OnHeap>::new(1, unattended()));
        let (inner, earlier) = (pool.submit(), taken(pool.submit()));
        let mark = pool.executor.engine().mark();
        let later = [(); 2].map(|()| taken(pool.submit()));
        let look = Signal::new();
        let (told, gate) = (look.clone(), stop.gate());
        let reader = beside(&pool, move |pool| {
            told.wait();
            if pool.executor.engine().has_passed(mark) {
                // Whoever has it runs it whatever the clearer does.
                assert_eq!(fate(Ok(earlier)), Fate::Ran);
                return None;
            }
            Some(earlier)
        });
        let clearer = beside(&pool, move |pool| stop.during(|| pool.join_nested(inner)));
        let all_taken = Signal::new();
        let says_so = all_taken.clone();
        let taker = beside(&pool, move |pool| {
            let_others_run();
            while pool.executor.run_oldest(&mut Desk::default()) {}
            says_so.give();
        });

        while !all_taken.is_given() {
            thread::yield_now();
        }
        look.give();

        let earlier = join(reader);
        gate.notify();
        assert_eq!(join(clearer), Fate::Ran);
        join(taker);
        pool.executor.close();
        drop((earlier, later));
        end(pool);
    });
}

/// The clearer finds it when it has run its own task, not before.
#[test]
fn a_task_in_a_clearer_s_hands_may_wait_for_the_clearer_s_task_when_it_is_cancelled() {
    let name = "a_task_in_a_clearer_s_hands_may_wait_for_the_clearer_s_task_when_it_is_cancelled";
    model_bounded(name, Some(2), || {
        let pool = Arc::new(Pool::<OnHeap>::new(1, unattended()));
        let is_gone = Signal::new();
        let waits = is_gone.clone();
        let goes = WhenDropped::new(move || is_gone.give());
        let inner = pool.submit_work(move || drop(goes));
        let waits = WhenDropped::new(move || waits.wait());
        let behind = pool.submit_work(move || drop(waits));
        let closer = beside(&pool, |pool| pool.executor.close());

        let mine = pool.join_nested(inner);

        join(closer);
        end(pool).with_fates(&[mine, fate(behind)]);
    });
}

/// What is run in its turn counts, whatever is pending behind it.
#[test]
fn a_task_that_was_run_in_its_turn_has_passed() {
    model_bounded("a_task_that_was_run_in_its_turn_has_passed", None, || {
        let pool = Pool::<OnHeap>::new(1, unattended());
        let first = pool.submit();
        let mark = pool.executor.engine().mark();
        let later = taken(pool.submit());

        assert!(!pool.executor.engine().has_passed(mark));
        assert!(pool.executor.run_oldest(&mut Desk::default()));
        assert!(pool.executor.engine().has_passed(mark));

        assert!(later.cancel());
        drop(later);
        pool.end().with_fates(&[fate(first)]);
    });
}

/// Callers of the model stand for workers.
fn unattended() -> Script {
    Script { starting_workers: 0, ..Script::default() }
}

/// The other worker finds nothing while the only task is in the clearer's hands, and the clearer's
/// own task waits for that one.
#[test]
fn a_task_in_a_clearer_s_hands_is_not_stuck_behind_it() {
    at_every_step("a_task_in_a_clearer_s_hands_is_not_stuck_behind_it", 0, |stop| {
        behind_a_clearer(stop, false);
    });
}

/// The other worker retires, and its finalizer lasts until the clearer has put the task in front.
#[test]
fn a_task_in_a_clearer_s_hands_is_seen_by_a_worker_that_leaves() {
    at_every_step("a_task_in_a_clearer_s_hands_is_seen_by_a_worker_that_leaves", 0, |stop| {
        behind_a_clearer(stop, true);
    });
}

fn behind_a_clearer(stop: Stop, other_retires: bool) {
    let [cleared, ran] = [(); 2].map(|()| Arc::new(Notify::new()));
    let finalizer = {
        let (cleared, first_time) = (Arc::clone(&cleared), AtomicBool::new(true));
        move || {
            if first_time.swap(false, Relaxed) {
                cleared.wait();
            }
        }
    };
    let script = Script {
        timeouts: usize::from(other_retires),
        finalizer: other_retires.then(|| Box::new(finalizer) as _),
        ..Script::default()
    };
    let pool = Arc::new(Pool::<OnHeap>::new(2, script));
    let gate = stop.gate();
    let outer = {
        let (inside, ran) = (Arc::clone(&pool), Arc::clone(&ran));
        pool.submit_work(move || {
            let inner = inside.submit();
            let behind = inside.submit_work({
                let ran = Arc::clone(&ran);
                move || ran.notify()
            });
            stop.during(|| inside.join_nested(inner));
            cleared.notify();
            ran.wait();
            drop(behind);
        })
    };
    // The other worker goes to sleep, or is in its finalizer.
    let_others_run();
    gate.notify();

    assert_eq!(fate(outer), Fate::Ran);
    end(pool).with_fates(&[Fate::Ran; 3]);
}

/// So many steps a claim of an inner task takes, its run, and the clearing after it.
const STEPS: usize = 30;

/// So many steps a submit takes until its fence.
const SUBMIT_STEPS: usize = 8;

/// What was out of its turn is not for ever: the clearer has found nothing but a stub.
#[test]
fn who_cleared_a_stub_away_is_in_no_task_s_way() {
    model_bounded("who_cleared_a_stub_away_is_in_no_task_s_way", Some(1), || {
        let pool = Pool::<OnHeap>::new(1, unattended());
        let inner = pool.join_nested(pool.submit());
        let mark = pool.executor.engine().mark();
        let later = taken(pool.submit());

        assert!(pool.executor.engine().has_passed(mark));

        assert!(later.cancel());
        drop(later);
        pool.end().with_fates(&[inner]);
    });
}
