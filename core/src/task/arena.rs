//! An arena of tasks: so many slots, so many bytes each, no allocator.
//!
//! # State
//! | field | meaning |
//! |---|---|
//! | `slots[i]` | the memory of one task: a header, and room for its job or outcome |
//! | `free` | the indices of the slots that hold no task |
//!
//! # Invariants
//! - **A1** An index is in `free` exactly once, or its slot belongs to one task or to the thread that
//!   makes or frees it.
//! - **A2** A slot is freed like a task on the heap (S3 of `state`): when the handle, the queue's
//!   entry and the resolver are through with it. So no reference to a slot outlives its task, and
//!   none needs a generation to be told from a later task's. Who looks at an entry that is not its
//!   own reads the state word only, which is never anything else, and asks the queue afterwards
//!   whether the entry was still there.
//!
//! # Edges
//! - **A3** freeing (Release, in the ring) / claiming (Acquire, in the ring): all use of a slot's last
//!   task happens before that of its next.
//! - **A4** renewing the state word (Release) / looking at it (Acquire): who looks at an entry that
//!   is not its own and sees a later task's word also sees, in the queue, that the entry is gone.
//!
//! # Progress
//! As of the ring, strictly lock-free; a thread that stops keeps the slot that it has.
//!
//! # Modelled by
//! `loom-tests/tests/fixed.rs`

use core::convert::Infallible;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::cell::{Header, Stage, Task, Types};
use super::entry::{TaskRef, references};
use super::handle::Handle;
use super::home::Home;
use super::job::Job;
use super::observers::Callbacks;
use super::state::State;
use crate::clock::Instant;
use crate::queue::Ring;
use crate::sync::{UnsafeCell, Untracked, array, constructor};

/// Room for a job or what it leaves.
#[repr(C, align(8))]
struct Room<const BYTES: usize>([u8; BYTES]);

/// Laid out as a `Task` whose stage is not larger than the room.
#[repr(C)]
struct Slot<const BYTES: usize> {
    header: Header,
    room: MaybeUninit<Room<BYTES>>,
}

impl<const BYTES: usize> Slot<BYTES> {
    constructor! {
        /// A slot without a task.
        fn vacant() -> Self {
            Self {
                header: Header {
                    state: State::new(),
                    vtable: &Types::<(), Infallible, Never, Never>::VTABLE,
                    home: core::ptr::null(),
                    id: 0,
                    callbacks: Callbacks::new(),
                    waker: UnsafeCell::new(None),
                    times: UnsafeCell::new([0; 2]),
                    stage: UnsafeCell::new(()),
                },
                room: MaybeUninit::uninit(),
            }
        }
    }
}

/// The right to fill one slot.
#[must_use]
pub struct Vacancy(usize);

/// `TASKS` slots for tasks whose closure, result and failure are of at most `BYTES` bytes each.
///
/// A [`StaticExecutor`](crate::executor::StaticExecutor) has one; alone it gives out
/// [`oneshot`](Self::oneshot)s.
pub struct Arena<const TASKS: usize, const BYTES: usize> {
    slots: [Untracked<Slot<BYTES>>; TASKS],
    free: Ring<TASKS>,
}

// SAFETY: a slot is shared as tasks are (the state word says who touches what), or one thread's (A1).
unsafe impl<const TASKS: usize, const BYTES: usize> Sync for Arena<TASKS, BYTES> {}
// SAFETY: jobs and outcomes are `Send`.
unsafe impl<const TASKS: usize, const BYTES: usize> Send for Arena<TASKS, BYTES> {}

impl<const TASKS: usize, const BYTES: usize> Arena<TASKS, BYTES> {
    constructor! {
        /// An arena without tasks.
        pub fn new() -> Self {
            Self { slots: array![Untracked::new(Slot::vacant()); TASKS], free: Ring::full() }
        }
    }

    /// Takes a slot; `None` if there is none.
    pub(crate) fn claim(&self) -> Option<Vacancy> {
        self.free.dequeue().map(Vacancy)
    }

    /// Makes a task of `job` in a slot; returns its two references.
    pub(crate) fn task_of<S, E, J: Job<S, E>, A: Home>(
        &self,
        vacancy: Vacancy,
        job: J,
        home: *const A,
        id: usize,
        submitted: Instant,
    ) -> (TaskRef<S, E>, Handle<J::Output, E>) {
        let task = self.fill::<S, E, J, A>(vacancy, job, home, id, submitted);
        // SAFETY: it was just made, of a `J`.
        unsafe { references(task) }
    }

