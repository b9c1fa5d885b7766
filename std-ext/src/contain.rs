//! What users brought: it may panic, and it may fork.

use core::panic::AssertUnwindSafe;
use std::io;

use crate::error::{Panic, TaskError};
use crate::failure::Failure;
use crate::sync::panic::catch_unwind;
use crate::watcher::{Generation, leave_copy};

/// Makes a call; its panic is its failure. What it has unwound through is gone, and what it shares with others is
/// theirs to poison: nothing of ours is half done.
pub(crate) fn caught<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    in_one_process(|| catch_unwind(AssertUnwindSafe(call)))
        .unwrap_or_else(|payload| Err(TaskError::Panicked(Panic::new(payload)).into()))
}

/// Calls `step`, for nobody who could take its panic: it ends here. The panic hook has reported it by then.
pub fn contain(step: impl FnOnce()) {
    in_one_process(|| {
        let Err(payload) = catch_unwind(AssertUnwindSafe(step)) else { return };
        // A payload may panic when it is dropped, with another payload.
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(another);
        }
    });
}

/// Makes a call that does not unwind. If it has forked, and returns here in the child, too, that one ends if it is a
/// copy of a worker: there must not be two of it, and nobody hears of the second.
#[inline]
pub(crate) fn in_one_process<T>(call: impl FnOnce() -> T) -> T {
    let generation = Generation::current();
    let returned = call();
    if generation.is_past() {
        leave_copy(generation);
    }
    returned
}

/// Makes a thread. On one whose locals are gone, as they are when the program ends, the standard library up to Rust 1.86
/// panics at that: an error like any other.
pub(crate) fn made<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|payload| {
        contain(|| drop(payload));
        Err(io::Error::other("a thread at its end can make no other"))
    })
}
