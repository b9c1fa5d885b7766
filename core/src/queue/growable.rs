//! The growable queue: unbounded, first in, first out, lock-free in the strict sense.
//!
//! A linked list of blocks. One fetch-add on an end's word returns a ticket *and* counts the
//! caller as a user of the block in that word, so that a thread never touches a block that it has
//! not been counted in, and a block is freed as soon as the last of those it counted is done.
//! The tickets and the poisoned slots are those of FAA queues (Yang and Mellor-Crummey, PPoPP
//! 2016; Ramalhete and Correia's FAAArrayQueue, 2016); the split reference count is Williams' (C++
//! Concurrency in Action, 2012), moved into the ticket.
//!
//! # State
//! | word   | meaning                                                          |
//! |--------|------------------------------------------------------------------|
//! | `tail` | newest block known, tickets handed out to producers in it        |
//! | `head` | block of the next item, tickets handed out to consumers in it    |
//!
//! # Invariants
//! - **I1** A ticket below the number of slots belongs to one producer and one consumer.
//! - **I2** `tail` is never behind `head`.
//! - **I3** A consumer keeps one token of the block in which it got its last ticket, so that this
//!   address means this block for as long as the consumer compares it.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | Q-put | slot: empty → item, or poisoned (B3) | producer | it holds the ticket |
//! | Q-poison | slot: empty → poisoned | consumer | it holds the ticket, the item is not there |
//! | Q-link | `next`: null → a block with the item in its first slot | producer | overflow ticket |
//! | | `next`: null → a block without an item | consumer | ticket `MANY` (B3 of `block`) |
//! | Q-tail | `tail` → next block, one ticket | anyone with an overflow ticket | `next` is set |
//! | Q-head | `head` → next block, no ticket | consumer with an overflow ticket | `tail` has left |
//!
//! # Edges
//! - **Q1** Q-put (Release) / reading the item (Acquire): what was written before the push is seen
//!   after the pop.
//! - **Q2** Q-link, Q-tail, Q-head (Release) / reading the word or `next` (Acquire): a block is
//!   initialised for all who reach it.
//! - **Q3** freeing, see `block`.
//!
//! # Progress
//! Lock-free. A push retries when a consumer poisoned its slot; within one block's worth of
//! poisonings it links a block that carries its item, or another push did. A pop retries when the
//! producer of its ticket has not written yet: it poisons and moves on, so it never waits. A
//! thread that stops holds back at most the freeing of the blocks it is counted in.
//!
//! # Modelled by
//! `loom-tests/tests/queue.rs`

use core::marker::PhantomData;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

use super::block::{Block, EMPTY, MANY, POISONED, Word};
use super::{Pointer, nothing};
use crate::sync::{AtomicUsize, Ordering, SPINS, spin_loop};

/// A growable multi-producer, multi-consumer queue; consuming goes through a [`Consumer`].
///
/// `SLOTS` is the number of items per block: 124 makes a block of 1 KiB on 64-bit targets, with what the
/// allocator puts in front of it.
///
/// Items go in through a shared queue, so a queue of longer-lived items is none of shorter-lived ones:
///
/// ```compile_fail
/// use core::ptr::NonNull;
///
/// use asyncpal_core::queue::{GrowableQueue, Pointer};
///
/// struct Word<'a>(&'a u64);
/// // SAFETY: a `u64` is aligned to 4 at least, and the reference is its pointer.
/// unsafe impl Pointer for Word<'_> {
///     fn into_raw(self) -> NonNull<()> {
///         NonNull::from(self.0).cast()
///     }
///     unsafe fn from_raw(raw: NonNull<()>) -> Self {
///         // SAFETY: it came from `into_raw`.
///         Word(unsafe { raw.cast().as_ref() })
///     }
/// }
///
/// fn put<'a>(queue: &GrowableQueue<Word<'static>>, word: &'a u64) {
///     fn push<'a>(queue: &GrowableQueue<Word<'a>>, word: &'a u64) {
///         queue.push(Word(word));
///     }
///     push(queue, word);
/// }
/// ```
pub struct GrowableQueue<P: Pointer, const SLOTS: usize = 124> {
    tail: CachePadded<AtomicUsize>,
    head: CachePadded<AtomicUsize>,
    items: PhantomData<fn(P) -> P>,
}

