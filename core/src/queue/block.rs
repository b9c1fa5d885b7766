//! A block of slots, and the word that is a block and a ticket at once.
//!
//! # State
//! A *word* packs a block's address and a count of tickets. Blocks are aligned to 1024 bytes, so
//! ten low bits are free. On 64-bit targets the address moves up over high bits that only repeat the
//! sign: by 6 (58 bits hold every address that an operating system gives out), which leaves 16 for the
//! count. On 64-bit ARM the highest byte may be a tag (Android's allocator, MTE) and stays where it is;
//! what is below it moves up by 4 (52 bits of address), which leaves 14.
//!
//! | field of a block | meaning |
//! |---|---|
//! | `slots[i]` | empty, poisoned, or an item |
//! | `next` | the block that follows, null while this is the newest |
//! | `tokens` | what must be given back before the block is freed |
//!
//! # Invariants
//! - **B1** A block is freed when its tokens reach zero, and whoever may touch it holds one.
//! - **B2** A block is born with one token per slot, and a hold for each end of the queue.
//!   An end that moves on exchanges its hold for the overflow tickets it handed out.
//! - **B3** A word's count does not overflow while at most half of `MAX_COUNT` threads are inside the
//!   queue at once: 32 767 on 64-bit targets, 8191 on 64-bit ARM, 511 on 32-bit targets. With more it may,
//!   and then memory is used after its end: that is not checked. A push takes one overflow ticket and then
//!   moves the tail. A consumer takes one per block; many that come and go while nothing is pushed take
//!   more, up to ticket `MANY`. From there on each takes one, sees to it that a block follows, and moves the
//!   head: it puts poisons as a producer does, so that what it passes over has a ticket of the tail, too.
//!
//! # Transitions
//! Those of slots, `next` and the ends are the queue's (`growable`). Of `tokens`:
//!
//! | name | change | by | when |
//! |---|---|---|---|
//! | `allocate` | one per slot, two holds | producer; consumer with ticket `MANY` | the block before is used up |
//! | `take_token` | one more | consumer | it is about to poison its slot |
//! | `give_back` | so many fewer; with the last the block is freed | who has them | it touches the block no more |
//! | `end_moved_on` | a hold fewer, but for the overflow tickets that were handed out | who moved the end | Q-tail, Q-head |
//!
//! # Edges
//! - **Q3** M1 of `tokens`: every access to the block happens before it is freed.
//!
//! # Progress
//! Wait-free but for the allocator, which is asked once per block.
//!
//! # Modelled by
//! `loom-tests/tests/queue.rs`

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::sync::{AtomicPtr, LastUse};
use crate::tokens::Tokens;

/// What a slot holds while no item is in it.
pub(super) const EMPTY: *mut () = ptr::null_mut();
/// What a consumer leaves in a slot whose producer did not come in time.
pub(super) const POISONED: *mut () = ptr::without_provenance_mut(1);

const ALIGN: usize = 1024;
const PACKING: Packing = if cfg!(all(target_arch = "aarch64", target_pointer_width = "64")) {
    Packing::TAGGED
} else if usize::BITS >= 64 {
    Packing::WIDE
} else {
    Packing::NARROW
};
const MAX_COUNT: usize = PACKING.max_count();
/// Tickets after which an end moves on even if there is nothing to move on to.
pub(super) const MANY: usize = if cfg!(asyncpal_loom) { 6 } else { MAX_COUNT / 2 };

/// How an address and a count share a word.
#[derive(Clone, Copy)]
struct Packing {
    /// High bits of the address that stay where they are.
    tag: u32,
    /// By how much the others move up.
    shift: u32,
}

impl Packing {
    const NARROW: Self = Self { tag: 0, shift: 0 };
    const WIDE: Self = Self { tag: 0, shift: 6 };
    const TAGGED: Self = Self { tag: 8, shift: 4 };

    const fn max_count(self) -> usize {
        (ALIGN << self.shift) - 1
    }

    /// The bits of the tag.
    const fn tag(self) -> usize {
        !(usize::MAX >> self.tag)
    }

    const fn pack(self, address: usize, count: usize) -> usize {
        (address & self.tag()) | (address << self.shift & !self.tag()) | count
    }

    const fn address(self, word: usize) -> usize {
        // Arithmetic shift: an address in the upper half is sign-extended back.
        let moved_back = ((word << self.tag) as isize >> (self.tag + self.shift)) as usize;
        (word & self.tag()) | (moved_back & !self.tag() & !(ALIGN - 1))
    }
}

/// A block's address and a count of tickets; see the module's documentation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(pub(super) usize);

impl Word {
    pub(super) fn new<const SLOTS: usize>(block: NonNull<Block<SLOTS>>, count: usize) -> Self {
        Self(PACKING.pack(block.as_ptr().expose_provenance(), count))
    }

    pub(super) fn block<const SLOTS: usize>(self) -> NonNull<Block<SLOTS>> {
        let address = PACKING.address(self.0);
        NonNull::new(ptr::with_exposed_provenance_mut(address)).expect("a word holds a block")
    }

