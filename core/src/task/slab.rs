//! Slabs: the tasks that a thread makes, side by side in memory.
//!
//! A task is made by one thread and mostly freed by another. General allocators serve that badly: each block goes
//! through a list that both threads write, and who gets it next reads a line that the other has just written. So
//! a thread takes memory for some fifty tasks at a time and makes one behind the other in it, in the order in
//! which caches fetch ahead; and a slab is freed as a whole, once all its tasks are.
//!
//! # State
//! | field | touched by |
//! |---|---|
//! | `Slabs::{open, used, made, spare, freed}` | the owner |
//! | `Slab::tokens` | all: one token per task that lives in the slab, and the owner's hold while it is open |
//! | the rest of a slab | what has been used: the parties of the task there; the rest: the owner |
//!
//! # Invariants
//! - **B1** A slab is freed with its last token, when nobody can reach it: the tasks in it are gone, and its
//!   owner makes no more.
//! - **B2** A slab lies at a multiple of `SLAB_BYTES` and is not longer, so that the address of a task says where its
//!   slab begins.
//! - **B3** A thread gives the tokens of tasks that it frees one after the other back together: with the next task of
//!   another slab, when it takes another slab for its own tasks, with those of the same slab that it closes, or when
//!   it ends. Until then they keep the one slab.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | `place` | a token of the hold is the task's (`made` + 1) | owner | it makes a task; if there is no room, after `close`, in another slab |
//! | `take_back` | the task's token is this thread's (`freed`) | any thread with slabs | it has freed the task |
//! | `settle` | `tokens`: those in `freed` fewer | the same | B3 |
//! | `close` | `tokens`: what is left of the hold fewer, and what is in `freed` | owner | it makes no more tasks in the slab |
//! | `Token::give_back` | `tokens`: one fewer | a thread without slabs | it has freed the task |
//!
//! # The spare
//! A thread keeps one empty slab for its next one: that with the highest address. Where the heap is one growing
//! piece of memory, as that of glibc is for the main thread, whatever is free at its upper end goes back to the
//! system at once, and is fetched anew, page by page, for the next burst of tasks; the spare is in the way of that.
//!
//! # Edges
//! M1 of `tokens`.
//!
//! # Progress
//! Wait-free but for the allocator, which is asked once per slab.
//!
//! # Modelled by
//! `loom-tests/tests/slab.rs`

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::fmt;
use core::mem::ManuallyDrop;
use core::num::NonZero;
use core::ptr::NonNull;

use crate::sync::{SLAB_BYTES, SLAB_TASKS};
use crate::tokens::Tokens;

/// What an allocator puts in front of a block finds room between two slabs, and no gap is left.
const BYTES: usize = SLAB_BYTES - 16;
/// Larger tasks would leave too much of a slab unused.
const LARGEST: usize = (BYTES - size_of::<Slab>()) / SLAB_TASKS;

/// The beginning of a slab: a cache line of its own, since it is written by those who free tasks.
#[repr(C, align(64))]
struct Slab {
    tokens: Tokens,
}

impl Slab {
    const LAYOUT: Layout = match Layout::from_size_align(BYTES, SLAB_BYTES) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    };

    /// One in which nothing was ever made, with the hold of its owner.
    fn new() -> Self {
        Self { tokens: Tokens::new(Tokens::HOLD) }
    }

    fn allocate() -> NonNull<Self> {
        // SAFETY: the layout is not zero-sized.
        let raw = unsafe { alloc(Self::LAYOUT) };
        let Some(slab) = NonNull::new(raw.cast::<Self>()) else { handle_alloc_error(Self::LAYOUT) };
        // SAFETY: the memory has room for the beginning, and nobody else knows it.
        unsafe { slab.write(Self::new()) };
        slab
    }

    /// Gives back so many tokens; the slab with the last.
    ///
    /// # Safety
    ///
    /// The caller has that many and does not use them again.
    unsafe fn give_back(slab: NonNull<Self>, count: usize) -> Option<Vacant> {
        // SAFETY: B1: the caller's tokens keep the slab.
        let is_last = unsafe { slab.as_ref() }.tokens.give_back(count);
        is_last.then(|| Vacant(slab))
    }
}

/// A slab without tokens: this reference is the only one. Dropping it frees the slab.
pub(crate) struct Vacant(NonNull<Slab>);

impl Vacant {
    /// Makes it one in which nothing was ever made.
    fn renew(self) -> NonNull<Slab> {
        let mut slab = ManuallyDrop::new(self).0;
        // SAFETY: the only reference.
        let slab_mut = unsafe { slab.as_mut() };
        slab_mut.tokens.last_use();
        *slab_mut = Slab::new();
        slab
    }

