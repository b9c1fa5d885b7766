//! Counting: who sees a claim, a cancellation or a worker sees the submit that came before it (X3,
//! C8), so the pending tasks are never counted too low.

use crate::OnHeap;
use crate::kind::{Cause, Desk, Script};
use crate::observed::{Fate, Pool, Refusal, fate};
use crate::scenes::{beside, end, join, taken};
use asyncpal_core::executor::{Departure, Totals};
use asyncpal_core::sync::stall;
use asyncpal_core::task::Status;
use loom::sync::Notify;
use loom::thread;
use loom_tests::{model, model_bounded};
use std::sync::Arc;

/// Steps of a submit until its task has its number, and until its task is in the queue.
const AT_THE_COUNTER: usize = 2;
const BEFORE_THE_FENCE: usize = 4;

/// Two callers, room for two workers; the first caller's task waits for the second's. The second
/// caller was first at the counter of submits and first at its fence, so the first caller's submit
/// reaches it only with the worker that was called for this task (C8). Else it takes its own task
/// for the one that this worker will run, and the two tasks have one worker.
///
/// That takes three preemptions, too many for the checker: so both callers are stopped where they
/// must be.
#[test]
fn a_task_that_waits_for_another_submitters_is_not_in_its_way() {
    // The second caller between its fence and what it counts, the first before or after its fence.
    let stops = (2..=3).flat_map(|fenced| {
        (BEFORE_THE_FENCE..=BEFORE_THE_FENCE + 1).map(move |pushed| (fenced, pushed))
    });

    for (fenced, pushed) in stops {
        let name = "a_task_that_waits_for_another_submitters_is_not_in_its_way";
        model_bounded(name, Some(0), move || {
            let pool = Arc::new(Pool::<OnHeap>::new(2, Script::default()));
            let awaited_ran = Arc::new(Notify::new());
            let [at_counter, behind_fence, before_fence] =
                [(); 3].map(|()| loom::sync::Arc::new(Notify::new()));

            let second = beside(&pool, {
                let (ran, stops) =
                    (awaited_ran.clone(), [at_counter.clone(), behind_fence.clone()]);
                move |pool| {
                    let [one, two] = stops;
                    stall::arm(AT_THE_COUNTER, one);
                    stall::arm(fenced, two);
                    let awaited = pool.submit_work(move || ran.notify());
                    stall::disarm();
                    awaited
                }
            });
            thread::yield_now();
            let first = beside(&pool, {
                let stop = before_fence.clone();
                move |pool| {
                    stall::arm(pushed, stop);
                    let waiting = pool.submit_work(move || awaited_ran.wait());
                    stall::disarm();
                    waiting
                }
            });
            for gate in [at_counter, before_fence, behind_fence] {
                thread::yield_now();
                gate.notify();
            }

            let (waiting, awaited) = (join(first), join(second));
            assert_eq!([awaited, waiting].map(fate), [Fate::Ran; 2]);
            end(pool);
        });
    }
}

/// A task is submitted, and cancelled by a third thread, while another one is counted that was
/// submitted before. If the cancellation were seen and not its submit, nothing would seem to be
/// pending.
#[test]
fn a_pending_task_is_counted_beside_a_cancelled_one() {
    model("a_pending_task_is_counted_beside_a_cancelled_one", || {
        let pool =
            Arc::new(Pool::<OnHeap>::new(1, Script { starting_workers: 0, ..Script::default() }));
        let other = beside(&pool, |pool| {
            let task = pool.submit().expect("the pool is open");
            join(thread::spawn(move || assert!(task.cancel())));
        });

        let task = pool.submit().expect("the pool is open");
        let engine = pool.executor.engine();
        let pending = engine.counts().pending;
        let mark = engine.mark();

        assert!((1..=2).contains(&pending), "{pending} of one or two");
        assert!(!engine.has_passed(mark), "nobody claimed the task");
        join(other);
        drop(task);
        end(pool);
    });
}

/// A task is run in its turn by a worker that waits, while a mark is made behind it. If it were seen as withdrawn and not
/// as taken from the queue, it would pass for the later one when it is.
#[test]
fn what_was_taken_before_a_mark_does_not_pass_for_what_is_pending() {
    model("what_was_taken_before_a_mark_does_not_pass_for_what_is_pending", || {
        let pool =
            Arc::new(Pool::<OnHeap>::new(1, Script { starting_workers: 0, ..Script::default() }));
        let first = pool.submit();
        let other = beside(&pool, |pool| {
            assert!(pool.executor.run_oldest(&mut Desk::default()));
        });

        let second = taken(pool.submit());
        let engine = pool.executor.engine();
        let mark = engine.mark();

        assert!(!engine.has_passed(mark), "nobody has taken the second");
        join(other);
        assert!(!engine.has_passed(mark));
        assert!(second.cancel());
        assert_eq!(fate(first), Fate::Ran);
        drop(second);
        end(pool);
    });
}

