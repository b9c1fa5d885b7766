//! Atomics that dawdle: with `--cfg asyncpal_pauses` one in some atomic operations and fences of
//! the core waits first, so that other threads get in between two steps that are otherwise never apart
//! for long enough.
//!
//! A stress test runs into a window of two instructions once in a million rounds, an emulator less
//! often still; with pauses the windows are as long as the operations. What must never happen still
//! must not happen: a test that fails with pauses has found a fault.
//!
//! Pauses separate steps; they reorder none. What a processor does to the order of its loads and
//! stores is for the model checker.

use core::hint::black_box;

use super::{Ordering, processor as native};

/// One operation in so many is delayed. Few, since a window is hit when one thread stops in it for
/// longer than another one takes for all of its steps.
const ONE_IN: u32 = 16;

/// A delay has below 2 to the power of 0 to this many turns of an empty loop, each power being as
/// likely as the others: from nothing to what a scheduler takes to let another thread run.
const LONGEST: u32 = 20;

/// Waits now and then.
fn pause() {
    /// What the last thread that came here has made of what the one before has left.
    static SEED: native::AtomicUsize = native::AtomicUsize::new(1);

    let here = 0_u8;
    // Threads have different stacks, so they do not pause in step.
    // ORDERING: Relaxed, and a load and a store: a read-modify-write would order what surrounds it on
    // many processors. Updates that are lost make it less predictable.
    let seed = SEED.load(Ordering::Relaxed) ^ (&raw const here).addr();
    let random = scramble(seed as u32);
    // ORDERING: Relaxed: see above.
    SEED.store(random as usize, Ordering::Relaxed);

    if random % ONE_IN == 0 {
        let scale = random / ONE_IN % (LONGEST + 1);
        for turn in 0..scramble(random) % (1 << scale) {
            // An empty loop that stays. A spin hint would be a fence on some processors.
            black_box(turn);
        }
    }
}

/// A permutation of all words in which each bit depends on all (the finalizer of MurmurHash3, Austin
/// Appleby, 2008), and a step, so that zero does not stay.
const fn scramble(seed: u32) -> u32 {
    let seed = seed.wrapping_add(0x9e37_79b9);
    let seed = (seed ^ (seed >> 16)).wrapping_mul(0x85eb_ca6b);
    let seed = (seed ^ (seed >> 13)).wrapping_mul(0xc2b2_ae35);
    seed ^ (seed >> 16)
}

/// A fence after a pause.
#[inline]
pub fn fence(order: Ordering) {
    pause();
    native::fence(order);
}

/// The same where the last store was a read-modify-write.
#[inline]
pub fn rmw_fence(order: Ordering) {
    pause();
    native::rmw_fence(order);
}

/// A word, with a pause before each operation.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicUsize(native::AtomicUsize);

/// A pointer, with a pause before each operation.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicPtr<T>(native::AtomicPtr<T>);

macro_rules! after_a_pause {
    ($name:ident $(<$t:ident>)?, $value:ty) => {
        impl$(<$t>)? $name$(<$t>)? {
            /// See the type of the same name in `core`.
            pub const fn new(value: $value) -> Self {
                Self(native::$name::new(value))
            }
            /// See the type of the same name in `core`.
            #[inline]
            pub fn load(&self, order: Ordering) -> $value {
                pause();
                self.0.load(order)
            }
            /// See the type of the same name in `core`.
            #[inline]
            pub fn store(&self, value: $value, order: Ordering) {
                pause();
                self.0.store(value, order);
            }
            /// See the type of the same name in `core`.
            #[inline]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                pause();
                self.0.swap(value, order)
            }
            /// See the type of the same name in `core`.
            ///
            /// # Errors
            ///
            /// If the value is not `current`.
            #[inline]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                pause();
                self.0.compare_exchange(current, new, success, failure)
            }
        }
    };
}

after_a_pause!(AtomicUsize, usize);
after_a_pause!(AtomicPtr<T>, *mut T);

macro_rules! arithmetic_after_a_pause {
    ($($op:ident)*) => {
        impl AtomicUsize {$(
            /// See the type of the same name in `core`.
            #[inline]
            pub fn $op(&self, value: usize, order: Ordering) -> usize {
                pause();
                self.0.$op(value, order)
            }
        )*}
    };
}

arithmetic_after_a_pause!(fetch_add fetch_sub fetch_or fetch_and);
