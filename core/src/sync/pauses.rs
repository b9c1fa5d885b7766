//! Atomics that dawdle: with `--cfg asyncpal_pauses` every atomic operation and every fence of the
//! core waits a while first, so that other threads get in between two steps that are otherwise never
//! apart for long enough.
//!
//! A stress test runs into a window of two instructions once in a million rounds, an emulator less
//! often still; with pauses the windows are as long as the operations. What must never happen still
//! must not happen: a test that fails with pauses has found a fault.
//!
//! Pauses separate steps; they reorder none. What a processor does to the order of its loads and
//! stores is for the model checker.

use core::hint::black_box;

use super::{Ordering, processor as native};

/// The longest pause is just below 2 to this power turns of an empty loop.
const LONGEST: u32 = 12;

/// Waits, mostly not at all, sometimes for as long as a short task.
fn pause() {
    /// What the last pause was made of, of whatever thread.
    static LAST: native::AtomicUsize = native::AtomicUsize::new(1);

    let here = 0_u8;
    // Threads have different stacks, so they do not pause in step.
    // ORDERING: Relaxed, and a load and a store: a read-modify-write would order what surrounds it on
    // many processors. Updates that are lost make it less predictable.
    let seed = LAST.load(Ordering::Relaxed) ^ (&raw const here).addr();
    let mixed = (seed as u32).wrapping_mul(0x9e37_79b1).rotate_left(13) ^ 0x7f4a_7c15;
    // ORDERING: Relaxed: see above.
    LAST.store(mixed as usize, Ordering::Relaxed);

    let scale = (mixed >> 16) % (LONGEST + 1);
    for turn in 0..mixed % (1 << scale) {
        // An empty loop that stays. A spin hint would be a fence on some processors.
        black_box(turn);
    }
}

/// A fence after a pause.
#[inline]
pub fn fence(order: Ordering) {
    pause();
    native::fence(order);
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
