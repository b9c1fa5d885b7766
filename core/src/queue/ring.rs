//! The index ring: a static queue of indices, first in, first out, lock-free in the strict sense.
//!
//! It holds indices `0..N`, each at most once, so it is never full. Two of them and `N` slots make
//! a bounded queue of anything; one alone is a free list, or the order of tasks in an arena.
//!
//! This is Nikolaev's NCQ (*A Scalable, Portable, and Memory-Efficient Lock-Free FIFO Queue*, DISC
//! 2019, arXiv 1908.04511), in which an entry carries the cycle in which it was put, so that one
//! compare-exchange of one word puts an index *and* decides who is first. Changed here: the tail is
//! a hint that may lag, so that nobody has to compete for it, and any `N` will do.
//!
//! # State
//! | word | bits | meaning |
//! |---|---|---|
//! | `entries[j]` | cycle, index | the index that was put at position (cycle, j) |
//! | `head` | cycle, j | the position of the next index to take |
//! | `tail` | cycle, j | a position up to which all are filled: a hint |
//!
//! The low `INDEX_BITS` bits hold `j` or an index, the others the cycle. After position (c, N − 1)
//! comes (c + 1, 0). A position is *filled* once its entry has carried its cycle, *taken* once the
//! head has passed it.
//!
//! # Invariants
//! - **R1** Positions are filled in their order, each once; and whoever fills one, or reads that it
//!   is filled, or reads the tail behind it, knows (happens-before) that all earlier ones are.
//! - **R2** Positions are taken in their order, each once and after it was filled.
//! - **R3** When (c, j) is filled, (c − 1, j) has been taken: nothing is overwritten.
//!
//! *R1* A walker stands at a position only if it knows that all before are filled: it started at the
//! tail (E2), or it passed the one before because its entry said so (E1). What it reads there is of
//! cycle c − 1 at least, for (c − 1, j) is such an earlier position. If it is of cycle c − 1, the
//! position is the first that is not filled, and the exchange of that very entry fills it or fails
//! because somebody else did.
//! *R2* The head moves from p to the next only by an exchange from p, by a thread that read the
//! entry of p with its cycle.
//! *R3* The filler of (c, j) brings an index that is not in the ring, so at most N − 1 others
//! are: of the N positions before (c, j) one at least was taken, (c − 1, j) with it or before it,
//! by a thread whose taking happens before, since an index is handed on.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | R-put | entry: (c − 1, any) → (c, index) | [`enqueue`](Ring::enqueue) | it knows that all before (c, j) are filled |
//! | R-hint | `tail` → behind what was put | the same | after R-put |
//! | R-take | `head`: p → next(p) | [`dequeue`](Ring::dequeue) | the entry of p carries its cycle |
//!
//! # Edges
//! - **E1** R-put (Release) / reading an entry (Acquire): the index and what belongs to it pass to
//!   who takes it; the next producer knows what the last one knew.
//! - **E2** R-hint (Release) / reading the tail (Acquire): all before it are filled.
//! - **E3** R-take (Release) / reading the head (Acquire): a consumer that reads the head at (c, j)
//!   sees in the entry at least cycle c − 1, which the taker of (c − 1, j) read; and what the takers
//!   had put before they took, so that it does not find a ring empty that never was.
//!
//! # Progress
//! Lock-free. An exchange fails only because another one of the same word succeeded. A walk is as
//! long as the hint lags, at most N, and one per index that was put meanwhile. The hint lags while a
//! producer is between its R-put and its R-hint, and once more if it has slept there and moves the
//! hint back; the next R-hint mends that. A consumer looks again only if the head has moved. Nothing
//! is ever half done: a thread that stops has put its index or has not, has taken it or has not.
//!
//! *Never empty by mistake.* [`dequeue`](Ring::dequeue) says so if the entry of the head it read is
//! not filled. All before that head are taken; by R1 no index behind it was put by anybody whose put
//! happens before, or is ordered before by a pair of sequentially consistent fences.
//!
//! # The bound
//! Cycles wrap. A thread that sleeps *inside* one operation while others fill or take as many
//! positions as [`lap`](super::lap) says, up to N − 1 fewer, or a multiple of that, takes an entry
//! of another lap for one of this, or leaves a hint from which another does. Comparisons are for
//! equality, so sleeping longer or shorter does no harm: of all possible
//! numbers of operations one in 2^(cycle bits) does.
//!
//! # Modelled by
//! `loom-tests/tests/ring.rs`
#![forbid(unsafe_code)]

use crossbeam_utils::CachePadded;

use super::word::Word;
use crate::sync::{AtomicUsize, Ordering, constructor, words};

/// A queue of indices `0..N`, in which each stands at most once.
///
/// Source: Nikolaev, DISC 2019; see the module.
pub struct Ring<const N: usize> {
    head: CachePadded<AtomicUsize>,
    tail: CachePadded<AtomicUsize>,
    entries: [AtomicUsize; N],
}

