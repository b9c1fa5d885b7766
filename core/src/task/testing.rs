//! Tasks without an engine, for the models of this module.

use core::cell::RefCell;
use core::ptr::NonNull;

use super::entry::{Popped, TaskRef};
use super::heap::{alone, heap_task};
use super::running::Clocked;
use super::{Handle, Job, Slabs};
use crate::clock::Instant;
use crate::sync::{Arc, AtomicUsize, LastUse, Ordering, thread_local};

/// Stands for the engine: it must be alive whenever a task touches it.
#[derive(Debug)]
pub struct Home {
    withdrawn: AtomicUsize,
}

impl Home {
    /// A home without tasks.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { withdrawn: AtomicUsize::new(0) })
    }

    /// How many tasks were cancelled or claimed inline.
    pub fn withdrawals(&self) -> usize {
        // ORDERING: Relaxed: the model asks when all is over.
        self.withdrawn.load(Ordering::Relaxed)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.withdrawn.last_use();
    }
}

// SAFETY: the home lives in an `Arc`, whose count `retain` and `release` change.
unsafe impl super::home::Home for Home {
    fn with_slabs<R>(use_them: impl FnOnce(&mut Slabs) -> R) -> Option<R> {
        SLABS.with(|slabs| slabs.borrow_mut().as_mut().map(use_them))
    }

    fn withdrawn(&self) {
        // ORDERING: Relaxed: counted only.
        self.withdrawn.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> Instant {
        // A use of the home, which the checker must see.
        // ORDERING: Relaxed: the value is not used.
        self.withdrawn.load(Ordering::Relaxed);
        Instant::from_nanos(0)
    }

    unsafe fn retain(this: *const Self) {
        // SAFETY: the pointer came from an `Arc` that is alive.
        unsafe { Arc::increment_strong_count(this) };
    }

    unsafe fn release(this: *const Self) {
        // SAFETY: the count was incremented by `retain`.
        unsafe { Arc::decrement_strong_count(this) };
    }

    unsafe fn free<T>(_: *const Self, task: NonNull<T>) {
        // SAFETY: by the caller's promise, and the tasks of this module are on the heap.
        unsafe { super::heap::free(task) };
    }
}

/// A task of `job`: its entry, as if just popped, and its handle.
pub fn task<E, J: Job<(), E>>(job: J, home: &Arc<Home>) -> (TaskRef<(), E>, Handle<J::Output, E>) {
    heap_task(job, Arc::as_ptr(home), 1, Instant::from_nanos(0), alone)
}

thread_local! {
    static SLABS: RefCell<Option<Slabs>> = RefCell::new(None);
}

/// Calls `f` as a thread that has slabs until then.
pub fn with_slabs<R>(f: impl FnOnce() -> R) -> R {
    SLABS.with(|slabs| slabs.replace(Some(Slabs::new())));
    let returned = f();
    let slabs = SLABS.with(RefCell::take);
    drop(slabs);
    returned
}

/// A task in a slab of this thread.
pub fn task_in_slab<E, J: Job<(), E>>(
    job: J,
    home: &Arc<Home>,
) -> (TaskRef<(), E>, Handle<J::Output, E>) {
    let place =
        |layout| <Home as super::home::Home>::with_slabs(|slabs| slabs.place(layout)).flatten();
    let place = |layout| Some(place(layout).expect("it is small, and there are slabs"));
    heap_task(job, Arc::as_ptr(home), 1, Instant::from_nanos(0), place)
}

/// What a worker does with an entry; false if it was a stub. The caller has the home.
pub fn work<E>(entry: TaskRef<(), E>) -> bool {
    match entry.claim() {
        Popped::Claimed(task) => {
            let clocked = Clocked::new(Instant::from_nanos(0));
            drop(task.run(&mut (), &clocked));
            true
        }
        Popped::CancelRequested(entry) => {
            entry.cancel(None);
            true
        }
        Popped::Stub => false,
    }
}

/// What a worker does with an entry that it takes ahead of its turn and gives back; `None` if it was a stub.
pub fn give_back<E>(entry: TaskRef<(), E>) -> Option<TaskRef<(), E>> {
    match entry.claim() {
        Popped::Claimed(mut task) => {
            task.announce(&mut ());
            Some(task.give_back())
        }
        Popped::CancelRequested(entry) => Some(entry),
        Popped::Stub => None,
    }
}

/// What a shutdown does with an entry. The caller has the home.
pub fn cancel<E>(entry: TaskRef<(), E>, cause: Option<E>) {
    entry.cancel(cause);
}
