#![forbid(unsafe_code)]

use super::*;
use std::string::ToString;
use std::sync::Arc;
use std::thread;
use std::vec::Vec;

#[test]
fn items_come_out_in_the_order_of_their_pushes_round_after_round() {
    static QUEUE: Queue<usize, 3> = Queue::new();

    for round in 0..10 {
        for item in 0..3 {
            assert_eq!(QUEUE.push(10 * round + item), Ok(()));
        }
        assert_eq!(QUEUE.len(), QUEUE.capacity());
        for item in 0..3 {
            assert_eq!(QUEUE.pop(), Some(10 * round + item));
        }
        assert!(QUEUE.is_empty());
        assert_eq!(QUEUE.pop(), None);
    }
}

#[test]
fn a_full_queue_gives_the_item_back() {
    let queue = Queue::<_, 1>::new();
    queue.push("first").expect("it is empty");

    let full = queue.push("second").expect_err("it is full");

    assert_eq!(full.to_string(), "the queue is full");
    assert_eq!(full.into_inner(), "second");
    assert_eq!(queue.pop(), Some("first"));
    assert_eq!(queue.push("third"), Ok(()));
}

#[test]
fn a_slot_in_the_hands_of_a_stopped_thread_is_the_only_one_missing() {
    let queue = Queue::<_, 3>::new();
    // As if a producer had stopped before its item was there.
    assert_eq!(queue.claim(), Some(0));

    for round in 0..7 {
        assert_eq!(queue.push(2 * round), Ok(()));
        assert_eq!(queue.push(2 * round + 1), Ok(()));
        assert_eq!(queue.push(99), Err(Full(99)));
        assert_eq!(queue.pop(), Some(2 * round));
        assert_eq!(queue.pop(), Some(2 * round + 1));
    }
}

#[test]
fn each_item_is_dropped_once_by_who_popped_it_or_with_the_queue() {
    struct Counted<'a>(&'a AtomicUsize);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = [const { AtomicUsize::new(0) }; 5];
    let queue = Queue::<_, 4>::new();
    for count in &drops[..4] {
        assert!(queue.push(Counted(count)).is_ok());
    }
    assert!(queue.push(Counted(&drops[4])).is_err());

    drop(queue.pop());
    assert_eq!(drops.each_ref().map(|count| count.load(Ordering::Relaxed)), [1, 0, 0, 0, 1]);

    drop(queue);
    assert_eq!(drops.each_ref().map(|count| count.load(Ordering::Relaxed)), [1; 5]);
}

#[test]
fn items_without_a_size_are_counted_all_the_same() {
    let queue = Queue::<(), 2>::new();

    assert!(queue.push(()).is_ok() && queue.push(()).is_ok() && queue.push(()).is_err());
    assert!(queue.pop().is_some() && queue.pop().is_some() && queue.pop().is_none());
}

#[test]
fn threads_get_every_item_once_and_each_producers_in_order() {
    const EACH: usize = 20_000;
    let queue = Arc::new(Queue::<usize, 7>::new());
    let left = Arc::new(AtomicUsize::new(2 * EACH));
    let producers = [0, 1].map(|producer| {
        let queue = queue.clone();
        thread::spawn(move || {
            for item in 0..EACH {
                let mut item = producer * EACH + item;
                while let Err(full) = queue.push(item) {
                    item = full.into_inner();
                    thread::yield_now();
                }
            }
        })
    });
    let consumers = [(); 2].map(|()| {
        let (queue, left) = (queue.clone(), left.clone());
        thread::spawn(move || {
            let mut got = Vec::new();
            while left.load(Ordering::Relaxed) > 0 {
                match queue.pop() {
                    Some(item) => {
                        left.fetch_sub(1, Ordering::Relaxed);
                        got.push(item);
                    }
                    None => thread::yield_now(),
                }
            }
            got
        })
    });

    for producer in producers {
        producer.join().expect("it does not panic");
    }
    let got = consumers.map(|consumer| consumer.join().expect("it does not panic"));

    for items in &got {
        for producer in [0, 1] {
            let of_it = items.iter().filter(|&&item| item / EACH == producer);
            assert!(of_it.is_sorted());
        }
    }
    let mut all = got.concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..2 * EACH));
}
