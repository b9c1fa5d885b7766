//! The shim of this crate: atomics, locks, threads, time and the catching of panics come from here.
//!
//! Production builds see the standard library. With `--cfg asyncpal_loom` *and* the feature `loom`
//! the same names are the model checker's (`checked`), so that a model runs the very pool that
//! production runs; no algorithm contains a `cfg`.
//!
//! `Arc` is the standard library's in both: nothing in this crate rests on the moment at which a
//! count reaches zero. (The engine's `Arc`, where something does, is the core's.)

pub(crate) use std::sync::{Arc, Weak};

pub(crate) use asyncpal_core::sync::{
    AtomicUsize, LastUse, Ordering, UnsafeCell, fence, rmw_fence,
};

pub(crate) use imp::*;

/// For what belongs to the program and not to a model: constants that are computed once, numbers
/// that need only be distinct, the list for the exit hook. No choice of a model depends on it, so
/// the checker does not see it.
pub(crate) mod program {
    #[cfg(feature = "signal")]
    #[allow(unused_imports, reason = "there are platforms without signals")]
    pub(crate) use core::sync::atomic::AtomicI32;
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};
    #[cfg(asyncpal_loom)]
    pub(crate) use std::sync::Once;
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
    pub(crate) use std::thread_local;

    /// The lock's content. A panic under one of our locks leaves nothing half done, so a poisoned
    /// lock is as good as any.
    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(asyncpal_loom, not(feature = "loom")))]
compile_error!("`--cfg asyncpal_loom` needs the feature `loom`");

#[cfg(all(asyncpal_loom, feature = "loom"))]
pub(crate) mod checked;

#[cfg(all(asyncpal_loom, feature = "loom"))]
use checked as imp;

#[cfg(not(asyncpal_loom))]
mod imp {
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
    pub(crate) use std::thread_local;

    use core::time::Duration;

    pub(crate) use super::program::lock;
    use crate::clock::Deadline;
    pub(crate) use crate::clock::system_time as now;

    /// Whether the end of the program is watched.
    pub(crate) const PROGRAM_ENDS: bool = true;

    /// Whether threads make their tasks in slabs.
    pub(crate) const HAVE_SLABS: bool = true;

    /// Waits for a notification; `None` if the deadline is past. May return without a notification.
    pub(crate) fn wait<'m, T>(
        condition: &Condvar,
        guard: MutexGuard<'m, T>,
        deadline: Deadline,
    ) -> Option<MutexGuard<'m, T>> {
        match left(deadline) {
            None => Some(condition.wait(guard).unwrap_or_else(PoisonError::into_inner)),
            Some(left) if left.is_zero() => None,
            Some(left) => {
                let waited = condition.wait_timeout(guard, left);
                Some(waited.unwrap_or_else(PoisonError::into_inner).0)
            }
        }
    }

    /// What is left until then: `None` if there is no end, zero if it is past.
    fn left(deadline: Deadline) -> Option<Duration> {
        deadline.end().map(|end| end.since(now()))
    }

    /// Whether pools are left as they are, since what they are used for has failed: never.
    pub(crate) const fn is_abandoned() -> bool {
        false
    }

    pub(crate) mod panic {
        pub(crate) use std::panic::catch_unwind;
    }

    pub(crate) mod thread {
        pub(crate) use std::thread::{
            Builder, JoinHandle, Thread, available_parallelism, current, park, park_timeout,
        };

        use core::time::Duration;

        use crate::clock::Deadline;

        /// Lets others go on, and sleeps so long.
        pub(crate) fn pause(length: Duration) {
            if length.is_zero() {
                std::thread::yield_now();
            } else {
                std::thread::sleep(length);
            }
        }

        /// Whether the thread is the calling one.
        pub(crate) fn is_this<T>(thread: &JoinHandle<T>) -> bool {
            thread.thread().id() == current().id()
        }

        /// Sleeps until the thread is unparked, the deadline is past, or for no reason; false
        /// without sleep if the deadline is past already.
        pub(crate) fn park_until(deadline: Deadline) -> bool {
            match super::left(deadline) {
                None => park(),
                Some(left) if left.is_zero() => return false,
                Some(left) => park_timeout(left),
            }
            true
        }
    }
}