    fn address(&self) -> NonZero<usize> {
        self.0.addr()
    }
}

impl Drop for Vacant {
    fn drop(&mut self) {
        // SAFETY: the only reference.
        unsafe { self.0.as_mut() }.tokens.last_use();
        // SAFETY: as above.
        unsafe { self.0.drop_in_place() };
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.0.as_ptr().cast(), Slab::LAYOUT) };
    }
}

/// The token of a task in a slab that is gone.
#[must_use]
pub(crate) struct Token(NonNull<Slab>);

impl Token {
    /// # Safety
    ///
    /// The task's memory came from [`Slabs::place`], and nobody reaches it any more.
    pub(super) unsafe fn of<T>(task: NonNull<T>) -> Self {
        let begins = |address: usize| address & !(SLAB_BYTES - 1);
        let slab = task.as_ptr().map_addr(begins).cast();
        // SAFETY: B2: the task's slab begins there, and not at zero.
        Self(unsafe { NonNull::new_unchecked(slab) })
    }

    /// Gives it back at once.
    pub(super) fn give_back(self) {
        // SAFETY: the token was made with the task.
        drop(unsafe { Slab::give_back(self.0, 1) });
    }
}

/// Where one thread makes its tasks: 4 KiB at a time, side by side. It keeps three times that at most, until it is
/// dropped, beside the slabs in which tasks live.
pub struct Slabs {
    open: Option<NonNull<Slab>>,
    /// Bytes of the open slab that are in use, or were.
    used: usize,
    /// Tasks that were ever made in it.
    made: usize,
    spare: Option<Vacant>,
    /// Tokens of one slab that are this thread's to give back.
    freed: Option<(NonNull<Slab>, usize)>,
}

// SAFETY: it may move to another thread with the slabs that it alone makes tasks in.
unsafe impl Send for Slabs {}

impl Slabs {
    /// No memory yet.
    pub const fn new() -> Self {
        Self { open: None, used: BYTES, made: 0, spare: None, freed: None }
    }

    /// Memory for a task, with a token of its slab; `None` if a task of that size gets memory of its own.
    pub(crate) fn place(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.size() > LARGEST || layout.align() > align_of::<Slab>() {
            return None;
        }
        let mut begin = self.used.next_multiple_of(layout.align());
        if begin + layout.size() > BYTES {
            let vacant = self.close().or_else(|| {
                self.settle();
                self.spare.take()
            });
            self.open = Some(vacant.map_or_else(Slab::allocate, Vacant::renew));
            begin = size_of::<Slab>();
        }
        self.used = begin + layout.size();
        self.made += 1;
        let slab = self.open?.cast::<u8>();
        // SAFETY: the slab ends at `BYTES`.
        Some(unsafe { slab.add(begin) })
    }

    /// Gives a token back, together with those of the same slab that come in a row.
    pub(crate) fn take_back(&mut self, token: Token) {
        match &mut self.freed {
            Some((slab, count)) if *slab == token.0 => *count += 1,
            _ => {
                self.settle();
                self.freed = Some((token.0, 1));
            }
        }
    }

    /// Gives back what it has taken back.
    fn settle(&mut self) {
        // SAFETY: these tokens were made with tasks, and are used no more.
        let vacant =
            self.freed.take().and_then(|(slab, count)| unsafe { Slab::give_back(slab, count) });
        if let Some(vacant) = vacant {
            self.keep(vacant);
        }
    }

    /// Keeps it for its next slab, if it has none higher in memory.
    fn keep(&mut self, vacant: Vacant) {
        if self.spare.as_ref().is_none_or(|spare| spare.address() < vacant.address()) {
            self.spare = Some(vacant);
        }
    }

    /// Makes no more tasks in the open slab. The slab, if those that it made are gone.
    fn close(&mut self) -> Option<Vacant> {
        self.used = BYTES;
        let slab = self.open.take()?;
        let mut rest = Tokens::HOLD - core::mem::take(&mut self.made);
        if let Some((_, freed)) = self.freed.take_if(|(freed, _)| *freed == slab) {
            rest += freed;
        }
        // SAFETY: what has been handed out of the hold is in other hands, but for what was taken back.
        unsafe { Slab::give_back(slab, rest) }
    }
}

impl Default for Slabs {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Slabs {
    fn drop(&mut self) {
        drop(self.close());
        self.settle();
    }
}

impl fmt::Debug for Slabs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slabs").field("used", &self.used).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;
    use std::vec::Vec;

