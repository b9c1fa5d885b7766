//! Tasks on the heap: one allocation each.

use alloc::boxed::Box;
use core::ptr::NonNull;

use super::Handle;
use super::cell::{Header, Labelled, Task, Types};
use super::entry::{TaskRef, references};
use super::home::Home;
use super::job::Job;
use super::observers::Callbacks;
use super::state::State;
use crate::clock::Instant;
use crate::sync::UnsafeCell;

/// Makes a task of `job` on the heap; returns its two references.
pub(crate) fn heap_task<S, E, J: Job<S, E>, A: Home>(
    job: J,
    home: *const A,
    id: usize,
    submitted: Instant,
) -> (TaskRef<S, E>, Handle<J::Output, E>) {
    let task = allocate::<S, E, J, A>(job, home, id, submitted);
    // SAFETY: it was just made, of a `J`.
    unsafe { references(task) }
}

/// Allocates a task that holds `job`.
pub(super) fn allocate<S, E, J: Job<S, E>, A: Home>(
    job: J,
    home: *const A,
    id: usize,
    submitted: Instant,
) -> NonNull<Header> {
    let header = Header {
        state: State::new(),
        vtable: &Types::<S, E, J, A>::VTABLE,
        home: home.cast(),
        id,
        callbacks: Callbacks::new(),
        waker: UnsafeCell::new(None),
        times: UnsafeCell::new([submitted.as_nanos(), 0]),
        stage: UnsafeCell::new(()),
    };
    let labelled = Types::<S, E, J, A>::LABELLED;
    if let Some(label_of) = J::LABEL.filter(|_| labelled) {
        let label = label_of(&job);
        let task: Box<Labelled<J, J::Output, E>> =
            Box::new(Labelled { task: Task::new(header, job), label });
        return NonNull::from(Box::leak(task)).cast();
    }
    let task: Box<Task<J, J::Output, E>> = Box::new(Task::new(header, job));
    NonNull::from(Box::leak(task)).cast()
}

/// What [`Home::free`] does for tasks of this module.
///
/// # Safety
///
/// The task came from [`allocate`], is of this type, and is reached by nobody else.
pub(crate) unsafe fn free<T>(task: NonNull<T>) {
    // SAFETY: by the caller's promise.
    drop(unsafe { Box::from_raw(task.as_ptr()) });
}
