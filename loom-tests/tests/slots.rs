//! The slots of the bounded queue: claimed with an exchange, released with a store.
//!
//! | claim of `queue::bounded` | models |
//! |---|---|
//! | B3: a slot is read before it is written again | `a_slot_is_read_before_…` |
//! | B4, never full by mistake | `a_push_finds_the_free_slot_…` |
#![cfg(asyncpal_loom)]

use asyncpal_core::queue::Queue;
use loom::thread;
use loom_tests::model_bounded;
use std::rc::Rc;

#[test]
fn a_slot_is_read_before_it_is_written_again() {
    model_bounded("a_slot_is_read_before_it_is_written_again", None, || {
        let queue = Rc::new(Queue::<usize, 1>::new());
        queue.push(1).expect("it is empty");
        let consumer = thread::spawn({
            let queue = queue.clone();
            move || queue.pop()
        });

        let second = queue.push(2);

        assert_eq!(consumer.join().expect("it does not panic"), Some(1));
        assert_eq!(queue.pop(), second.ok().map(|()| 2));
    });
}

/// One pass over the slots may find each in use at its moment, and yet one was free at each moment.
#[test]
fn a_push_finds_the_free_slot_wherever_it_moves() {
    model_bounded("a_push_finds_the_free_slot_wherever_it_moves", Some(3), || {
        let queue = Rc::new(Queue::<usize, 2>::new());
        queue.push(0).expect("it is empty");
        assert_eq!(queue.pop(), Some(0));
        queue.push(1).expect("it is empty");
        let mover = thread::spawn({
            let queue = queue.clone();
            move || {
                for item in [2, 3] {
                    queue.pop().expect("there is one at least");
                    queue.push(item).expect("there are two at most");
                }
            }
        });

        queue.push(4).expect("the mover leaves one slot free");

        mover.join().expect("it does not panic");
        assert_eq!(queue.len(), 2);
    });
}
