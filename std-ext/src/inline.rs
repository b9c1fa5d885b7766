//! Nested waits: a worker that waits for a pending task of its own pool runs it on the spot.

use core::cell::Cell;
use core::mem;

use asyncpal_core::task::Handle;

use crate::failure::Failure;
use crate::running;
use crate::sync::thread_local;
use crate::threads::ThreadSeat;

/// The worker that this thread is, from its first task until it has left: for so long its engine is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CurrentWorker {
    /// Its engine, by address.
    pub(crate) home: *const (),
    /// Distinguishes it from all other workers of its pool, past ones too.
    pub(crate) serial: u64,
    /// Whether tasks of its pool can be run on its thread, i.e. its seat is a `ThreadSeat`.
    pub(crate) inline: bool,
}

thread_local! {
    // No destructor: readable for as long as the thread runs, `exit` included.
    static CURRENT: Cell<Option<CurrentWorker>> = const { Cell::new(None) };
}

impl CurrentWorker {
    /// The worker that this thread is.
    pub(crate) fn get() -> Option<Self> {
        CURRENT.with(Cell::get)
    }

    /// The worker that this thread is, if it is one of `home`.
    pub(crate) fn of(home: *const ()) -> Option<Self> {
        Self::get().filter(|worker| worker.home == home)
    }

    /// Makes this thread a worker.
    pub(crate) fn enter(self) {
        CURRENT.with(|current| current.set(Some(self)));
    }

    /// This thread, whose worker has left, is no worker any more.
    pub(crate) fn retire() {
        CURRENT.with(|current| current.set(None));
    }
}

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
