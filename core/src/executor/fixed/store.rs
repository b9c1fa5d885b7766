//! The store of an engine in a `static`; its claims stand in [`fixed`](super).

use core::marker::PhantomData;

use crate::clock::Instant;
use crate::executor::aside::Aside;
use crate::executor::kind::WorkerKind;
use crate::executor::memory::{AfterClearing, Consume, Made, Store};
use crate::executor::{Engine, Entry};
use crate::queue::{Dequeued, Ring};
use crate::sync::{AtomicUsize, Ordering};
use crate::task::{Arena, Job, TaskRef, Vacancy};

/// Slots for tasks, and the ring of those that wait.
pub struct StaticStore<K: WorkerKind, const TASKS: usize, const BYTES: usize> {
    pub(super) arena: Arena<TASKS, BYTES>,
    pub(super) ready: Ring<TASKS>,
    pub(super) entries: PhantomData<fn(Entry<K>)>,
    /// Tasks that were ever run inline.
    pub(super) inlined: AtomicUsize,
    pub(super) aside: Aside,
}

impl<K: WorkerKind, const TASKS: usize, const BYTES: usize> StaticStore<K, TASKS, BYTES> {
    fn entry(&self, index: usize) -> Entry<K> {
        // SAFETY: G1: the index was popped, so its entry is this thread's; only tasks of this kind
        // are made here.
        unsafe { TaskRef::in_slot(&self.arena, index) }
    }

    /// G2; false if there is no leading stub.
    fn clear_stub(&self) -> bool {
        match self.ready.dequeue_if(|index| !self.arena.is_pending(index)) {
            Dequeued::Taken(index) => {
                drop(self.entry(index));
                true
            }
            Dequeued::Declined | Dequeued::Empty => false,
        }
    }
}

impl<K: WorkerKind, const TASKS: usize, const BYTES: usize> Store<K>
    for StaticStore<K, TASKS, BYTES>
{
    type Vacancy = Vacancy;
    type Consumer<'s>
        = &'s Self
    where
        Self: 's;

    fn reserve(&self) -> Option<Vacancy> {
        loop {
            let vacancy = self.arena.claim();
            if vacancy.is_some() {
                return vacancy;
            }
            if !self.clear_stub() {
                // A worker may just have popped what was a leading stub.
                return self.arena.claim();
            }
        }
    }

    fn make<J: Job<K::Seat, K::Failure>>(
        &self,
        vacancy: Vacancy,
        job: J,
        home: *const Engine<K>,
        id: usize,
        submitted: Instant,
    ) -> Made<K, J> {
        self.arena.task_of(vacancy, job, home, id, submitted)
    }

    fn push(&self, entry: Entry<K>) {
        self.ready.enqueue(entry.into_slot(&self.arena));
    }

    fn put_back(&self, entry: Entry<K>) {
        // For good: behind later entries nobody knows its turn.
        self.aside.raise();
        // G1: it was popped. It waits once more.
        self.push(entry);
    }

    fn consumer(&self) -> &Self {
        self
    }

    fn clear_stubs(&self) -> AfterClearing {
        // ORDERING: Relaxed: a number.
        self.inlined.fetch_add(1, Ordering::Relaxed);
        // They are cleared when their slots are wanted.
        AfterClearing::Leave
    }

    fn inlined(&self) -> usize {
        // ORDERING: Relaxed: a snapshot.
        self.inlined.load(Ordering::Relaxed)
    }

    fn aside(&self) -> &Aside {
        &self.aside
    }
}

impl<K: WorkerKind, const TASKS: usize, const BYTES: usize> Consume<K>
    for &StaticStore<K, TASKS, BYTES>
{
    fn pop(&mut self) -> Option<Entry<K>> {
        self.ready.dequeue().map(|index| self.entry(index))
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }
}
