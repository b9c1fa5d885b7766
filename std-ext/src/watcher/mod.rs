//! The shutdown watcher: one for the program. When the program ends while pools are open it closes
//! them, asks running tasks to stop, and waits for them up to each pool's grace.
//!
//! | file | what it does |
//! |---|---|
//! | `elsewhere` | what may never come to its end, on threads of its own |
//! | `exit_hook` | the `atexit` handlers: one is registered with the first pool, one when the program ends |
//! | `fork` | in a child that was forked, takes all pools of the parent for what they are: not there |
//! | `signal` | if the program wants it, ends the program on SIGTERM and SIGINT in the same way |
//!
//! So it serves a return from `main`, a panic in `main` and `std::process::exit`, on whichever thread
//! that is called, and leaves the exit code alone. Not covered: `abort`, `_exit`, other fatal signals,
//! and a panic under `panic = "abort"`. Exit handlers that were registered later run earlier, while
//! tasks still run.
//!
//! The exiting thread's own locals may be gone by then, so it waits on a condition variable, which
//! needs none. If it is a worker (a task called `exit`), nobody waits for that worker. A pool that has something to
//! cancel, or a hook to tell, is closed on a thread of its own: what destructors, callbacks and hooks do counts towards
//! the grace.
//!
//! # State
//! `REGISTRY`: null before there is a pool; then the registry of this process, or of one that it was forked
//! from. The pools and bells are behind locks of its own.
//! `ENDING`: the generation whose program ends.
//!
//! # Invariants
//! - **V1** A registry is never changed for one of the same process, and never freed.
//! - **V2** The end of the program waits for each pool once (`Entry::waited_for`).
//! - **V4** A pool is in the registry for as long as it has workers, though it may have been dropped: then the entry
//!   keeps it, and the last worker that leaves has it forgotten.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | `get` | null, or a registry of a parent → a fresh one | who opens a pool or hangs up a bell | it is the first in this process |
//! | `watch` | an entry more | who opens a pool | |
//! | `keep` | an entry keeps its pool | who drops the pool | it still has workers |
//! | `forget` | an entry fewer | who drops the pool, or its last worker | it has none |
//! | `to_be_drained` | `waited_for` is set | the end of the program | |
//!
//! # Edges
//! - **V3** putting the registry in its place (Release) / `find` (Acquire): what is in it is seen.
//!
//! # Progress
//! `find` is wait-free, `get` lock-free: a retry means that somebody else's registry is there.
//!
//! # After a fork
//! A child has the memory of its parent, but of its threads only the one that forked: a lock that
//! another thread held stays locked for ever. So the child takes none of the parent's locks. The
//! registry belongs to a generation; the child's first pool makes another one, and the parent's stays
//! where it is, untouched.

mod elsewhere;
mod exit_hook;
mod fork;
#[cfg(feature = "signal")]
pub mod signal;

use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;
use std::thread;

use self::elsewhere::{Done, OUTPUT_TIME, elsewhere, report};
pub(crate) use self::fork::{Generation, leave_copy};
use crate::clock::Deadline;
use crate::current::held_here;
use crate::sync::program::{AtomicBool, AtomicPtr, AtomicUsize, Mutex, lock};
use crate::sync::{Arc, Ordering, PROGRAM_ENDS, Weak};

/// A pool, as the watcher sees it.
pub(crate) trait Drain: Send + Sync {
    /// Whether [`close`](Self::close) may call what users brought: destructors and callbacks of what it cancels,
    /// or a hook.
    fn calls_out_on_close(&self) -> bool;

    /// Nobody waits for this worker any more, which ends the program.
    fn leave_out(&self, worker: u64);

    /// No more tasks; cancels what is pending, asks what is running to stop. Does not wait.
    fn close(&self);

    /// Waits for what is running; false if something still runs at the deadline.
    fn wait(&self, deadline: Deadline) -> bool;

    /// How long the program's end may wait for it.
    fn grace(&self) -> Duration;

    /// The pool's name.
    fn name(&self) -> &str;
}

/// Who sleeps while a task of his runs, and wants to be woken when it may have been asked to stop.
pub trait CancelBell: Send + Sync {
    /// Some task, perhaps this one's, was running when its handle was cancelled.
    fn ring(&self);
}

/// Has the bell ring from now on, for as long as it is there, whenever any running task of this
/// process is asked to stop by its handle.
///
/// What came before the cancel is seen by who heard the bell, if the bell itself carries that much: a
/// system call on both sides does.
pub fn hear_cancels(bell: Weak<dyn CancelBell>) {
    let mut bells = lock(&Registry::get().bells);
    bells.retain(|bell| bell.strong_count() > 0);
    bells.push(bell);
}

