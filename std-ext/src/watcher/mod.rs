//! The shutdown watcher: one for the program. When the program ends while pools are open it closes
//! them, and waits for running tasks up to each pool's grace.
//!
//! It is an `atexit` handler, registered with the first pool: so it serves a return from `main`, a
//! panic in `main` and `std::process::exit`, on whichever thread that is called, and leaves the
//! exit code alone. Not covered: `abort`, `_exit`, fatal signals, and a panic under
//! `panic = "abort"`. Exit handlers that were registered later run earlier, while tasks still run.
//!
//! The exiting thread's own locals may be gone by then, so it waits on a condition variable, which
//! needs none. If it is a worker of the pool (a task called `exit`), that worker is not waited for.

mod exit_hook;

use crate::sync::program::{Mutex, Once, lock};
use crate::sync::{Arc, PROGRAM_ENDS, Weak};

/// A pool, as the watcher sees it.
pub(crate) trait Drain: Send + Sync {
    /// No more tasks; cancels what is pending. Does not wait.
    fn close(&self);

    /// Waits for what is running, up to the grace; false if something still runs.
    fn wait(&self) -> bool;

    /// The pool's name.
    fn name(&self) -> &str;
}

static OPEN: Mutex<Vec<Weak<dyn Drain>>> = Mutex::new(Vec::new());

/// Watches over `pool` until it is forgotten.
pub(crate) fn watch<D: Drain + 'static>(pool: &Arc<D>) {
    static HOOK: Once = Once::new();
    if !PROGRAM_ENDS {
        return;
    }
    HOOK.call_once(exit_hook::register);
    let pool: Weak<D> = Arc::downgrade(pool);
    lock(&OPEN).push(pool);
}

/// Forgets a pool that was shut down.
pub(crate) fn forget<D: Drain + 'static>(pool: &Arc<D>) {
    let this = Arc::as_ptr(pool).cast::<()>();
    lock(&OPEN).retain(|known| !core::ptr::eq(known.as_ptr().cast::<()>(), this));
}

/// Closes all pools, then waits for each: their graces run side by side.
fn drain_all() {
    let pools: Vec<_> = lock(&OPEN).iter().filter_map(Weak::upgrade).collect();
    for pool in &pools {
        pool.close();
    }
    for pool in &pools {
        if !pool.wait() {
            eprintln!("asyncpal: pool {:?}: tasks still run at the end of its grace", pool.name());
        }
    }
    // The last reference must not end up here: dropping a pool waits without a limit.
    core::mem::forget(pools);
}
