//! Nested waits: a worker that waits for a pending task of its own pool runs it on the spot.

use core::mem;

use asyncpal_core::task::Handle;

use crate::current::CurrentWorker;
use crate::failure::Failure;
use crate::running;
use crate::threads::ThreadSeat;

/// Whether this thread is a worker of the task's pool that may run it.
pub(crate) fn is_ours<T>(handle: &Handle<T, Failure>) -> bool {
    CurrentWorker::of(handle.home()).is_some_and(|worker| worker.inline)
}

/// Runs the task here if this thread is a worker of its pool and the task is pending.
pub(crate) fn run_here<T>(handle: &Handle<T, Failure>) -> bool {
    if !is_ours(handle) {
        return false;
    }
    let _post = running::return_to_own_post();
    let counted = Counted;
    // SAFETY: the engine of the worker that this thread is lies there, so it is the task's, and stays; `inline` says
    // that its kind's seat is a `ThreadSeat`.
    let ran = unsafe { handle.run_inline(&mut ThreadSeat::new()) };
    if !ran {
        mem::forget(counted);
    }
    ran
}

/// Counts a task that was run here, even if what its end tells (a waker) panics.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        running::note_inlined();
    }
}