// SAFETY: the queue moves items between threads, which `Pointer: Send` allows, and shares none.
unsafe impl<P: Pointer, const SLOTS: usize> Send for GrowableQueue<P, SLOTS> {}
// SAFETY: as above; all its state is atomic.
unsafe impl<P: Pointer, const SLOTS: usize> Sync for GrowableQueue<P, SLOTS> {}

impl<P: Pointer, const SLOTS: usize> GrowableQueue<P, SLOTS> {
    /// An empty queue. It allocates its first block.
    pub fn new() -> Self {
        let word = Word::new(Block::<SLOTS>::allocate(EMPTY), 0).0;
        Self {
            tail: CachePadded::new(AtomicUsize::new(word)),
            head: CachePadded::new(AtomicUsize::new(word)),
            items: PhantomData,
        }
    }

    /// Appends `item`.
    pub fn push(&self, item: P) {
        self.put(item.into_raw().as_ptr());
    }

    /// Appends an item, or a poison: that brings nothing to the consumer that waits for it, and no producer follows.
    #[inline]
    fn put(&self, item: *mut ()) {
        loop {
            // ORDERING: Acquire, Q2: the block is initialised.
            let word = Word(self.tail.fetch_add(1, Ordering::Acquire));
            if word.count() < SLOTS {
                // SAFETY: B1: the ticket is a token of this block.
                let slot = unsafe { &word.block::<SLOTS>().as_ref().slots[word.count()] };
                // ORDERING: Release, Q1. Acquire on failure, Q3: the token that the poisoner made.
                let put = slot.compare_exchange(EMPTY, item, Ordering::Release, Ordering::Acquire);
                if put.is_ok() {
                    // The slot's token passes to the consumer with the item.
                    return;
                }
            }
            if self.link_or_lose(word, item) {
                return;
            }
        }
    }

    /// What a ticket is good for with which no slot was filled; true if the item has its place all the same.
    #[cold]
    fn link_or_lose(&self, ticket: Word, item: *mut ()) -> bool {
        let block = ticket.block::<SLOTS>();
        let linked = ticket.count() >= SLOTS && self.link_next(block, item);
        // SAFETY: the consumer that poisoned the slot left its token to this thread; or the overflow ticket is one, and
        // is used no more.
        unsafe { Block::give_back(block, 1) };
        linked
    }

    /// A consumer of this queue, for one thread at a time.
    pub fn consumer(&self) -> Consumer<'_, P, SLOTS> {
        Consumer { queue: self, held: None }
    }

    /// Q-link and Q-tail: makes a block that holds `item` follow `block`, or helps the producer
    /// that was faster; true if it is ours that follows. The caller holds an overflow ticket.
    fn link_next(&self, block: NonNull<Block<SLOTS>>, item: *mut ()) -> bool {
        // SAFETY: B1: the overflow ticket is a token of this block.
        let next = unsafe { &block.as_ref().next };
        // ORDERING: Acquire, Q2: the thread moves `tail` there, for all to use.
        let mut following = NonNull::new(next.load(Ordering::Acquire));
        let mut linked = false;
        if following.is_none() {
            let fresh = Block::allocate(item);
            // ORDERING: Release, Q2: the fresh block. Acquire on failure, Q2: the other's.
            let link = next.compare_exchange(
                core::ptr::null_mut(),
                fresh.as_ptr(),
                Ordering::Release,
                Ordering::Acquire,
            );
            linked = link.is_ok();
            following = match link {
                Ok(_) => Some(fresh),
                Err(other) => {
                    // SAFETY: nobody else has seen the fresh block; the item stays with the
                    // caller.
                    unsafe { Block::free(fresh) };
                    NonNull::new(other)
                }
            };
        }
        let following = following.expect("a set `next` stays set");
        self.move_on(&self.tail, block, Word::new(following, 1));
        linked
    }

    /// Q-tail and Q-head: moves an end on from `block`, unless somebody else has.
    fn move_on(&self, end: &AtomicUsize, block: NonNull<Block<SLOTS>>, to: Word) {
        // ORDERING: Relaxed: only compared; I1: the overflow ticket keeps this address this block.
        let mut seen = Word(end.load(Ordering::Relaxed));
        while seen.block() == block {
            // ORDERING: Release, Q2: the next block. Relaxed on failure: only compared.
            match end.compare_exchange(seen.0, to.0, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => {
                    // SAFETY: this thread moved the end, and holds an overflow ticket.
                    unsafe { Block::end_moved_on(block, seen.count()) };
                    return;
                }
                Err(now) => seen = Word(now),
            }
        }
    }
}

