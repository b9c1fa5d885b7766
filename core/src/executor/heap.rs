//! An engine on the heap: tasks as many as memory holds, in slabs of the threads that submit them, and a
//! growable queue.
//!
//! # Stubs
//! A task that a waiting worker claims leaves a stub in the queue, and if that worker is the only one
//! nobody would ever pop it. So a worker that has run some tasks inline pops what is at the head
//! until it meets a pending task, which it may not run (the task may wait for what this worker is in
//! the middle of). That entry goes to `front`, and comes before the queue.
//!
//! # State
//! | field | meaning |
//! |---|---|
//! | `front` | an entry that is older than all in the queue, or none |
//! | `clearing` | somebody clears stubs, and alone may fill `front` |
//! | `inlined` | tasks that were ever run inline by workers that wait for them |
//! | `returned` | entries of tasks that workers have given back, older than all in the queue |
//! | `aside` | how many entries are out of their turn: in `front`, returned, or in somebody's hands |
//! | `unqueued` | tasks that were ever run by their submitters: they leave no stubs |
//!
//! # Invariants
//! - **H1** `front` is filled by the clearer alone, and only while it is empty.
//! - **H2** With one worker, tasks start in the order of their submits: only workers clear, and the
//!   only one is not popping meanwhile.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | `clear_stubs` | `clearing`: 0 → 1, and back | worker | every so many inline runs (`STUBS`), unless somebody else clears |
//! | `clear` | `front`: none → an entry | clearer | it has popped a pending task's |
//! | `take_front` | `front`: an entry → none | consumer | before it asks `returned`, and then the queue |
//! | `put_back` | an entry enters `returned` | worker | it gives a task back |
//!
//! `aside` goes up and down with them (U2, U3).
//!
//! # Edges
//! - **H3** filling `front` (Release) / taking from it (Acquire): the entry's task is seen.
//! - **H4** end of clearing (Release) / its next beginning (Acquire): the next clearer sees what this
//!   one left in `front`.
//! - Who fills `front` had an entry in its hands, so that a worker may have found nothing and gone to
//!   sleep: the clearer calls for a worker afterwards, as after a push (F1 of the census).
//! - U4, U5 of `aside`: who counts the claim of a later entry sees that somebody clears, or what became of
//!   that.
//!
//! # Progress
//! Lock-free: a thread that stops in the middle takes at most one entry along, and nobody clears
//! stubs any more.
//!
//! # Modelled by
//! `loom-tests/tests/executor.rs`

use alloc::boxed::Box;
use core::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

use super::aside::Aside;
use super::kind::WorkerKind;
use super::memory::{AfterClearing, Consume, Made, Memory, Store};
use super::{Engine, Entry, Seat};
use crate::census::{Bank, Census, banks_for};
use crate::clock::Instant;
use crate::queue::{Consumer, GrowableQueue, Pointer};
use crate::sync::{Arc, AtomicPtr, AtomicUsize, BLOCK_SLOTS, LastUse, Ordering, STUBS};
use crate::task::{self, Finally, Job};

/// Engine and tasks on the heap.
#[derive(Clone, Copy, Debug)]
pub struct Heap;

impl<K: WorkerKind<Memory = Self>> Memory<K> for Heap {
    type Shared = Arc<Engine<K>>;
    type Banks = Box<[Bank]>;
    type Seats = Box<[CachePadded<Seat>]>;
    type Store = HeapStore<K>;

    const LABELS: bool = true;

    fn as_ptr(engine: &Arc<Engine<K>>) -> *const Engine<K> {
        Arc::as_ptr(engine)
    }

    unsafe fn retain(engine: *const Engine<K>) {
        // SAFETY: the pointer came from an `Arc` that is alive.
        unsafe { Arc::increment_strong_count(engine) };
    }

    unsafe fn retained(engine: *const Engine<K>) -> Arc<Engine<K>> {
        // SAFETY: the count was incremented by `retain`.
        unsafe { Arc::from_raw(engine) }
    }

    unsafe fn free<T>(_: *const Engine<K>, task: NonNull<T>) {
        // SAFETY: by the caller's promise; the store below makes tasks on the heap.
        unsafe { task::free(task) };
    }
}

impl<K: WorkerKind<Memory = Heap>> Engine<K> {
    /// An engine with room for so many workers.
    pub(super) fn on_heap(kind: K, max_workers: usize) -> Self {
        let banks =
            (0..banks_for(max_workers)).map(|_| CachePadded::new(AtomicUsize::new(0))).collect();
        let seats = (0..max_workers).map(|_| CachePadded::new(Seat::new())).collect();
        let store = HeapStore {
            queue: GrowableQueue::new(),
            returned: K::TAKES_AHEAD.then(GrowableQueue::new),
            front: AtomicPtr::new(ptr::null_mut()),
            clearing: AtomicUsize::new(0),
            inlined: AtomicUsize::new(0),
            unqueued: AtomicUsize::new(0),
            aside: CachePadded::new(Aside::new()),
        };
        Self::of(kind, store, Census::new(banks, max_workers), seats)
    }
}

/// Tasks on the heap, and their queue.
pub struct HeapStore<K: WorkerKind> {
    queue: GrowableQueue<Entry<K>, BLOCK_SLOTS>,
    returned: Option<GrowableQueue<Entry<K>, BLOCK_SLOTS>>,
    front: AtomicPtr<()>,
    clearing: AtomicUsize,
    inlined: AtomicUsize,
    unqueued: AtomicUsize,
    /// Read and written for every task that is taken ahead: not beside what every pop reads.
    aside: CachePadded<Aside>,
}

