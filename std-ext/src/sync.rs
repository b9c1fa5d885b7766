//! The shim of this crate: atomics, locks and shared pointers come from here.

pub(crate) use core::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError, Weak};

use crate::clock::Deadline;

/// The lock's content. A panic under one of our locks leaves nothing half done, so a poisoned lock
/// is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notification; `None` if the deadline is past. May return without a notification.
pub(crate) fn wait<'m, T>(
    condition: &Condvar,
    guard: MutexGuard<'m, T>,
    deadline: Deadline,
) -> Option<MutexGuard<'m, T>> {
    match deadline.left() {
        None => Some(condition.wait(guard).unwrap_or_else(PoisonError::into_inner)),
        Some(left) if left.is_zero() => None,
        Some(left) => {
            let waited = condition.wait_timeout(guard, left);
            Some(waited.unwrap_or_else(PoisonError::into_inner).0)
        }
    }
}
