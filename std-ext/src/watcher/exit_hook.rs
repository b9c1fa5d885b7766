//! The `atexit` handler.

pub(super) use self::imp::register;

#[cfg(any(unix, windows))]
mod imp {
    use core::ffi::c_int;
    use std::panic::catch_unwind;

    unsafe extern "C" {
        fn atexit(handler: extern "C" fn()) -> c_int;
    }

    pub(in crate::watcher) fn register() {
        // SAFETY: `atexit` is the C library's, with this signature; the handler does not unwind.
        let refused = unsafe { atexit(at_exit) };
        // A full table (it has at least 32 places, and grows with memory) means that the program's
        // end does not wait; everything else works.
        debug_assert_eq!(refused, 0, "atexit refused the handler");
    }

    extern "C" fn at_exit() {
        let _ = catch_unwind(crate::watcher::drain_all);
    }
}

#[cfg(not(any(unix, windows)))]
mod imp {
    pub(in crate::watcher) fn register() {}
}