impl<P: Pointer, const SLOTS: usize> Default for GrowableQueue<P, SLOTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Pointer, const SLOTS: usize> Drop for GrowableQueue<P, SLOTS> {
    fn drop(&mut self) {
        let mut consumer = self.consumer();
        while consumer.pop().is_some() {}
        drop(consumer);
        // ORDERING: Relaxed: nobody else has the queue any more.
        let last = Word(self.head.load(Ordering::Relaxed)).block::<SLOTS>();
        // SAFETY: the queue is empty and its consumers are gone, so its last block is reached by
        // nobody and holds nothing.
        unsafe { Block::free(last) };
    }
}

impl<P: Pointer, const SLOTS: usize> core::fmt::Debug for GrowableQueue<P, SLOTS> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GrowableQueue").finish_non_exhaustive()
    }
}

/// A thread's consuming end of a [`GrowableQueue`].
///
/// It keeps the block of its last ticket in memory until it moves on or is dropped.
pub struct Consumer<'q, P: Pointer, const SLOTS: usize = 124> {
    queue: &'q GrowableQueue<P, SLOTS>,
    held: Option<Held<SLOTS>>,
}

/// Tokens of one block that a consumer has not given back yet: at least one, I3.
struct Held<const SLOTS: usize> {
    block: NonNull<Block<SLOTS>>,
    tokens: usize,
}

/// What a consumer sees at the head without taking a ticket.
enum Peek {
    /// Nothing is there, and nothing was there at one moment of the look.
    Empty,
    /// A ticket may bring an item.
    Unclear,
}