    const CELL: Layout = match Layout::from_size_align(80, 8) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    };

    fn make(slabs: &mut Slabs, count: usize) -> Vec<NonNull<u8>> {
        (0..count).map(|_| slabs.place(CELL).expect("it is small")).collect()
    }

    fn token(place: NonNull<u8>) -> Token {
        // SAFETY: nobody has made anything there, and each test asks once for each place.
        unsafe { Token::of(place) }
    }

    fn slab_of(place: NonNull<u8>) -> usize {
        place.addr().get() & !(SLAB_BYTES - 1)
    }

    #[test]
    fn tasks_lie_side_by_side_and_each_knows_its_slab() {
        let mut slabs = Slabs::new();
        let places = make(&mut slabs, 100);

        // Another slab may lie anywhere.
        let behind = |pair: &&[NonNull<u8>]| pair[0].addr().get() + 80 == pair[1].addr().get();
        assert!(places.windows(2).filter(behind).count() >= 97);

        drop(slabs);
        places.into_iter().for_each(|place| token(place).give_back());
    }

    #[test]
    fn a_place_is_aligned_as_its_task_wants() {
        let mut slabs = Slabs::new();
        for align in [1, 2, 4, 8, 16, 32, 64] {
            let layout = Layout::from_size_align(align + 1, align).expect("a valid layout");

            let place = slabs.place(layout).expect("it is small");

            assert!(place.addr().get().is_multiple_of(align));
            token(place).give_back();
        }
    }

    #[test]
    fn a_large_task_gets_memory_of_its_own() {
        let mut slabs = Slabs::new();

        assert!(slabs.place(Layout::new::<[u8; LARGEST + 1]>()).is_none());
        let wide = Layout::from_size_align(128, 128).expect("a valid layout");
        assert!(slabs.place(wide).is_none());
    }

    #[test]
    fn who_finds_the_open_slab_empty_goes_on_in_it() {
        let mut slabs = Slabs::new();
        let first = make(&mut slabs, 1)[0];
        slabs.take_back(token(first));

        for _ in 0..100 {
            let place = make(&mut slabs, 1)[0];
            assert_eq!(slab_of(place), slab_of(first));
            slabs.take_back(token(place));
        }
    }

    #[test]
    fn what_is_taken_back_goes_once_another_slab_has_its_turn() {
        let (mut maker, mut other) = (Slabs::new(), Slabs::new());
        let places = make(&mut maker, 100);
        drop(maker);
        let first = slab_of(places[0]);

        for &place in places.iter().take_while(|&&place| slab_of(place) == first) {
            other.take_back(token(place));
            assert!(other.spare.is_none());
        }
        let mut rest = places.into_iter().skip_while(|&place| slab_of(place) == first);
        other.take_back(token(rest.next().expect("they are more than one slab's")));

        assert_eq!(other.spare.as_ref().map(|spare| spare.address().get()), Some(first));
        rest.for_each(|place| other.take_back(token(place)));
    }

    #[test]
    fn what_was_taken_back_goes_once_although_a_slab_of_its_own_comes_between() {
        let (mut maker, mut other) = (Slabs::new(), Slabs::new());
        let places = make(&mut maker, 40);
        drop(maker);
        let (first, last) = places.split_at(39);

        first.iter().for_each(|&place| other.take_back(token(place)));
        let own = make(&mut other, 1)[0];
        assert!(other.spare.is_none(), "one task lives");
        other.take_back(token(last[0]));
        other.take_back(token(own));

        assert_eq!(other.spare.as_ref().map(|spare| spare.address().get()), Some(slab_of(last[0])));
    }

    #[test]
    fn the_spare_is_the_highest_in_memory_and_comes_before_the_allocator() {
        let mut slabs = Slabs::new();
        let places = make(&mut slabs, 500);
        let kept = |slabs: &Slabs| slabs.spare.as_ref().map(|spare| spare.address().get());
        // The last one stays open.
        let open = slab_of(*places.last().expect("there are some"));
        let highest = places.iter().map(|&place| slab_of(place)).filter(|&slab| slab != open).max();

        places.into_iter().for_each(|place| slabs.take_back(token(place)));

        assert_eq!(kept(&slabs), highest);
        let places = make(&mut slabs, 100);
        assert!(places.iter().any(|&place| Some(slab_of(place)) == highest));
        assert_eq!(kept(&slabs), None);
        places.into_iter().for_each(|place| token(place).give_back());
    }
}
