//! Panics of what users brought.

use core::panic::AssertUnwindSafe;

use crate::error::{Panic, TaskError};
use crate::failure::Failure;
use crate::sync::panic::catch_unwind;

/// Makes a call; its panic is its failure. What it has unwound through is gone, and what it shares with others is
/// theirs to poison: nothing of ours is half done.
pub(crate) fn caught<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|payload| Err(TaskError::Panicked(Panic::new(payload)).into()))
}

/// Calls `step`, for nobody who could take its panic: it ends here. The panic hook has reported it by then.
pub fn contain(step: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(step)) else { return };
    // A payload may panic when it is dropped, with another payload.
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(another);
    }
}
