//! The growable queue: what comes out, what is freed, and who waits for whom.
//!
//! | claim of `queue` | models |
//! |---|---|
//! | each item comes out once, in order (I1, I2) | `every_item_comes_out_once_…`, `two_producers_and_a_consumer_…` |
//! | Q1: what came before the push is seen after the pop | every model: an item's content is a checked cell |
//! | Q2: a block is initialised for all who reach it | every model: the checker rejects an access that its making does not precede |
//! | Q3, B1: a block is freed once, after its last use | every model: its memory is watched |
//! | B3: consumers that leave a block behind leave its tokens to who may touch it | `a_consumer_stopped_while_many_…` |
//! | Q3: a poison's token is counted before the slot's is given back | `a_poisoner_…` |
//! | I3: an address means one block while it is compared | `recycled_addresses_…` |
//! | progress: a stopped thread takes nothing from the others | `a_…_stopped_at_any_step_…` |
//! | no false emptiness | `a_pop_after_a_push_…`, `a_pop_after_a_fence_…`, and the stopped threads' |
#![cfg(asyncpal_loom)]

#[path = "common/ends.rs"]
mod ends;
#[path = "common/memory.rs"]
mod memory;
#[path = "common/order.rs"]
mod order;
#[path = "common/scene.rs"]
mod scene;
#[path = "common/stop.rs"]
mod stop;

use asyncpal_core::queue::GrowableQueue;
use asyncpal_core::sync::stall;
use core::sync::atomic::{AtomicBool, Ordering};
use ends::Ends;
use loom::sync::{Arc, Notify};
use loom::thread;
use loom_tests::{model, model_bounded};
use memory::{ALL, watched};
use scene::{Item, Scene, join};
use std::rc::Rc;
use stop::Stop;

#[test]
fn every_item_comes_out_once_and_in_its_producers_order() {
    model_bounded("every_item_comes_out_once_and_in_its_producers_order", Some(1), || {
        Scene::<2>::play(ALL, |scene| {
            let producers = [scene.push_from_a_thread([1, 2]), scene.push_from_a_thread([11, 12])];
            let consumer = scene.pop_on_a_thread(2);

            let mine = scene.pop(2);

            for producer in producers {
                join(producer);
            }
            scene.settle([mine, join(consumer), scene.pop_all()], &[1, 2, 11, 12]);
        });
    });
}

#[test]
fn two_producers_and_a_consumer_meet_at_every_block() {
    model("two_producers_and_a_consumer_meet_at_every_block", || {
        Scene::<1>::play(ALL, |scene| {
            let producers = [scene.push_from_a_thread([1, 2]), scene.push_from_a_thread([11, 12])];

            let mine = scene.pop(3);

            for producer in producers {
                join(producer);
            }
            scene.settle([mine, scene.pop_all()], &[1, 2, 11, 12]);
        });
    });
}

#[test]
fn two_consumers_meet_at_the_end_of_a_block() {
    model("two_consumers_meet_at_the_end_of_a_block", || {
        Scene::<1>::play(ALL, |scene| {
            scene.push([1, 2]);
            let consumer = scene.pop_on_a_thread(2);
            let producer = scene.push_from_a_thread([3]);

            let mine = scene.pop(2);

            join(producer);
            scene.settle([mine, join(consumer), scene.pop_all()], &[1, 2, 3]);
        });
    });
}

#[test]
fn what_came_before_the_push_is_seen_after_the_pop() {
    model_bounded("what_came_before_the_push_is_seen_after_the_pop", None, || {
        Scene::<2>::play(ALL, |scene| {
            let producer = scene.push_from_a_thread([1]);

            let mine = scene.pop(2);

            join(producer);
            scene.settle([mine, scene.pop_all()], &[1]);
        });
    });
}

#[test]
fn what_came_before_the_push_of_a_block_is_seen_after_the_pop() {
    model_bounded("what_came_before_the_push_of_a_block_is_seen_after_the_pop", Some(4), || {
        Scene::<1>::play(ALL, |scene| {
            let producer = scene.push_from_a_thread([1, 2]);

            let mine = scene.pop(2);

            join(producer);
            scene.settle([mine, scene.pop_all()], &[1, 2]);
        });
    });
}

#[test]
fn a_pop_after_a_push_is_not_empty_handed_wherever_the_consumer_was() {
    model("a_pop_after_a_push_is_not_empty_handed_wherever_the_consumer_was", || {
        Scene::<1>::play(ALL, |scene| {
            scene.push([1, 2]);
            let mut consumer = scene.queue.consumer();
            let mut mine = vec![consumer.pop().expect("two items are there").open()];
            let other = scene.on_a_thread(|scene| {
                let first = scene.pop(1);
                scene.push([3, 4]);
                first
            });
            mine.extend(consumer.pop().map(Item::open));

            let theirs = join(other);

            // 3 and 4 were pushed before, and nobody else pops.
            let rest = 4 - mine.len() - theirs.len();
            mine.extend((0..rest).map(|_| consumer.pop().expect("another item is there").open()));
            assert!(consumer.pop().is_none());
            drop(consumer);
            scene.settle([mine, theirs], &[1, 2, 3, 4]);
        });
    });
}