/// What [`Ring::dequeue_if`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Dequeued {
    /// The oldest index; it is the caller's.
    Taken(usize),
    /// The oldest index did not please, and was still the oldest.
    Declined,
    /// There was none at one moment of the call.
    Empty,
}

impl<const N: usize> Ring<N> {
    constructor! {
        /// A ring without indices.
        pub fn new() -> Self {
            Self::starting_at(1, 0)
        }
    }

    constructor! {
        /// A ring with all indices, the lowest first.
        pub fn full() -> Self {
            Self::starting_at(1, N)
        }
    }

    constructor! {
        /// A ring whose head is at the beginning of `cycle`, with the indices below `count`, which
        /// is 0 or N.
        fn starting_at(cycle: usize, count: usize) -> Self {
            const { assert!(N > 0, "a ring needs room for an index") };
            let head = Word::<N>::new(cycle, 0);
            let behind = Word::<N>::new(cycle.wrapping_sub(1), 0);
            let mut entries = [behind.0; N];
            let mut index = 0;
            while index < count {
                entries[index] = head.0 | index;
                index += 1;
            }
            let tail = if count == 0 { head } else { Word::<N>::new(cycle.wrapping_add(1), 0) };
            Self {
                head: CachePadded::new(AtomicUsize::new(head.0)),
                tail: CachePadded::new(AtomicUsize::new(tail.0)),
                entries: words(entries),
            }
        }
    }

    /// Appends `index`, which must be below `N` and not in the ring: the caller has it from
    /// [`dequeue`](Ring::dequeue), or has put none of this number yet.
    pub fn enqueue(&self, index: usize) {
        debug_assert!(index < N);
        // ORDERING: Acquire, E2: all before the hint are filled, R1.
        let mut position = Word::<N>(self.tail.load(Ordering::Acquire));
        loop {
            let entry = &self.entries[position.low()];
            // ORDERING: Acquire, E1: if it is filled, all before it are, R1.
            let mut seen = Word(entry.load(Ordering::Acquire));
            if seen.is_one_cycle_before(position) {
                let mine = position.with_low(index);
                // ORDERING: Release, E1. Acquire on failure, E1: as above.
                match entry.compare_exchange(seen.0, mine.0, Ordering::Release, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(now) => seen = Word::<N>(now),
                }
            }
            // Filled, in this cycle or, if the hint lags by a round or more, in a later one.
            position = position.in_cycle_of(seen).next();
        }
        // ORDERING: Release, E2: this thread knows that all up to its own are filled. A store, though
        // others store, too: whichever comes last, what it says is true, and remains so.
        self.tail.store(position.next().0, Ordering::Release);
    }

    /// The place behind what was put last, or a little before.
    pub(super) fn near_tail(&self) -> usize {
        // ORDERING: Relaxed: only a place to begin a search at.
        Word::<N>(self.tail.load(Ordering::Relaxed)).low()
    }

    /// Takes the oldest index; `None` if at one moment of the call there was none.
    pub fn dequeue(&self) -> Option<usize> {
        match self.dequeue_if(|_| true) {
            Dequeued::Taken(index) => Some(index),
            Dequeued::Declined | Dequeued::Empty => None,
        }
    }

    /// Takes the oldest index if `pleases` says so.
    ///
    /// `pleases` is called before the index is taken. If another thread takes it first, the answer is
    /// void and the next one is asked about: an index that is returned or declined was the oldest
    /// when `pleases` had answered. A declined one may be gone by now.
    pub fn dequeue_if(&self, mut pleases: impl FnMut(usize) -> bool) -> Dequeued {
        // ORDERING: Acquire, E3.
        let mut head = Word::<N>(self.head.load(Ordering::Acquire));
        loop {
            let entry = match self.look(head) {
                Look::Filled(entry) => entry,
                Look::Unfilled => return Dequeued::Empty,
                Look::Taken => {
                    // ORDERING: Acquire, E3.
                    head = Word::<N>(self.head.load(Ordering::Acquire));
                    continue;
                }
            };
            if !pleases(entry.low()) {
                // ORDERING: Acquire, E3. If the head has moved the answer may be about what the
                // index meant later.
                let now = Word::<N>(self.head.load(Ordering::Acquire));
                if now == head {
                    return Dequeued::Declined;
                }
                head = now;
                continue;
            }
            // ORDERING: Release, E3: this thread has read the entry. Acquire on failure, E3.
            match self.head.compare_exchange(
                head.0,
                head.next().0,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return Dequeued::Taken(entry.low()),
                Err(now) => head = Word::<N>(now),
            }
        }
    }

    /// Whether at one moment of the call there was no index.
    pub fn is_empty(&self) -> bool {
        self.dequeue_if(|_| false) == Dequeued::Empty
    }

