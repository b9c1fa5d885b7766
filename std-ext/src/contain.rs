//! Panics of what users brought, where nobody is there to take them.

use core::panic::AssertUnwindSafe;

use crate::sync::panic::catch_unwind;

/// Calls `step`; its panic ends here. The panic hook has reported it by then.
pub(crate) fn contain(step: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(step)) else { return };
    // A payload may panic when it is dropped, with another payload.
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(another);
    }
}
