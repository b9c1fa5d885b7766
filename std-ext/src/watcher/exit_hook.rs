//! The `atexit` handlers: declared by hand, since that is all that this crate wants of the C library.

#[cfg(any(unix, windows))]
use core::ffi::c_int;

#[cfg(any(unix, windows))]
unsafe extern "C" {
    fn atexit(handler: extern "C" fn()) -> c_int;
}

/// Has [`at_exit`](super::at_exit) called when the program ends.
#[cfg(any(unix, windows))]
pub(super) fn register() {
    extern "C" fn handler() {
        let _ = std::panic::catch_unwind(super::at_exit);
    }
    // SAFETY: `atexit` is the C library's, with this signature; the handler does not unwind.
    let refused = unsafe { atexit(handler) };
    // A full table (it has at least 32 places, and grows with memory) means that the program's
    // end does not wait; everything else works.
    debug_assert_eq!(refused, 0, "atexit refused the handler");
}

/// Has [`stay_unless_first`](super::stay_unless_first) called on the next thread that ends the program, before all other
/// handlers that are left. The C library may take each handler once, whatever thread that is on.
#[cfg(any(unix, windows))]
pub(super) fn register_for_others() {
    extern "C" fn handler() {
        let _ = std::panic::catch_unwind(super::stay_unless_first);
    }
    // SAFETY: as above. Without room that thread ends the program in the midst of the first one's wait.
    let _ = unsafe { atexit(handler) };
}

#[cfg(not(any(unix, windows)))]
pub(super) fn register() {}

#[cfg(not(any(unix, windows)))]
pub(super) fn register_for_others() {}