/// The same with a task that was claimed: by a worker that had been called for another one, while
/// its submitter stands before its fence.
#[test]
fn a_pending_task_is_counted_behind_a_claimed_one() {
    model_bounded("a_pending_task_is_counted_behind_a_claimed_one", Some(0), || {
        let pool = Arc::new(Pool::<OnHeap>::new(1, Script::default()));
        let [worker, counter, count, claimer] =
            [(); 4].map(|()| loom::sync::Arc::new(Notify::new()));
        let [busy, counted] = [(); 2].map(|()| Arc::new(Notify::new()));
        let first = pool.submit_work({
            let (busy, worker) = (busy.clone(), worker.clone());
            move || {
                busy.notify();
                worker.wait();
            }
        });
        busy.wait();

        let counting = beside(&pool, {
            let (counted, stop, count) = (counted.clone(), counter.clone(), count.clone());
            move |pool| {
                stall::arm(AT_THE_COUNTER, stop);
                let task = pool.submit().expect("the pool is open");
                stall::disarm();
                worker.notify();
                // Not by yielding: the checker shows a thread that yielded no old values.
                count.wait();
                let pending = pool.executor.engine().counts().pending;
                // The worker is busy until it is told.
                if task.status() == Status::Pending {
                    assert!((1..=3).contains(&pending), "{pending} of one, or more that were");
                }
                counted.notify();
                fate(Ok(task))
            }
        });
        thread::yield_now();
        let claimed = beside(&pool, {
            let stop = claimer.clone();
            move |pool| {
                stall::arm(BEFORE_THE_FENCE, stop);
                let task = pool.submit_work(move || counted.wait());
                stall::disarm();
                fate(task)
            }
        });
        thread::yield_now();
        for gate in [counter, count] {
            gate.notify();
            thread::yield_now();
        }

        assert_eq!(join(counting), Fate::Ran);
        claimer.notify();
        assert_eq!([join(claimed), fate(first)], [Fate::Ran; 2]);
        end(pool);
    });
}

/// Everything that a pool counts about its workers, when all are gone: Y2, and what the kind knows.
fn tally(pool: Arc<Pool<OnHeap>>) -> Totals {
    pool.executor.close();
    pool.join_workers();
    let totals = pool.executor.engine().totals();
    let left = [
        Departure::Idle,
        Departure::Recycled,
        Departure::SeatLost,
        Departure::Dismissed,
        Departure::NotOpened,
    ];
    assert_eq!(totals.spawned, left.iter().map(|why| totals.left(*why)).sum::<usize>(), "Y2");
    assert_eq!((totals.spawned, totals.spawn_failures), pool.spawns());
    assert_eq!(totals.counts.workers, 0);
    end(pool);
    totals
}

/// Two callers, a slot, workers that run one task each: the slot and its words go from a spawner to
/// its worker, and on to the next spawner (Y1). A count that two write would lose one.
#[test]
fn every_worker_of_a_slot_is_counted_once() {
    model_bounded("every_worker_of_a_slot_is_counted_once", Some(1), || {
        let script = Script { tasks_per_worker: 1, ..Script::default() };
        let pool = Arc::new(Pool::<OnHeap>::new(1, script));
        let other = beside(&pool, |pool| fate(pool.submit()));

        let mine = fate(pool.submit());

        assert_eq!([mine, join(other)], [Fate::Ran; 2]);
        let totals = tally(pool);
        // A third one may have been called for a task that the second one found before.
        assert_eq!(totals.left(Departure::Recycled), 2);
        assert_eq!(totals.most_workers, 1);
    });
}

/// Two callers, a slot, a spawn that fails, an idle timeout.
#[test]
fn failed_spawns_and_retired_workers_are_counted_once() {
    model("failed_spawns_and_retired_workers_are_counted_once", || {
        let script = Script { failing_spawns: 1, timeouts: 1, ..Script::default() };
        let pool = Arc::new(Pool::<OnHeap>::new(1, script));
        let other = beside(&pool, |pool| fate(pool.submit()));

        let fates = [fate(pool.submit()), join(other)];

        let totals = tally(pool);
        assert!(totals.left(Departure::Idle) <= 1, "{totals:?}");
        assert!(totals.most_workers <= 1, "{totals:?}");
        let ran = fates.iter().filter(|fate| **fate == Fate::Ran).count();
        let refused = Fate::GivenBack(Refusal::Spawn(Cause::Spawn));
        assert!(fates.iter().all(|fate| matches!(fate, Fate::Ran) || *fate == refused));
        assert_eq!(totals.counts.ended, ran);
        assert_eq!(totals.counts.submitted, ran + totals.cancelled);
    });
}