impl<K: WorkerKind> HeapStore<K> {
    /// H1, from the other side.
    fn take_front(&self) -> Option<Entry<K>> {
        // ORDERING: Relaxed: only whether to swap; who went idle before this look has a fence
        // (F2) between.
        if self.front.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // ORDERING: Acquire, H3.
        let entry = NonNull::new(self.front.swap(ptr::null_mut(), Ordering::Acquire))?;
        // SAFETY: what was in `front` came from `into_raw`, and the swap took it out.
        Some(unsafe { Entry::<K>::from_raw(entry) })
    }

    /// Counts a task that its submitter runs.
    pub(super) fn note_unqueued(&self) {
        // ORDERING: Relaxed: a number.
        self.unqueued.fetch_add(1, Ordering::Relaxed);
    }

    /// X5 of the engine: ends what is left without it, since it is on its way out.
    fn orphan_all(&self) {
        let mut consumer = self.consumer();
        while let Some(entry) = consumer.pop() {
            let others = Finally(|| self.orphan_all());
            entry.orphan();
            others.dismiss();
        }
    }

    /// Clears until the queue is empty or `front` is filled. The caller is the clearer.
    fn clear(&self) -> AfterClearing {
        let mut consumer = self.consumer();
        self.aside.raise();
        while let Some(entry) = consumer.pop() {
            if entry.is_pending() {
                // U1: the hold is the entry's from here on.
                // ORDERING: Release, H3.
                self.front.store(entry.into_raw().as_ptr(), Ordering::Release);
                return AfterClearing::Call;
            }
        }
        self.aside.lower();
        AfterClearing::Leave
    }
}

impl<K: WorkerKind> Store<K> for HeapStore<K> {
    type Vacancy = ();
    type Consumer<'s>
        = HeapConsumer<'s, K>
    where
        K: 's;

    fn reserve(&self) -> Option<()> {
        Some(())
    }

    fn make<J: Job<K::Seat, K::Failure>>(
        &self,
        (): (),
        job: J,
        home: *const Engine<K>,
        id: usize,
        submitted: Instant,
    ) -> Made<K, J> {
        let place = |layout| K::with_slabs(|slabs| slabs.place(layout)).flatten();
        task::heap_task(job, home, id, submitted, place)
    }

    fn push(&self, entry: Entry<K>) {
        self.queue.push(entry);
    }

    fn put_back(&self, entry: Entry<K>) {
        let returned = self.returned.as_ref().expect("its kind takes tasks ahead");
        self.aside.raise();
        returned.push(entry);
    }

    fn consumer(&self) -> HeapConsumer<'_, K> {
        HeapConsumer {
            store: self,
            returned: self.returned.as_ref().map(GrowableQueue::consumer),
            queue: self.queue.consumer(),
        }
    }

    fn clear_stubs(&self) -> AfterClearing {
        // ORDERING: Relaxed: a number.
        let inlined = self.inlined.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if !due(inlined) {
            return AfterClearing::Leave;
        }
        // ORDERING: Acquire, H4.
        if self.clearing.swap(1, Ordering::Acquire) == 1 {
            return AfterClearing::Leave;
        }
        let then = self.clear();
        // ORDERING: Release, H4.
        self.clearing.store(0, Ordering::Release);
        then
    }

    fn aside(&self) -> &Aside {
        &self.aside
    }

    fn inlined(&self) -> usize {
        // ORDERING: Relaxed: a snapshot, both.
        let [waited_for, unqueued] =
            [&self.inlined, &self.unqueued].map(|count| count.load(Ordering::Relaxed));
        waited_for.wrapping_add(unqueued)
    }
}

/// Whether so many inline runs call for clearing.
const fn due(inlined: usize) -> bool {
    matches!(inlined.checked_rem(STUBS), Some(0))
}

impl<K: WorkerKind> Drop for HeapStore<K> {
    fn drop(&mut self) {
        self.orphan_all();
        self.front.last_use();
        self.clearing.last_use();
        self.inlined.last_use();
        self.unqueued.last_use();
    }
}

/// A thread's consuming end: `front`, what was given back, then the queue.
pub struct HeapConsumer<'s, K: WorkerKind> {
    store: &'s HeapStore<K>,
    returned: Option<Consumer<'s, Entry<K>, BLOCK_SLOTS>>,
    queue: Consumer<'s, Entry<K>, BLOCK_SLOTS>,
}

impl<K: WorkerKind> Consume<K> for HeapConsumer<'_, K> {
    fn pop(&mut self) -> Option<Entry<K>> {
        let out_of_turn = self
            .store
            .take_front()
            .or_else(|| self.returned.as_mut().and_then(Consumer::pop_at_once))
            // U3: who sets it aside again has a hold already.
            .inspect(|_| self.store.aside.lower());
        out_of_turn.or_else(|| self.queue.pop_at_once())
    }

    fn is_empty(&self) -> bool {
        // ORDERING: Relaxed: the leaver's fence (X4, F3) is before it.
        self.store.front.load(Ordering::Relaxed).is_null()
            && self.returned.as_ref().is_none_or(Consumer::is_empty)
            && self.queue.is_empty()
    }
}