    pub(super) const fn count(self) -> usize {
        self.0 & MAX_COUNT
    }
}

/// Lies at a multiple of `ALIGN`.
pub(super) struct Block<const SLOTS: usize> {
    pub(super) slots: [AtomicPtr<()>; SLOTS],
    pub(super) next: AtomicPtr<Block<SLOTS>>,
    tokens: Tokens,
}

impl<const SLOTS: usize> Block<SLOTS> {
    const LAYOUT: Layout = match Layout::from_size_align(size_of::<Self>(), ALIGN) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    };

    /// A new block whose first slot holds `first`.
    pub(super) fn allocate(first: *mut ()) -> NonNull<Self> {
        const {
            assert!(SLOTS > 0 && SLOTS < MAX_COUNT / 2);
        }
        // SAFETY: the layout is not zero-sized.
        let raw = unsafe { alloc(Self::LAYOUT) };
        let Some(block) = NonNull::new(raw.cast::<Self>()) else {
            handle_alloc_error(Self::LAYOUT);
        };
        let fresh = Self {
            slots: core::array::from_fn(|i| AtomicPtr::new(if i == 0 { first } else { EMPTY })),
            next: AtomicPtr::new(ptr::null_mut()),
            tokens: Tokens::new(SLOTS + 2 * Tokens::HOLD),
        };
        // SAFETY: the memory has the layout of `Self` and nobody else knows it.
        unsafe { block.write(fresh) };
        block
    }

    /// Frees a block that nobody else can reach.
    ///
    /// # Safety
    ///
    /// `block` came from [`allocate`](Self::allocate), is not used again, and holds no item.
    pub(super) unsafe fn free(mut block: NonNull<Self>) {
        // SAFETY: the block is initialised and used by nobody else.
        let Self { slots, next, tokens } = unsafe { block.as_mut() };
        slots.iter_mut().for_each(LastUse::last_use);
        next.last_use();
        tokens.last_use();
        // SAFETY: the block is initialised and used by nobody else.
        unsafe { block.drop_in_place() };
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(block.as_ptr().cast(), Self::LAYOUT) };
    }

    /// Gives `count` tokens back, and frees the block with the last one.
    ///
    /// # Safety
    ///
    /// The caller holds that many tokens of `block` and does not use them again.
    pub(super) unsafe fn give_back(block: NonNull<Self>, count: usize) {
        // SAFETY: B1: the caller's tokens keep the block.
        let is_last = unsafe { block.as_ref() }.tokens.give_back(count);
        if is_last {
            // SAFETY: B1: no token is left, so nobody else can reach the block; B2: every slot's
            // token was given back, so each item has been taken.
            unsafe { Self::free(block) };
        }
    }

    /// Makes one token more.
    pub(super) fn take_token(&self) {
        self.tokens.take();
    }

    /// Exchanges an end's hold for the overflow tickets among the `handed_out` ones.
    ///
    /// # Safety
    ///
    /// The calling thread has just moved that end on from `block`, and holds an overflow ticket.
    pub(super) unsafe fn end_moved_on(block: NonNull<Self>, handed_out: usize) {
        let overflow = handed_out - SLOTS;
        // SAFETY: B2: the hold is the end's own, and the end has left; the hold is more than any
        // number of tickets, so what is given back is positive.
        unsafe { Self::give_back(block, Tokens::HOLD - overflow) };
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;
    use crate::sync::BLOCK_SLOTS;

    #[test]
    fn production_blocks_lie_without_gaps_where_allocators_put_two_words_in_front() {
        if usize::BITS == 64 {
            assert_eq!(size_of::<Block<BLOCK_SLOTS>>() + 16, ALIGN);
        }
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn an_address_comes_back_with_its_tag() {
        const BELOW: usize = 0x0000_7fc3_0a51_2c00;
        const ABOVE: usize = 0xffff_9fc3_0a51_2c00;
        let addresses = [
            (Packing::NARROW, BELOW),
            (Packing::WIDE, BELOW),
            (Packing::WIDE, ABOVE),
            (Packing::WIDE, 0x01ff_ffff_ffff_fc00),
            (Packing::TAGGED, BELOW),
            (Packing::TAGGED, ABOVE),
            // Android's heap; MTE; 52 bits of address.
            (Packing::TAGGED, 0xb400 << 48 | BELOW),
            (Packing::TAGGED, 0x0d00 << 48 | BELOW),
            (Packing::TAGGED, 0xb407_ffff_ffff_fc00),
        ];

        for (packing, address) in addresses {
            for count in [0, 1, packing.max_count()] {
                let word = packing.pack(address, count);
                assert_eq!(packing.address(word), address, "{address:x}");
                assert_eq!(word & packing.max_count(), count);
            }
        }
    }

    #[test]
    fn a_word_gives_back_its_block_and_its_count() {
        let block = Block::<4>::allocate(EMPTY);

        let word = Word::new(block, 3);

        assert_eq!(word.block::<4>(), block);
        assert_eq!(word.count(), 3);
        // SAFETY: the block is used by nobody else and holds no item.
        unsafe { Block::free(block) };
    }
}