    /// Makes a task of `job` in a slot.
    pub(super) fn fill<S, E, J: Job<S, E>, A: Home>(
        &self,
        Vacancy(index): Vacancy,
        job: J,
        home: *const A,
        id: usize,
        submitted: Instant,
    ) -> NonNull<Header> {
        const {
            assert!(
                size_of::<Stage<J, J::Output, E>>() <= BYTES,
                "closure, result or failure is larger than the arena's BYTES"
            );
            assert!(
                align_of::<Task<J, J::Output, E>>() <= align_of::<Slot<BYTES>>(),
                "closure, result or failure is aligned to more than 8 bytes"
            );
            assert!(size_of::<Task<J, J::Output, E>>() <= size_of::<Slot<BYTES>>());
        }
        let task = self.task(index);
        let at = task.as_ptr();
        // Field by field: others may be looking at the state word, A2.
        // SAFETY: A1: the slot is this thread's.
        unsafe { (*at).vtable = &Types::<S, E, J, A>::VTABLE };
        // SAFETY: as above.
        unsafe { (*at).home = home.cast() };
        // SAFETY: as above.
        unsafe { (*at).id = id };
        // SAFETY: a slot's header is always initialised, and now of this task.
        let header = unsafe { task.as_ref() };
        header.times.with_mut(|times| {
            // SAFETY: A1.
            unsafe { *times = [submitted.as_nanos(), 0] };
        });
        let content = Stage::of(job);
        // SAFETY: the slot has room for a task of these types.
        let stage = unsafe { Task::<J, J::Output, E>::stage_of(task) };
        // SAFETY: A1.
        header.stage.with_mut(|_| unsafe { stage.write(content) });
        header.state.renew();
        task
    }

    /// What [`Home::free`] does for tasks of this arena.
    ///
    /// # Safety
    ///
    /// The task is this arena's, its job and outcome are gone, and it is reached by nobody else.
    pub(crate) unsafe fn free<T>(&self, task: NonNull<T>) {
        let task = task.cast::<Header>();
        // SAFETY: a slot's header is always initialised.
        let header = unsafe { task.as_ref() };
        // SAFETY: by the caller's promise.
        unsafe { header.clear() };
        self.free.enqueue(self.index_of(task));
    }

    /// Whether the task in a slot is pending, as seen by anybody: A2.
    pub(crate) fn is_pending(&self, index: usize) -> bool {
        let header = self.task(index).as_ptr();
        // SAFETY: a slot's state word is always initialised and only changed atomically.
        unsafe { &(*header).state }.is_pending()
    }

    /// The task in a slot.
    pub(super) fn task(&self, index: usize) -> NonNull<Header> {
        let slot = NonNull::new(self.slots[index].get()).expect("a cell's address is not null");
        slot.cast()
    }

    /// The slot of a task of this arena.
    pub(super) fn index_of(&self, task: NonNull<Header>) -> usize {
        let first = self.slots.as_ptr().addr();
        (task.addr().get() - first) / size_of::<Slot<BYTES>>()
    }
}

impl<const TASKS: usize, const BYTES: usize> Default for Arena<TASKS, BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const TASKS: usize, const BYTES: usize> fmt::Debug for Arena<TASKS, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("tasks", &TASKS)
            .field("bytes", &BYTES)
            .finish_non_exhaustive()
    }
}

/// Stands for a job and a home where there is no task.
enum Never {}

impl Job<(), Infallible> for Never {
    type Output = ();

    fn run(self, (): &mut ()) -> Result<(), Infallible> {
        match self {}
    }
}

// SAFETY: there is no value to keep alive.
unsafe impl Home for Never {
    fn withdrawn(&self) {
        match *self {}
    }

    fn now(&self) -> Instant {
        match *self {}
    }

    unsafe fn retain(_: *const Self) {}

    unsafe fn release(_: *const Self) {}

    unsafe fn free<T>(_: *const Self, _: NonNull<T>) {}
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_header_and_its_room() {
        assert_eq!(size_of::<Slot<16>>(), size_of::<Header>().next_multiple_of(8) + 16);
        if cfg!(feature = "alloc") && usize::BITS == 64 {
            assert_eq!(size_of::<Header>(), 72);
        }
    }

    #[test]
    fn a_slot_is_free_when_both_ends_are_gone_and_not_before() {
        static ARENA: Arena<1, 16> = Arena::new();
        for _ in 0..3 {
            let (completer, handle) = ARENA.oneshot::<u8>().unwrap();
            drop(completer);
            assert!(ARENA.oneshot::<u8>().is_none());
            drop(handle);
        }
    }
}
