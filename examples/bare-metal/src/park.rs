//! How a hart sleeps: a token in memory, `wfi`, and the interrupts that end it.
//!
//! # State
//! | word | meaning |
//! |---|---|
//! | `EMPTY` | no token |
//! | `PARKED` | the hart sleeps, or is about to, or has just woken |
//! | `TOKEN` | a token is there |
//!
//! # Invariants
//! - **P1** Whoever replaces `PARKED` by `TOKEN` raises the hart's software interrupt afterwards.
//! - **P2** The hart lowers its interrupt only before it looks at the word, never between that look
//!   and its `wfi`.
//!
//! Hence no wake is lost: a token that comes after the look raises the interrupt after the hart
//! lowered it, the interrupt is pending when the hart comes to `wfi`, and `wfi` does not wait. A token
//! that came before is seen by the look. An interrupt that is late (another parker of the same hart,
//! or a token that was taken before its interrupt arrived) costs one more turn of the loop.
//!
//! # Transitions
//! | name | change | by |
//! |---|---|---|
//! | `park` | `EMPTY` → `PARKED`, later `PARKED`, `TOKEN` → `EMPTY` | the hart |
//! | `unpark` | any → `TOKEN` | anybody |
//!
//! # Edges
//! - **P3** `unpark` (Release) / the end of `park` (Acquire): what was written before the token is
//!   seen after it. Tokens that count as one are one release sequence.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};

use asyncpal::clock::{Clock, Instant};
use asyncpal::park::{Park, Unparked};

use crate::machine::{self, Mtime};

const EMPTY: usize = 0;
const PARKED: usize = 1;
const TOKEN: usize = 2;

/// A parker of one hart. A hart may have several, and sleeps on one at a time.
pub(crate) struct HartPark {
    hart: usize,
    word: AtomicUsize,
}

impl HartPark {
    /// The parker of a hart, without a token.
    pub(crate) const fn new(hart: usize) -> Self {
        Self { hart, word: AtomicUsize::new(EMPTY) }
    }
}

impl Park for HartPark {
    fn park(&self, deadline: Option<Instant>) -> Unparked {
        debug_assert_eq!(machine::hart(), self.hart, "a hart sleeps on its own parker");
        // ORDERING: Relaxed: the token, if there is one, is taken below.
        let announced =
            self.word.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed);
        if announced.is_ok() {
            machine::set_timer(self.hart, deadline);
            loop {
                machine::lower(self.hart);
                // ORDERING: Relaxed: P2 and the fence in `lower` make it new enough; P3 is below.
                if self.word.load(Ordering::Relaxed) == TOKEN {
                    break;
                }
                if deadline.is_some_and(|at| Mtime.now() >= at) {
                    break;
                }
                machine::wait_for_interrupt();
            }
        }
        // ORDERING: Acquire, P3.
        match self.word.swap(EMPTY, Ordering::Acquire) {
            TOKEN => Unparked::Woken,
            _ => Unparked::TimedOut,
        }
    }

    fn unpark(&self) {
        // ORDERING: Release, P3.
        if self.word.swap(TOKEN, Ordering::Release) == PARKED {
            machine::raise(self.hart);
        }
    }
}