    /// How many indices there were at one moment of the call.
    pub fn len(&self) -> usize {
        // ORDERING: Acquire, E3.
        let mut head = Word::<N>(self.head.load(Ordering::Acquire));
        loop {
            // ORDERING: Acquire, E2: all before it are filled; so, by R3, the head that is read
            // below is at most a round behind.
            let mut position = Word::<N>(self.tail.load(Ordering::Acquire));
            // ORDERING: Acquire, E1: if it is filled, all before it are.
            let at =
                |position: Word<N>| Word::<N>(self.entries[position.low()].load(Ordering::Acquire));
            loop {
                let seen = at(position);
                if seen.is_one_cycle_before(position) {
                    break;
                }
                position = position.in_cycle_of(seen).next();
            }
            // ORDERING: Acquire, E3. If the head has not moved, it was there when the entry at
            // `position` was read and not filled.
            let now = Word::<N>(self.head.load(Ordering::Acquire));
            if now == head {
                return position.distance_from(head);
            }
            head = now;
        }
    }

    /// What is at the head that was read.
    fn look(&self, head: Word<N>) -> Look<N> {
        // ORDERING: Acquire, E1.
        let entry = Word::<N>(self.entries[head.low()].load(Ordering::Acquire));
        if entry.is_in_cycle_of(head) {
            Look::Filled(entry)
        } else if entry.is_one_cycle_before(head) {
            Look::Unfilled
        } else {
            Look::Taken
        }
    }
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> core::fmt::Debug for Ring<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ring").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// What a consumer sees at the head that it read.
enum Look<const N: usize> {
    /// An index is there, unless the head has moved.
    Filled(Word<N>),
    Unfilled,
    /// The head has moved: the position was filled again in a later cycle.
    Taken,
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn drain<const N: usize>(ring: &Ring<N>) -> Vec<usize> {
        core::iter::from_fn(|| ring.dequeue()).collect()
    }

    #[test]
    fn indices_come_out_in_the_order_in_which_they_were_put() {
        static RING: Ring<4> = Ring::new();

        for index in [2, 0, 3, 1] {
            RING.enqueue(index);
        }

        assert_eq!(drain(&RING), [2, 0, 3, 1]);
        assert!(RING.is_empty());
    }

    #[test]
    fn a_full_ring_holds_each_index_once_the_lowest_first() {
        static RING: Ring<3> = Ring::full();

        assert_eq!(RING.len(), 3);
        assert_eq!(drain(&RING), [0, 1, 2]);
    }

    #[test]
    fn a_declined_index_stays() {
        let ring = Ring::<2>::full();

        assert_eq!(ring.dequeue_if(|index| index == 1), Dequeued::Declined);
        assert_eq!(ring.dequeue_if(|index| index == 0), Dequeued::Taken(0));
        assert_eq!(ring.dequeue_if(|index| index == 1), Dequeued::Taken(1));
        assert_eq!(ring.dequeue_if(|_| true), Dequeued::Empty);
    }

    /// Every number of indices, from every position of three rounds around `cycle`.
    fn go_round<const N: usize>(cycle: usize) {
        let ring = Ring::<N>::starting_at(cycle, N);
        let mut expected: std::collections::VecDeque<_> = (0..N).collect();
        for turn in 0..3 * N {
            // Leaves turn % N of them out for a while.
            let out: Vec<_> = (0..=turn % N).map(|_| ring.dequeue().expect("not empty")).collect();
            for index in &out {
                assert_eq!(Some(*index), expected.pop_front());
            }
            assert_eq!(ring.len(), expected.len());
            assert_eq!(ring.is_empty(), expected.is_empty());
            for index in out.into_iter().rev() {
                ring.enqueue(index);
                expected.push_back(index);
            }
            assert_eq!(ring.len(), N);
        }
        assert_eq!(drain(&ring), Vec::from(expected));
        assert!(ring.is_empty());
    }

    #[test]
    fn a_ring_of_any_size_goes_round() {
        go_round::<1>(1);
        go_round::<2>(1);
        go_round::<3>(1);
        go_round::<5>(1);
        go_round::<8>(1);
        go_round::<13>(1);
    }

    #[test]
    fn a_ring_goes_round_where_the_cycles_wrap() {
        // The cycles that a word of this ring can hold wrap two rounds on.
        const fn last_but_one<const N: usize>() -> usize {
            (usize::MAX >> Word::<N>::INDEX_BITS) - 1
        }
        go_round::<1>(last_but_one::<1>());
        go_round::<2>(last_but_one::<2>());
        go_round::<3>(last_but_one::<3>());
        go_round::<5>(last_but_one::<5>());
        go_round::<8>(last_but_one::<8>());
    }

    #[test]
    fn a_hint_that_lags_by_rounds_is_walked_from() {
        let ring = Ring::<3>::full();
        let start = Word::<3>::new(2, 0).0;
        for round in 0..20 {
            let index = ring.dequeue().expect("all are there");
            // As if a thread that was to move the hint had stopped ever since. ORDERING: Relaxed: one thread.
            ring.tail.store(start, Ordering::Relaxed);
            ring.enqueue(index);
            assert_eq!(index, round % 3);
            assert_eq!(ring.len(), 3);
        }
    }
}