#[test]
fn a_pop_after_a_fence_sees_the_push_or_the_pusher_sees_the_popper() {
    for popped_before in 0..=2 {
        let name = "a_pop_after_a_fence_sees_the_push_or_the_pusher_sees_the_popper";
        model_bounded(name, Some(4), move || {
            Scene::<2>::play(ALL, |scene| {
                let mut consumer = scene.queue.consumer();
                scene.push(1..=popped_before);
                let before = (0..popped_before).map(|_| consumer.pop().expect("pushed").open());
                let before = before.collect();
                let idle = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
                let producer = {
                    let idle = idle.clone();
                    scene.on_a_thread(move |scene| {
                        scene.push([9]);
                        loom::sync::atomic::fence(Ordering::SeqCst);
                        idle.load(Ordering::Relaxed) == 1
                    })
                };

                idle.store(1, Ordering::Relaxed);
                loom::sync::atomic::fence(Ordering::SeqCst);
                let found = consumer.pop().map(Item::open);
                drop(consumer);

                let seen = join(producer);
                assert!(seen || found.is_some(), "a sleeper that nobody wakes");
                let all = (1..=popped_before).chain([9]).collect::<Vec<_>>();
                scene.settle([before, found.into_iter().collect(), scene.pop_all()], &all);
            });
        });
    }
}

#[test]
fn recycled_addresses_confuse_nobody() {
    static REUSED: AtomicBool = AtomicBool::new(false);
    model("recycled_addresses_confuse_nobody", || {
        let reused = Scene::<1>::play(0, |scene| {
            let mut consumer = scene.queue.consumer();
            scene.push([1]);
            let mut mine = vec![consumer.pop().expect("pushed").open()];
            let other = scene.on_a_thread(|scene| {
                let mut consumer = scene.queue.consumer();
                let mut theirs = Vec::new();
                for number in 2..=4 {
                    scene.push([number]);
                    theirs.extend(consumer.pop().map(Item::open));
                }
                theirs
            });
            mine.extend(consumer.pop().map(Item::open));

            let theirs = join(other);

            scene.push([5]);
            mine.push(consumer.pop().expect("the only popper").open());
            drop(consumer);
            scene.settle([mine, theirs, scene.pop_all()], &[1, 2, 3, 4, 5]);
        });
        REUSED.fetch_or(reused > 0, Ordering::Relaxed);
    });
    assert!(
        REUSED.load(Ordering::Relaxed),
        "no address was recycled: the model misses its subject"
    );
}

#[test]
fn a_producer_stopped_at_any_step_holds_up_nobody() {
    for [pushed, popped] in [[0, 0], [1, 0], [2, 0], [1, 1]] {
        stop_a_producer::<1>(pushed, popped);
    }
    for [pushed, popped] in [[1, 0], [1, 1], [2, 2], [3, 3]] {
        stop_a_producer::<2>(pushed, popped);
    }
    // Two tickets of the held block come after the first: the stopped one's and another's.
    stop_a_producer::<3>(1, 1);
}

/// A producer stops after so many items were pushed and so many of them popped.
fn stop_a_producer<const SLOTS: usize>(pushed: usize, popped: usize) {
    let name = "a_producer_stopped_at_any_step_holds_up_nobody";
    at_every_step(name, move |scene: &Rc<Scene<SLOTS>>, stop| {
        let gate = stop.gate();
        let mut consumer = scene.queue.consumer();
        scene.push(1..=pushed);
        let mut mine = Vec::new();
        mine.extend((0..popped).map(|_| consumer.pop().expect("it was pushed").open()));
        let stopped = scene.on_a_thread(move |scene| stop.during(|| scene.push([11])));

        for later in [8, 9] {
            scene.push([later]);
            while mine.last() != Some(&later) {
                mine.push(consumer.pop().expect("a later item is there").open());
            }
        }

        gate.notify();
        join(stopped);
        drop(consumer);
        let all = (1..=pushed).chain([8, 9, 11]).collect::<Vec<_>>();
        scene.settle([mine, scene.pop_all()], &all);
    });
}