/// Rings all bells, after a running task was asked to stop.
pub(crate) fn ring_cancel_bells() {
    let Some(registry) = Registry::find() else { return };
    let bells: Vec<_> = lock(&registry.bells).iter().filter_map(Weak::upgrade).collect();
    bells.iter().for_each(|bell| bell.ring());
}

/// The open pools of one process.
struct Registry {
    generation: Generation,
    pools: Mutex<Vec<Entry>>,
    bells: Mutex<Vec<Weak<dyn CancelBell>>>,
}

struct Entry {
    pool: Weak<dyn Drain>,
    /// Of a pool that was dropped, and has workers all the same.
    kept: Option<Arc<dyn Drain>>,
    /// The pool's engine, by address.
    home: *const (),
    /// Whether the program's end has waited for it: it does so once.
    waited_for: bool,
}

// SAFETY: the address is only compared; the rest may be sent.
unsafe impl Send for Entry {}

impl Entry {
    fn is_of<D: Drain>(&self, pool: &Arc<D>) -> bool {
        core::ptr::eq(self.pool.as_ptr().cast::<()>(), Arc::as_ptr(pool).cast())
    }
}

/// That of this process, or of one that it was forked from; null before there is a pool.
static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(core::ptr::null_mut());

impl Registry {
    /// That of this process, if there was a pool.
    fn find() -> Option<&'static Self> {
        // ORDERING: Acquire, V3.
        let registry = REGISTRY.load(Ordering::Acquire);
        // SAFETY: null, or what `get` has leaked.
        let registry: Option<&'static Self> = unsafe { registry.as_ref() };
        registry.filter(|registry| !registry.generation.is_past())
    }

    /// That of this process.
    fn get() -> &'static Self {
        loop {
            // ORDERING: Relaxed: it is only compared.
            let before = REGISTRY.load(Ordering::Relaxed);
            if let Some(registry) = Self::find() {
                return registry;
            }
            let fresh = Self {
                generation: Generation::current(),
                pools: Mutex::default(),
                bells: Mutex::default(),
            };
            let fresh = Box::into_raw(Box::new(fresh));
            // ORDERING: Release, V3. Relaxed on failure: `find` looks again.
            let replaced =
                REGISTRY.compare_exchange(before, fresh, Ordering::Release, Ordering::Relaxed);
            if replaced.is_err() {
                // SAFETY: it was made above, and nobody has seen it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }

    /// Takes out the pools that are to be waited for.
    fn to_be_drained(&self) -> Vec<Arc<dyn Drain>> {
        let mut entries = lock(&self.pools);
        let due = entries.iter_mut().filter(|entry| !entry.waited_for);
        due.filter_map(|entry| {
            entry.waited_for = true;
            entry.pool.upgrade()
        })
        .collect()
    }
}

/// Whether the pool with that engine works in a process that this one was forked from. The engine
/// itself may be gone: then the answer is of no use to anybody, since its tasks are over.
///
/// In a program that does not fork this is a load of a number that never changes.
#[inline]
pub(crate) fn is_forked(home: *const ()) -> bool {
    #[cold]
    fn is_not_ours(home: *const ()) -> bool {
        // Engines of the parent are never freed here, so no address means two of them.
        let is_ours = |registry: &Registry| lock(&registry.pools).iter().any(|it| it.home == home);
        !Registry::find().is_some_and(is_ours)
    }
    Generation::current().is_child() && is_not_ours(home)
}

/// Watches over `pool`, whose engine is at `home`, until it is forgotten.
pub(crate) fn watch<D: Drain + 'static>(pool: &Arc<D>, home: *const ()) {
    if !PROGRAM_ENDS {
        return;
    }
    register_hooks();
    let pool: Weak<D> = Arc::downgrade(pool);
    lock(&Registry::get().pools).push(Entry { pool, kept: None, home, waited_for: false });
}

/// Keeps a pool that is dropped, until it is forgotten.
pub(crate) fn keep<D: Drain + 'static>(pool: &Arc<D>) {
    if let Some(registry) = Registry::find() {
        let mut pools = lock(&registry.pools);
        if let Some(entry) = pools.iter_mut().find(|known| known.is_of(pool)) {
            entry.kept = Some(pool.clone());
        }
    }
}

/// Forgets a pool that has no workers any more.
pub(crate) fn forget<D: Drain + 'static>(pool: &Arc<D>) {
    if let Some(registry) = Registry::find() {
        lock(&registry.pools).retain(|known| !known.is_of(pool));
    }
}

/// Not a `Once`: a child that was forked while another thread was in it would wait for ever. Who comes
/// meanwhile registers the handlers a second time, which does no harm.
fn register_hooks() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    // ORDERING: Relaxed, here and below: who finds it set has nothing to read; the C library keeps its
    // tables in order by itself.
    if !REGISTERED.load(Ordering::Relaxed) {
        exit_hook::register();
        fork::register();
        REGISTERED.store(true, Ordering::Relaxed);
    }
}

