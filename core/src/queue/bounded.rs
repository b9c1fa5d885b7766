//! The bounded queue: static, first in, first out, lock-free in the strict sense.
//!
//! # State
//! | field | meaning |
//! |---|---|
//! | `free` | the indices of slots that are free |
//! | `ready` | the indices of slots that hold an item, the oldest first |
//! | `slots` | what the indices stand for |
//!
//! # Invariants
//! - **B1** Each index is in `free`, or in `ready`, or in the hands of one thread.
//! - **B2** A slot holds an item while its index is in `ready`, and while it is in the hands of a
//!   thread that is about to put it there or has just taken it from there.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | B-push | index: `free` → hands → `ready`, the item written in between | [`push`](Queue::push) | a slot is free |
//! | B-pop | index: `ready` → hands → `free`, the item read in between | [`pop`](Queue::pop) | an item is there |
//!
//! # Edges
//! Those of the rings, which hand each index on with all that was done to its slot (E1 in `ring`).
//!
//! # Progress
//! That of the rings: lock-free, and nobody waits for anybody. A thread that stops inside an
//! operation takes at most one index along: an item that it had claimed, or a free slot.
//!
//! # Modelled by
//! `loom-tests/tests/bounded.rs`

use core::mem::MaybeUninit;

use super::ring::Ring;
use crate::sync::{UnsafeCell, array, constructor};

/// A bounded multi-producer, multi-consumer queue of `N` items that allocates nothing.
///
/// It is made at compile time, so it can be a `static` that threads, harts and interrupt handlers
/// share by plain reference. Lock-free in the strict sense: a thread that stops anywhere inside
/// [`push`](Queue::push) or [`pop`](Queue::pop), for whatever reason and for however long, never
/// makes another thread wait, nor keeps it from an item that a later push has put. It costs two words
/// per slot beside the item, and four words with cache lines of their own.
///
/// This is where to go from `heapless::mpmc::Queue`, which is deprecated because a thread that is
/// interrupted in its middle holds the others up; here any `N` will do, too.
///
/// Source: Nikolaev, *A Scalable, Portable, and Memory-Efficient Lock-Free FIFO Queue*, DISC 2019:
/// two rings of indices, one of free slots and one of ready ones.
///
/// # Examples
///
/// ```
/// use asyncpal_core::queue::Queue;
/// use std::thread;
///
/// static READINGS: Queue<u32, 64> = Queue::new();
///
/// let sensor = thread::spawn(|| {
///     for reading in [20, 21, 23] {
///         READINGS.push(reading).expect("there is room for 64");
///     }
/// });
///
/// sensor.join().unwrap();
/// assert_eq!(READINGS.pop(), Some(20));
/// assert_eq!(READINGS.pop(), Some(21));
/// assert_eq!(READINGS.pop(), Some(23));
/// assert_eq!(READINGS.pop(), None);
/// ```
///
/// A queue without room is refused by the compiler:
///
/// ```compile_fail
/// static NONE: asyncpal_core::queue::Queue<u32, 0> = asyncpal_core::queue::Queue::new();
/// ```
pub struct Queue<T, const N: usize> {
    free: Ring<N>,
    ready: Ring<N>,
    slots: [UnsafeCell<MaybeUninit<T>>; N],
}

// SAFETY: the queue owns its items, and moves from thread to thread with them.
unsafe impl<T: Send, const N: usize> Send for Queue<T, N> {}
// SAFETY: a shared queue moves items from thread to thread, which `T: Send` allows, and shares none:
// a slot is touched only by the thread that has its index in hands (B1).
unsafe impl<T: Send, const N: usize> Sync for Queue<T, N> {}

impl<T, const N: usize> Queue<T, N> {
    constructor! {
        /// An empty queue.
        pub fn new() -> Self {
            Self {
                free: Ring::full(),
                ready: Ring::new(),
                slots: array![UnsafeCell::new(MaybeUninit::uninit()); N],
            }
        }
    }

    /// Appends `item`.
    ///
    /// # Errors
    ///
    /// [`Full`], with the item, if at one moment of the call no slot was free. A slot is in use from
    /// the beginning of its push to the end of its pop, so each other thread that is inside one of
    /// the two, or has stopped there, may account for one.
    pub fn push(&self, item: T) -> Result<(), Full<T>> {
        let Some(index) = self.free.dequeue() else { return Err(Full(item)) };
        self.slots[index].with_mut(|slot| {
            // SAFETY: B1: the index is in this thread's hands alone.
            let slot = unsafe { &mut *slot };
            slot.write(item);
        });
        self.ready.enqueue(index);
        Ok(())
    }

    /// Takes the oldest item; `None` if at one moment of the call there was none.
    pub fn pop(&self) -> Option<T> {
        let index = self.ready.dequeue()?;
        // `with_mut`: the item leaves the slot.
        let item = self.slots[index].with_mut(|slot| {
            // SAFETY: B1: the index is in this thread's hands alone.
            let slot = unsafe { &*slot };
            // SAFETY: B2: the index comes from `ready`, so the slot holds an item, and it goes to
            // `free`, so that nobody reads the item again.
            unsafe { slot.assume_init_read() }
        });
        self.free.enqueue(index);
        Some(item)
    }

    /// Whether at one moment of the call there was no item.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// How many items there were at one moment of the call.
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// How many items there can be: `N`.
    pub const fn capacity(&self) -> usize {
        N
    }
}

impl<T, const N: usize> Default for Queue<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Drop for Queue<T, N> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

impl<T, const N: usize> core::fmt::Debug for Queue<T, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).field("capacity", &N).finish()
    }
}

/// There was no free slot for this item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(T);

impl<T> Full<T> {
    /// The item that found no slot.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> core::fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> core::fmt::Display for Full<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the queue is full")
    }
}

impl<T> core::error::Error for Full<T> {}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;
    use crate::sync::{AtomicUsize, Ordering};
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
}
