//! Lock-free queues, first in, first out.

#[cfg(feature = "alloc")]
mod block;
mod bounded;
#[cfg(feature = "alloc")]
mod growable;
mod ring;
mod word;

pub use bounded::{Full, Queue};
#[cfg(feature = "alloc")]
pub use growable::{Consumer, GrowableQueue};
pub use ring::{Dequeued, Ring};
pub use word::lap;

use core::ptr::NonNull;

use crate::sync::{PAUSES, spin_loop};

/// What a pop returns that found nothing, after a pause: who asks again at once takes the cache lines
/// away from the producers, and the queue hands over item by item instead of by the batch.
fn nothing<T>() -> Option<T> {
    (0..PAUSES).for_each(|_| spin_loop());
    None
}

/// Something that a queue can carry as one word.
///
/// # Safety
///
/// The pointer's two lowest bits are clear, and `from_raw(into_raw(x))` is `x`.
pub unsafe trait Pointer: Send {
    /// Gives the value up for its word.
    fn into_raw(self) -> NonNull<()>;

    /// Takes the value back.
    ///
    /// # Safety
    ///
    /// `raw` came from [`into_raw`](Pointer::into_raw) and is turned back once.
    unsafe fn from_raw(raw: NonNull<()>) -> Self;
}

#[cfg(feature = "alloc")]
// SAFETY: a `usize` is aligned to at least 4 bytes on every target with an allocator; a box is its
// pointer.
unsafe impl Pointer for alloc::boxed::Box<usize> {
    fn into_raw(self) -> NonNull<()> {
        NonNull::from(alloc::boxed::Box::leak(self)).cast()
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: by the caller's promise this is the pointer of a leaked box, taken back once.
        unsafe { alloc::boxed::Box::from_raw(raw.cast().as_ptr()) }
    }
}