/// The generation of the process that ends; none before.
static ENDING: AtomicUsize = AtomicUsize::new(Generation::NONE);

thread_local! {
    // Whether this thread ends the program. Without a destructor: it is there until the end.
    static ENDS_THE_PROGRAM: Cell<bool> = const { Cell::new(false) };
}

/// The end of the program, on the thread that ends it.
fn at_exit() {
    ENDS_THE_PROGRAM.set(true);
    // ORDERING: Relaxed: whom the handler calls has found it in the C library's table, behind whose lock it is put now.
    ENDING.store(Generation::current().number(), Ordering::Relaxed);
    exit_hook::register_for_others();
    leave_out_this_thread();
    #[cfg(all(feature = "signal", unix))]
    signal::exit_begins();
    drain_all(Deadline::NEVER);
}

/// The standard library lets one thread end the program, on some systems. The C library calls what handlers are left on
/// whichever thread ends it, if it has no lock round that, and here the first one waits for the pools. A child that was
/// forked meanwhile ends by itself.
fn stay_unless_first() {
    // ORDERING: Relaxed: see where it is set.
    let ends = ENDING.load(Ordering::Relaxed) == Generation::current().number();
    if ends && !ENDS_THE_PROGRAM.get() {
        // For one more.
        exit_hook::register_for_others();
        leave_out_this_thread();
        stay();
    }
}

/// Nothing comes after this: another thread ends the program.
fn stay() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// Nobody waits any more for the worker that this thread is, nor for those that it holds: it never comes back from here.
fn leave_out_this_thread() {
    let Some(registry) = Registry::find() else { return };
    let mut held = Vec::new();
    for known in lock(&registry.pools).iter() {
        let workers = held_here(known.home);
        if let Some(pool) = known.pool.upgrade().filter(|_| !workers.is_empty()) {
            held.push((pool, workers));
        }
    }
    for (pool, workers) in held {
        workers.into_iter().for_each(|worker| pool.leave_out(worker));
        // As in `drain_all`.
        core::mem::forget(pool);
    }
}

/// Closes all pools, then waits for each: their graces run side by side, and end at `limit` at the
/// latest.
fn drain_all(limit: Deadline) {
    let Some(registry) = Registry::find() else { return };
    let pools = registry.to_be_drained();
    let graces: Vec<_> =
        pools.iter().map(|pool| Deadline::after(pool.grace()).or_earlier(limit)).collect();
    let closings: Vec<_> = pools.iter().map(begin_to_close).collect();
    let mut reports = Vec::new();
    for ((pool, grace), closing) in pools.iter().zip(graces).zip(closings) {
        let in_time = closing.is_none_or(|closing| closing.wait(grace)) && pool.wait(grace);
        if !in_time {
            let name = pool.name();
            let late =
                format!("asyncpal: pool {name:?}: tasks still run at the end of its grace\n");
            reports.extend(report(late));
        }
    }
    let patience = Deadline::after(OUTPUT_TIME);
    for report in reports {
        report.wait(patience);
    }
    // The last reference must not end up here: dropping a pool waits without a limit.
    core::mem::forget(pools);
}

/// Closes a pool: on another thread if that calls what users brought, which may never come to its end.
fn begin_to_close(pool: &Arc<dyn Drain>) -> Option<Arc<Done>> {
    let theirs = pool.clone();
    let close_theirs = move || {
        close(&theirs);
        // As in `drain_all`.
        core::mem::forget(theirs);
    };
    let closing = pool.calls_out_on_close().then(|| elsewhere(Box::new(close_theirs))).flatten();
    if closing.is_none() {
        close(pool);
    }
    closing
}

fn close(pool: &Arc<dyn Drain>) {
    // Destructors of what is cancelled may panic; the other pools are closed all the same.
    let _ = catch_unwind(AssertUnwindSafe(|| pool.close()));
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;
    use crate::ThreadPool;

    /// Whether a pool of this name is in the registry.
    fn is_watched(name: &str) -> bool {
        let known: Vec<_> =
            lock(&Registry::get().pools).iter().filter_map(|known| known.pool.upgrade()).collect();
        known.iter().any(|pool| pool.name() == name)
    }

    /// Those whose pool is gone, too.
    fn entries() -> usize {
        lock(&Registry::get().pools).len()
    }

    #[test]
    fn a_pool_is_watched_until_it_is_dropped() {
        let pool = ThreadPool::builder().name("watched").build().expect("valid");
        pool.run(|| ()).expect("no panic");
        assert!(is_watched("watched"));

        pool.shutdown();
        drop(pool);

        assert!(!is_watched("watched"));
    }

    #[test]
    fn dropped_pools_leave_nothing_in_the_registry() {
        for _ in 0..1000 {
            drop(ThreadPool::new());
        }

        assert!(entries() < 100, "only what other tests have open");
    }
}
