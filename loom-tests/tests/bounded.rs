//! The bounded queue: what comes out, when it is full, and who waits for whom.
//!
//! | claim of `queue::bounded` | models |
//! |---|---|
//! | each item comes out once, in order | `every_item_…` |
//! | B1, B2: a slot is written and read by one thread at a time, each time anew | every model: a slot is a checked cell; `one_slot_…` |
//! | no false emptiness | `a_pop_after_a_push_…`, `a_pop_after_a_fence_…`, and the stopped threads' |
//! | no false fullness | `a_push_after_a_pop_…`, and the stopped threads' |
//! | progress: a stopped thread takes nothing from the others but one slot | `a_…_stopped_at_any_step_…` |
//! | that is not so of a ring of sequence numbers | `a_producer_stopped_in_a_ring_of_sequence_numbers_…` |
#![cfg(asyncpal_loom)]

#[path = "common/ends.rs"]
mod ends;
#[path = "common/order.rs"]
mod order;
#[path = "common/sequenced.rs"]
mod sequenced;
#[path = "common/stop.rs"]
mod stop;

use asyncpal_core::queue::{Full, Queue};
use core::sync::atomic::Ordering;
use ends::Ends;
use loom::thread::{self, JoinHandle};
use loom_tests::model_bounded;
use order::each_once_in_order;
use sequenced::Sequenced;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use stop::at_every_step;

/// A bounded queue of numbers.
trait Bounded: 'static {
    fn empty() -> Self;
    /// False if there was no slot.
    fn push(&self, item: usize) -> bool;
    fn pop(&self) -> Option<usize>;

    fn pop_all(&self) -> Vec<usize> {
        core::iter::from_fn(|| self.pop()).collect()
    }
}

impl<const N: usize> Bounded for Queue<usize, N> {
    fn empty() -> Self {
        Queue::new()
    }

    fn push(&self, item: usize) -> bool {
        Queue::push(self, item).map_err(|full| assert_eq!(full.into_inner(), item)).is_ok()
    }

    fn pop(&self) -> Option<usize> {
        Queue::pop(self)
    }
}

impl<const N: usize> Bounded for Sequenced<N> {
    fn empty() -> Self {
        Sequenced::new()
    }

    fn push(&self, item: usize) -> bool {
        Sequenced::push(self, item)
    }

    fn pop(&self) -> Option<usize> {
        Sequenced::pop(self)
    }
}

/// Threads share the queue by a plain `Rc`: loom runs them all on one thread of the system, and an
/// `Arc` of loom's would add steps to the model.
fn with_queue<Q: Bounded, T: 'static>(
    queue: &Rc<Q>,
    f: impl FnOnce(&Q) -> T + 'static,
) -> JoinHandle<T> {
    let queue = queue.clone();
    thread::spawn(move || f(&queue))
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no thread of a model panics")
}

#[test]
fn every_item_comes_out_once_and_in_its_producers_order() {
    model_bounded("every_item_comes_out_once_and_in_its_producers_order", Some(1), || {
        let queue = Rc::new(Queue::<usize, 4>::empty());
        let producers = [[1, 2], [11, 12]].map(|items| {
            with_queue(&queue, move |queue| items.map(|item| assert!(queue.push(item).is_ok())))
        });
        let consumer = with_queue(&queue, |queue| queue.pop().into_iter().collect::<Vec<_>>());

        let mine = (0..2).filter_map(|_| queue.pop()).collect();

        for producer in producers {
            join(producer);
        }
        each_once_in_order(&[mine, join(consumer), queue.pop_all()], &[1, 2, 11, 12]);
    });
}

#[test]
fn one_slot_serves_item_after_item() {
    model_bounded("one_slot_serves_item_after_item", Some(3), || {
        let queue = Rc::new(Queue::<usize, 1>::empty());
        let producer = with_queue(&queue, |queue| {
            (1..=3).filter(|&item| Bounded::push(queue, item)).collect::<Vec<_>>()
        });

        let mine = (0..2).filter_map(|_| queue.pop()).collect::<Vec<_>>();

        let pushed = join(producer);
        assert_eq!(pushed[0], 1, "the slot was free");
        each_once_in_order(&[mine, queue.pop_all()], &pushed);
        assert!(Bounded::push(&*queue, 9), "the slot is free again");
    });
}

#[test]
fn a_pop_after_a_push_is_not_empty_handed() {
    model_bounded("a_pop_after_a_push_is_not_empty_handed", Some(3), || {
        let queue = Rc::new(Queue::<usize, 2>::empty());
        let producer = with_queue(&queue, |queue| assert!(queue.push(11).is_ok()));

        assert!(queue.push(1).is_ok());
        let mine = queue.pop().expect("one was pushed before, and nobody else pops");

        join(producer);
        each_once_in_order(&[vec![mine], queue.pop_all()], &[1, 11]);
    });
}

#[test]
fn a_pop_after_a_fence_sees_the_push_or_the_pusher_sees_the_popper() {
    let name = "a_pop_after_a_fence_sees_the_push_or_the_pusher_sees_the_popper";
    model_bounded(name, Some(3), || {
        let queue = Rc::new(Queue::<usize, 2>::empty());
        let idle = loom::sync::Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        // Its item may be in front of the one that is looked for.
        let silent = with_queue(&queue, |queue| assert!(queue.push(11).is_ok()));
        let producer = {
            let idle = idle.clone();
            with_queue(&queue, move |queue| {
                assert!(queue.push(1).is_ok());
                loom::sync::atomic::fence(Ordering::SeqCst);
                idle.load(Ordering::Relaxed) == 1
            })
        };

        idle.store(1, Ordering::Relaxed);
        loom::sync::atomic::fence(Ordering::SeqCst);
        let found = queue.pop();

        let seen = join(producer);
        assert!(seen || found.is_some(), "a sleeper that nobody wakes");
        join(silent);
        each_once_in_order(&[Vec::from_iter(found), queue.pop_all()], &[1, 11]);
    });
}