impl<P: Pointer, const SLOTS: usize> Consumer<'_, P, SLOTS> {
    /// Takes the oldest item; `None` if at one moment of the call there was none.
    ///
    /// Before it says so it pauses for about a microsecond at most, so that who asks again and again lets the
    /// producers work.
    pub fn pop(&mut self) -> Option<P> {
        self.pop_at_once().or_else(nothing)
    }

    /// The same without a pause.
    pub(crate) fn pop_at_once(&mut self) -> Option<P> {
        loop {
            if let Peek::Empty = self.peek() {
                return None;
            }
            // ORDERING: Acquire, Q2: the block is initialised.
            let word = Word(self.queue.head.fetch_add(1, Ordering::Acquire));
            let block = word.block::<SLOTS>();
            let ticket = word.count();
            self.hold(block);
            // SAFETY: I3: `hold` has put this ticket's token aside.
            let block_ref = unsafe { block.as_ref() };
            if ticket < SLOTS {
                if let Some(item) = self.take_or_poison(block_ref, ticket) {
                    // SAFETY: the word in the slot came from `into_raw`; I1: only this thread has
                    // the ticket.
                    return Some(unsafe { P::from_raw(item) });
                }
            } else {
                let next = loop {
                    // ORDERING: Acquire, Q2: the thread moves both ends there, for all to use.
                    let next = block_ref.next.load(Ordering::Acquire);
                    if let Some(next) = NonNull::new(next) {
                        break next;
                    }
                    if ticket < MANY {
                        return None;
                    }
                    // B3. As a producer, so that the slots of slower consumers keep their tokens.
                    self.queue.put(POISONED);
                };
                // I2: `tail` first. Else a consumer could overtake it and poison a whole block.
                self.queue.move_on(&self.queue.tail, block, Word::new(next, 1));
                self.queue.move_on(&self.queue.head, block, Word::new(next, 0));
            }
        }
    }

    /// True if at one moment of the call the queue was empty; false if that is not certain.
    pub fn is_empty(&self) -> bool {
        matches!(self.peek(), Peek::Empty)
    }

    /// Looks at the head without taking a ticket. Certain of emptiness only if the head is in the
    /// held block, I3: that word cannot have come from an older block at the same address.
    fn peek(&self) -> Peek {
        let Some(held) = &self.held else { return Peek::Unclear };
        // ORDERING: Relaxed: compared only; the held block is initialised for this thread.
        let head = Word(self.queue.head.load(Ordering::Relaxed));
        if head.block() != held.block {
            return Peek::Unclear;
        }
        // SAFETY: I3: the held token keeps the block.
        let block = unsafe { held.block.as_ref() };
        let ticket = head.count();
        let empty = if ticket < SLOTS {
            // ORDERING: Relaxed: an item is read again, with its edge, under a ticket.
            block.slots[ticket].load(Ordering::Relaxed) == EMPTY && {
                // ORDERING: Relaxed: compared only. Being empty at the moment of this load is
                // all that is claimed; who needs more brings a fence (the census does).
                let tail = Word(self.queue.tail.load(Ordering::Relaxed));
                tail.block() == held.block && tail.count() <= ticket
            }
        } else {
            // ORDERING: Relaxed: compared only.
            block.next.load(Ordering::Relaxed).is_null()
        };
        if empty { Peek::Empty } else { Peek::Unclear }
    }

    /// Q-poison, or the item of this ticket.
    fn take_or_poison(&mut self, block: &Block<SLOTS>, ticket: usize) -> Option<NonNull<()>> {
        let slot = &block.slots[ticket];
        for _ in 0..SPINS {
            // ORDERING: Acquire, Q1: the item.
            let found = slot.load(Ordering::Acquire);
            if found != EMPTY && found != POISONED {
                return NonNull::new(found);
            }
            spin_loop();
        }
        // The slot's token goes to the producer that will find the poison, so this thread needs
        // another one, made while it still has the slot's.
        block.take_token();
        // ORDERING: Release on success, Q3: the token made above is counted before the producer
        // gives the slot's back. Acquire on failure, Q1: the item.
        match slot.compare_exchange(EMPTY, POISONED, Ordering::Release, Ordering::Acquire) {
            Ok(_) => None,
            Err(found) => {
                self.held.as_mut().expect("a ticket is held").tokens += 1;
                // B3: a consumer may have put a poison there, with the slot's token.
                NonNull::new(found).filter(|_| found != POISONED)
            }
        }
    }

    /// Puts a ticket's token aside, and gives those of an older block back.
    fn hold(&mut self, block: NonNull<Block<SLOTS>>) {
        match &mut self.held {
            Some(held) if held.block == block => held.tokens += 1,
            held => {
                let older = held.replace(Held { block, tokens: 1 });
                Self::release(older);
            }
        }
    }

    fn release(held: Option<Held<SLOTS>>) {
        if let Some(Held { block, tokens }) = held {
            // SAFETY: these tokens are this consumer's and are used no more.
            unsafe { Block::give_back(block, tokens) };
        }
    }
}

impl<P: Pointer, const SLOTS: usize> Drop for Consumer<'_, P, SLOTS> {
    fn drop(&mut self) {
        Self::release(self.held.take());
    }
}

impl<P: Pointer, const SLOTS: usize> core::fmt::Debug for Consumer<'_, P, SLOTS> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Consumer").finish_non_exhaustive()
    }
}

// SAFETY: a consumer may move to another thread: its tokens are counts, bound to no thread.
unsafe impl<P: Pointer, const SLOTS: usize> Send for Consumer<'_, P, SLOTS> {}

#[cfg(all(test, not(any(asyncpal_loom, asyncpal_shuttle))))]
#[path = "growable_tests.rs"]
mod tests;
