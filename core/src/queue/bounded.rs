//! The bounded queue: static, first in, first out, lock-free in the strict sense.
//!
//! # State
//! | field | meaning |
//! |---|---|
//! | `ready` | the indices of slots that hold an item, the oldest first |
//! | `slots[i].turn` | how often the slot was claimed or released: odd while it is in use |
//! | `slots[i].item` | the item |
//!
//! # Invariants
//! - **B1** An index is in `ready` or in the hands of one thread while its slot is in use, and
//!   neither while it is free.
//! - **B2** A slot holds an item while its index is in `ready`, and while it is in the hands of a
//!   thread that is about to put it there or has just taken it from there.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | B-claim | `turn`: even → next | [`push`](Queue::push) | it looks for a free slot |
//! | B-put | index: hands → `ready` | the same | the item is written |
//! | B-take | index: `ready` → hands | [`pop`](Queue::pop) | an item is there |
//! | B-release | `turn`: odd → next | the same | the item is read |
//!
//! # Edges
//! - **B3** B-release (Release) / B-claim (Acquire): the last item of a slot is read before the next
//!   one is written; and all that the releaser knows of `ready` is known to the claimer.
//! - **B4** B-claim, B-release (Release) / reading a turn (Acquire): who sees a slot claimed sees
//!   every turn that its claimer had seen.
//! - E1 of `ring`: an item is written before it is read.
//!
//! B3 is what `ready` asks for, that an index is put again only by who has it from its last taking.
//!
//! # Progress
//! Lock-free, and nobody waits for anybody. The ring's part is argued there. A claim is tried again
//! if another thread has claimed or released a slot meanwhile. A thread that stops inside an operation
//! takes at most one index along: an item that it had claimed, or a free slot.
//!
//! *Never full by mistake.* Turns only grow, so two passes that found every slot in use and the same
//! sum found the same turns. The second came after all that the writers of these turns had seen (B4)
//! and found none of them outdated: there was a moment at which no slot was free.
//!
//! # Modelled by
//! `loom-tests/tests/bounded.rs`, `loom-tests/tests/slots.rs`

use core::mem::MaybeUninit;

use super::nothing;
use super::ring::Ring;
use crate::sync::{AtomicUsize, Ordering, UnsafeCell, array, constructor};

/// A bounded multi-producer, multi-consumer queue of `N` items that allocates nothing.
///
/// It is made at compile time, so it can be a `static` that threads, harts and interrupt handlers
/// share by plain reference. Lock-free in the strict sense: a thread that stops anywhere inside
/// [`push`](Queue::push) or [`pop`](Queue::pop), for whatever reason and for however long, never
/// makes another thread wait, nor keeps it from an item that a later push has put. It costs two words
/// per slot beside the item, and two words with cache lines of their own.
///
/// This is where to go from `heapless::mpmc::Queue`, which is deprecated because a thread that is
/// interrupted in its middle holds the others up; here any `N` will do, too.
///
/// Source: Nikolaev, *A Scalable, Portable, and Memory-Efficient Lock-Free FIFO Queue*, DISC 2019: a
/// ring of the indices of ready slots. His second ring, of free slots, is a word per slot here: free
/// slots need no order, and only who has one releases it, so that a store is enough.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_core as asyncpal;
/// use asyncpal::queue::Queue;
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
/// # extern crate asyncpal_core as asyncpal;
/// static NONE: asyncpal::queue::Queue<u32, 0> = asyncpal::queue::Queue::new();
/// ```
pub struct Queue<T, const N: usize> {
    ready: Ring<N>,
    slots: [Slot<T>; N],
}

struct Slot<T> {
    turn: AtomicUsize,
    item: UnsafeCell<MaybeUninit<T>>,
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
                ready: Ring::new(),
                slots: array![Slot::free(); N],
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
        let Some(index) = self.claim() else { return Err(Full(item)) };
        self.slots[index].item.with_mut(|slot| {
            // SAFETY: B1: the index is in this thread's hands alone.
            let slot = unsafe { &mut *slot };
            slot.write(item);
        });
        self.ready.enqueue(index);
        Ok(())
    }

    /// Takes the oldest item; `None` if at one moment of the call there was none.
    ///
    /// Before it says so it pauses for about a microsecond at most, so that who asks again and again lets the
    /// producers work.
    pub fn pop(&self) -> Option<T> {
        let index = self.ready.dequeue().or_else(nothing)?;
        let slot = &self.slots[index];
        // `with_mut`: the item leaves the slot.
        let item = slot.item.with_mut(|slot| {
            // SAFETY: B1: the index is in this thread's hands alone.
            let slot = unsafe { &*slot };
            // SAFETY: B2: the index comes from `ready`, so the slot holds an item, and it is
            // released, so that nobody reads the item again.
            unsafe { slot.assume_init_read() }
        });
        slot.release();
        Some(item)
    }

    /// B-claim of the slot that is next in turn or, if another thread has that one, of any other;
    /// `None` if at one moment of the call none was free.
    fn claim(&self) -> Option<usize> {
        let near = self.ready.near_tail();
        if self.slots[near].try_claim().is_ok() {
            return Some(near);
        }
        let mut last_sum = None;
        // Full of items is quick to see; full of items and threads needs the two passes.
        while self.ready.len() < N {
            let mut sum = 0_usize;
            for index in (near..N).chain(0..near) {
                match self.slots[index].try_claim() {
                    Ok(()) => return Some(index),
                    Err(turn) => sum = sum.wrapping_add(turn),
                }
            }
            if last_sum == Some(sum) {
                break;
            }
            last_sum = Some(sum);
        }
        None
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

impl<T> Slot<T> {
    constructor! {
        fn free() -> Self {
            Self { turn: AtomicUsize::new(0), item: UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }

    /// B-claim, or the turn of who was faster.
    fn try_claim(&self) -> Result<(), usize> {
        // ORDERING: Acquire, B3, B4.
        let turn = self.turn.load(Ordering::Acquire);
        if turn % 2 == 1 {
            return Err(turn);
        }
        // ORDERING: Release, B4; each turn is written once, so this reads what the load has acquired.
        // Acquire on failure, B4.
        let next = turn.wrapping_add(1);
        let claim = self.turn.compare_exchange(turn, next, Ordering::Release, Ordering::Acquire);
        claim.map(drop)
    }

    /// B-release, by the thread that has the slot's index.
    fn release(&self) {
        // ORDERING: Relaxed: B1: nobody else writes it, and the claim happens before.
        let turn = self.turn.load(Ordering::Relaxed);
        // ORDERING: Release, B3, B4. A store: nobody else writes the turn of a slot in use, B1.
        self.turn.store(turn.wrapping_add(1), Ordering::Release);
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
#[path = "bounded_tests.rs"]
mod tests;