#[test]
fn a_consumer_stopped_at_any_step_takes_at_most_one_item_along() {
    for [pushed, popped] in [[0, 0], [1, 0], [2, 0], [1, 1]] {
        stop_a_consumer::<1>(pushed, popped);
    }
    for [pushed, popped] in [[1, 0], [1, 1], [2, 2], [3, 3]] {
        stop_a_consumer::<2>(pushed, popped);
    }
}

/// A consumer stops after so many items were pushed and so many of them popped.
fn stop_a_consumer<const SLOTS: usize>(pushed: usize, popped: usize) {
    let name = "a_consumer_stopped_at_any_step_takes_at_most_one_item_along";
    at_every_step(name, move |scene: &Rc<Scene<SLOTS>>, stop| {
        let gate = stop.gate();
        let mut consumer = scene.queue.consumer();
        scene.push(1..=pushed);
        let mut mine = Vec::new();
        mine.extend((0..popped).map(|_| consumer.pop().expect("it was pushed").open()));
        let stopped = scene.on_a_thread(move |scene| {
            let mut theirs = Vec::new();
            stop.during(|| theirs = scene.pop(1));
            theirs
        });

        for later in [8, 9, 10] {
            scene.push([later]);
            mine.extend(core::iter::from_fn(|| consumer.pop()).map(Item::open));
            let missed = pushed + later - 7 - mine.len();
            assert!(missed <= 1, "{missed} items went with the stopped consumer");
        }

        gate.notify();
        let theirs = join(stopped);
        drop(consumer);
        let all = (1..=pushed).chain([8, 9, 10]).collect::<Vec<_>>();
        scene.settle([mine, theirs, scene.pop_all()], &all);
    });
}

/// A consumer poisons the slot of a producer that stands between its ticket and its item, and stops.
/// The block must not be freed while it is there: its ticket's token went to the producer, and the
/// one that it made instead must have been counted before.
#[test]
fn a_poisoner_stopped_at_any_step_keeps_its_block() {
    at_every_step(
        "a_poisoner_stopped_at_any_step_keeps_its_block",
        |scene: &Rc<Scene<1>>, stop| {
            let gate_of_poisoner = stop.gate();
            let producers_gate = Arc::new(Notify::new());
            let producer = scene.on_a_thread({
                let gate = producers_gate.clone();
                move |scene| {
                    stall::arm(1, gate);
                    scene.push([1]);
                    stall::disarm();
                }
            });
            thread::yield_now();
            let poisoner = scene.on_a_thread(move |scene| {
                let mut theirs = Vec::new();
                stop.during(|| theirs = scene.pop(1));
                theirs
            });
            thread::yield_now();
            producers_gate.notify();
            join(producer);
            scene.push([2]);

            let mine = scene.pop(2);

            gate_of_poisoner.notify();
            let theirs = join(poisoner);
            scene.settle([mine, theirs, scene.pop_all()], &[1, 2]);
        },
    );
}

/// A consumer stops while so many come and go, with nothing pushed, that they leave the block behind: slots of which
/// no producer has a ticket keep their tokens, that of the stopped one, too.
#[test]
fn a_consumer_stopped_while_many_come_and_go_keeps_its_block() {
    at_every_step(
        "a_consumer_stopped_while_many_come_and_go_keeps_its_block",
        |scene: &Rc<Scene<2>>, stop| {
            let gate = stop.gate();
            let stopped = scene.on_a_thread(move |scene| {
                let mut theirs = Vec::new();
                stop.during(|| theirs = scene.pop(1));
                theirs
            });
            thread::yield_now();

            for _ in 0..8 {
                assert!(scene.queue.consumer().pop().is_none());
            }
            scene.push([1, 2]);
            let mine = scene.pop(2);

            gate.notify();
            let theirs = join(stopped);
            scene.settle([mine, theirs, scene.pop_all()], &[1, 2]);
        },
    );
}

#[test]
fn a_dropped_queue_drops_each_item_once() {
    for count in 0..=3 {
        model_bounded("a_dropped_queue_drops_each_item_once", None, move || {
            watched(ALL, || {
                let ends = Ends::default();
                let queue = Arc::new(GrowableQueue::<Item, 2>::new());
                let producer = {
                    let (queue, ends) = (queue.clone(), ends.clone());
                    thread::spawn(move || {
                        for number in 0..count {
                            queue.push(Item::new(number, &ends));
                        }
                    })
                };

                join(producer);
                drop(queue);

                assert!((0..count).all(|number| ends.of(number) == 1));
            });
        });
    }
}

/// Plays `f` with a thread that stops at each of its steps in turn.
fn at_every_step<const SLOTS: usize>(
    name: &str,
    f: impl Fn(&Rc<Scene<SLOTS>>, Stop) + Clone + Send + Sync + 'static,
) {
    stop::at_every_step(name, 1, move |stop| {
        Scene::play(ALL, |scene| f(scene, stop));
    });
}
