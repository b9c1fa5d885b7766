//! Tasks on the heap: in a slab of the thread that makes them, or each in an allocation of its own.

use alloc::boxed::Box;
use core::alloc::Layout;
use core::ptr::NonNull;

use super::Handle;
use super::cell::{Header, Labelled, Task, Types, VTable};
use super::entry::{TaskRef, references};
use super::home::Home;
use super::job::Job;
use super::observers::Callbacks;
use super::state::State;
use crate::clock::Instant;
use crate::sync::UnsafeCell;

/// Makes a task of `job` on the heap; returns its two references. `place` is asked for memory in a
/// [slab](super::Slabs).
pub(crate) fn heap_task<S, E, J: Job<S, E>, A: Home>(
    job: J,
    home: *const A,
    id: usize,
    submitted: Instant,
    place: impl FnOnce(Layout) -> Option<NonNull<u8>>,
) -> (TaskRef<S, E>, Handle<J::Output, E>) {
    let task = allocate::<S, E, J, A>(job, home, id, submitted, place);
    // SAFETY: it was just made, of a `J`.
    unsafe { references(task) }
}

/// Allocates a task that holds `job`.
pub(super) fn allocate<S, E, J: Job<S, E>, A: Home>(
    job: J,
    home: *const A,
    id: usize,
    submitted: Instant,
    place: impl FnOnce(Layout) -> Option<NonNull<u8>>,
) -> NonNull<Header> {
    let tables =
        Tables { in_slab: &Types::<S, E, J, A>::IN_SLAB, alone: &Types::<S, E, J, A>::VTABLE };
    let task = |vtable, job| {
        let header = Header {
            state: State::new(),
            vtable,
            home: home.cast(),
            id,
            callbacks: Callbacks::new(),
            waker: UnsafeCell::new(None),
            times: UnsafeCell::new([submitted.as_nanos(), 0]),
            stage: UnsafeCell::new(()),
        };
        Task::<J, J::Output, E>::new(header, job)
    };
    let labelled = Types::<S, E, J, A>::LABELLED;
    if let Some(label_of) = J::LABEL.filter(|_| labelled) {
        let label = label_of(&job);
        return tables.put(place, |vtable| Labelled { task: task(vtable, job), label }).cast();
    }
    tables.put(place, |vtable| task(vtable, job)).cast()
}

/// The tables of one type of task.
struct Tables {
    in_slab: &'static VTable,
    alone: &'static VTable,
}

impl Tables {
    /// Puts a task into a slab, if it is given a place there.
    fn put<T>(
        self,
        place: impl FnOnce(Layout) -> Option<NonNull<u8>>,
        task: impl FnOnce(&'static VTable) -> T,
    ) -> NonNull<T> {
        let Some(room) = place(Layout::new::<T>()) else {
            return NonNull::from(Box::leak(Box::new(task(self.alone))));
        };
        let room = room.cast::<T>();
        // SAFETY: the place has this layout and is the caller's.
        unsafe { room.write(task(self.in_slab)) };
        room
    }
}

/// For a task that gets memory of its own.
pub(crate) const fn alone(_: Layout) -> Option<NonNull<u8>> {
    None
}

/// What [`Home::free`] does for tasks of this module that have memory of their own.
///
/// # Safety
///
/// The task came from [`allocate`], is of this type, and is reached by nobody else.
pub(crate) unsafe fn free<T>(task: NonNull<T>) {
    // SAFETY: by the caller's promise.
    drop(unsafe { Box::from_raw(task.as_ptr()) });
}