#[test]
fn a_push_after_a_pop_finds_its_slot() {
    model_bounded("a_push_after_a_pop_finds_its_slot", Some(3), || {
        let queue = Rc::new(Queue::<usize, 2>::empty());
        assert!(queue.push(1).is_ok() && queue.push(2).is_ok());
        let consumer = with_queue(&queue, |queue| queue.pop().expect("there are two"));

        let mine = queue.pop().expect("there are two");
        assert!(queue.push(3).is_ok(), "the slot that the pop gave back");
        let full = queue.push(4);

        let theirs = join(consumer);
        let pushed = if full.is_ok() { vec![1, 2, 3, 4] } else { vec![1, 2, 3] };
        assert_eq!(full.map_err(Full::into_inner).err().unwrap_or(4), 4);
        each_once_in_order(&[vec![mine], vec![theirs], queue.pop_all()], &pushed);
    });
}

#[test]
fn a_dropped_queue_drops_each_item_once() {
    struct Ending(usize, Ends);
    impl Drop for Ending {
        fn drop(&mut self) {
            self.1.note(self.0);
        }
    }
    model_bounded("a_dropped_queue_drops_each_item_once", Some(3), || {
        let ends = Ends::default();
        let queue = Rc::new(Queue::<Ending, 2>::new());
        let producer = {
            let (queue, ends) = (queue.clone(), ends.clone());
            thread::spawn(move || assert!(queue.push(Ending(0, ends)).is_ok()))
        };

        assert!(queue.push(Ending(1, ends.clone())).is_ok());
        let popped = queue.pop();

        join(producer);
        assert_eq!(ends.of(0) + ends.of(1), 0);
        drop(queue);
        assert_eq!(ends.of(0) + ends.of(1), 1);
        drop(popped);
        assert_eq!([ends.of(0), ends.of(1)], [1, 1]);
    });
}

#[test]
fn a_producer_stopped_at_any_step_takes_one_slot_along_and_hides_no_item() {
    let name = "a_producer_stopped_at_any_step_takes_one_slot_along_and_hides_no_item";
    let hidden = items_hidden_by_a_stopped_producer::<Queue<usize, 3>>(name);
    assert_eq!(hidden, BTreeSet::from([0]));
}

/// The contrast: why the queue is not made as `heapless::mpmc` and others are.
#[test]
fn a_producer_stopped_in_a_ring_of_sequence_numbers_hides_later_items() {
    let name = "a_producer_stopped_in_a_ring_of_sequence_numbers_hides_later_items";
    let hidden = items_hidden_by_a_stopped_producer::<Sequenced<4>>(name);
    assert!(hidden.contains(&2), "both items lie behind a ticket without an item");
}

/// How many of two items that were pushed after a producer had stopped in its push do not come out,
/// over all steps at which it may stop. Rounds went before, so that words are not what they were.
fn items_hidden_by_a_stopped_producer<Q: Bounded>(name: &str) -> BTreeSet<usize> {
    let hidden = Arc::new(Mutex::new(BTreeSet::new()));
    for before in 0..=2 {
        let hidden = hidden.clone();
        at_every_step(name, 1, move |stop| {
            let queue = Rc::new(Q::empty());
            let gate = stop.gate();
            for item in 0..before {
                assert!(queue.push(item));
                assert_eq!(queue.pop(), Some(item));
            }
            let stopped = with_queue(&queue, move |queue| stop.during(|| assert!(queue.push(11))));

            let pushed = [1, 2].map(|item| queue.push(item));
            let mut mine = queue.pop_all();
            let late = mine.contains(&11);

            assert_eq!(pushed, [true; 2], "the stopped producer holds one slot of three or four");
            let came_out = mine.len() - usize::from(late);
            hidden.lock().expect("nobody panicked").insert(2 - came_out);
            gate.notify();
            join(stopped);
            mine.extend(queue.pop_all());
            each_once_in_order(&[mine], &[1, 2, 11]);
        });
    }
    let hidden = hidden.lock().expect("nobody panicked");
    hidden.clone()
}

#[test]
fn a_consumer_stopped_at_any_step_takes_one_item_or_slot_along() {
    let name = "a_consumer_stopped_at_any_step_takes_one_item_or_slot_along";
    for before in 0..=2 {
        at_every_step(name, 1, move |stop| {
            let queue = Rc::new(Queue::<usize, 2>::empty());
            let gate = stop.gate();
            for item in 0..before {
                assert!(Bounded::push(&*queue, item));
                assert_eq!(queue.pop(), Some(item));
            }
            assert!(queue.push(1).is_ok());
            let stopped = with_queue(&queue, move |queue| {
                let mut popped = None;
                stop.during(|| popped = queue.pop());
                popped
            });

            let mut mine = Vec::new();
            for item in [2, 3] {
                assert!(queue.push(item).is_ok(), "one slot is not in use");
                mine.extend(queue.pop_all());
                let missed = item - mine.len();
                assert!(missed <= 1, "{missed} items went with the stopped consumer");
            }

            gate.notify();
            let theirs = join(stopped);
            assert!(queue.push(4).is_ok() && queue.push(5).is_ok(), "both slots are back");
            mine.extend(queue.pop_all());
            each_once_in_order(&[mine, Vec::from_iter(theirs)], &[1, 2, 3, 4, 5]);
        });
    }
}
