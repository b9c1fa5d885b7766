//! What an engine is made of, and how its workers hold it: on the heap, or in a static.
//!
//! The engine asks for nothing else of its memory, so that submit, worker loop and shutdown are the
//! same on both.

use core::ops::Deref;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

use super::aside::Aside;
use super::kind::WorkerKind;
use super::{Engine, Entry, Seat};
use crate::census::Bank;
use crate::clock::Instant;
use crate::task::{Handle, Job};

/// How the workers of kind `K` hold their engine.
pub type Shared<K> = <<K as WorkerKind>::Memory as Memory<K>>::Shared;

/// Where an engine and its tasks are; sealed: `Heap` or [`Static`](super::Static).
pub trait Memory<K: WorkerKind<Memory = Self>>: Sized {
    /// A reference that keeps the engine.
    type Shared: Clone + Deref<Target = Engine<K>>;
    #[doc(hidden)]
    type Banks: AsRef<[Bank]> + Send + Sync;
    #[doc(hidden)]
    type Seats: AsRef<[CachePadded<Seat>]> + Send + Sync;
    #[doc(hidden)]
    type Store: Store<K>;

    /// Whether tasks have room for a label.
    #[cfg(feature = "alloc")]
    #[doc(hidden)]
    const LABELS: bool = false;

    #[doc(hidden)]
    fn as_ptr(engine: &Self::Shared) -> *const Engine<K>;

    /// Takes a reference.
    ///
    /// # Safety
    ///
    /// The pointer came from [`as_ptr`](Memory::as_ptr), and the engine is alive.
    #[doc(hidden)]
    unsafe fn retain(engine: *const Engine<K>);

    /// The reference that was retained.
    ///
    /// # Safety
    ///
    /// It was retained, and is asked for once.
    #[doc(hidden)]
    unsafe fn retained(engine: *const Engine<K>) -> Self::Shared;

    /// Frees the memory of a task.
    ///
    /// # Safety
    ///
    /// That of [`Home::free`](crate::task::Home::free).
    #[doc(hidden)]
    unsafe fn free<T>(engine: *const Engine<K>, task: NonNull<T>);
}

/// The two references to a task that was just made.
pub(super) type Made<K, J> = (
    Entry<K>,
    Handle<
        <J as Job<<K as WorkerKind>::Seat, <K as WorkerKind>::Failure>>::Output,
        <K as WorkerKind>::Failure,
    >,
);

/// Room for tasks, and their queue.
pub trait Store<K: WorkerKind>: Send + Sync {
    /// The right to make one task.
    type Vacancy;
    /// One thread's consuming end of the queue.
    type Consumer<'s>: Consume<K>
    where
        Self: 's;

    /// Room for one task; `None` if there is none.
    fn reserve(&self) -> Option<Self::Vacancy>;

    /// Makes a task.
    fn make<J: Job<K::Seat, K::Failure>>(
        &self,
        vacancy: Self::Vacancy,
        job: J,
        home: *const Engine<K>,
        id: usize,
        submitted: Instant,
    ) -> Made<K, J>;

    /// Appends an entry: what makes it reachable is a read-modify-write (C1 of the census).
    fn push(&self, entry: Entry<K>);

    /// Puts back the entry of a task that was popped and given back: before those that were pushed, if
    /// the store can. It has a hold of its own (U1) until it is popped. Only for kinds that take tasks
    /// ahead.
    fn put_back(&self, entry: Entry<K>);

    /// A consuming end.
    fn consumer(&self) -> Self::Consumer<'_>;

    /// After a worker has run a task inline, whose entry is a stub now: clears stubs away if there
    /// may be many.
    fn clear_stubs(&self) -> AfterClearing;

    /// How many entries are out of their turn.
    fn aside(&self) -> &Aside;

    /// How many tasks were claimed by those who wait for them: a snapshot.
    fn inlined(&self) -> usize;
}

/// What a worker must do after it cleared stubs away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum AfterClearing {
    /// It had a pending entry in its hands for a moment: as after a push.
    Call,
    /// Nothing.
    Leave,
}

/// A consuming end of a store's queue.
pub trait Consume<K: WorkerKind> {
    /// Takes the oldest entry; `None` if at one moment of the call there was none.
    fn pop(&mut self) -> Option<Entry<K>>;

    /// True if at one moment of the call the queue was empty; false if that is not certain.
    fn is_empty(&self) -> bool;
}
