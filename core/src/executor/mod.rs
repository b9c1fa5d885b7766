//! The engine of every pool: submit, the worker loop, shutdown.
//!
//! An `Executor` owns an [`Engine`] on the heap; a [`StaticExecutor`] is one in a `static`. Workers
//! share it. Only here are queue, census, task and lifecycle combined.
//!
//! # State
//! | field | meaning |
//! |---|---|
//! | `store` | memory of the tasks, and the queue of their entries: pending ones and stubs |
//! | `census` | who lives, who is idle |
//! | `lifecycle` | open, broken, draining, terminated; generation |
//! | `submitted`, `withdrawn` | tasks ever submitted; those cancelled or claimed by a waiter |
//! | `seats[i].ticks` | tasks that slot i ever claimed, and whether its worker is busy |
//!
//! # Invariants
//! - **X1** Pending tasks = submitted − withdrawn − the sum of all claims, never counted too low:
//!   claims are read first, and each claim happens after its submit (edge X3).
//! - **X2** A worker that lives and is not busy will look at the queue after whoever counts it has
//!   pushed: it is awake, or it has gone idle since he found nobody idle, and looks once more (F1 ↔ F2).
//! - **X3** The queue is empty when the last reference to the engine goes: its owner drains it, and
//!   nobody submits without the owner.
//!
//! # Edges
//! - **X3** claim (Release) / counting (Acquire): who counts a claim counts its submit.
//! - **X4 ↔ F1** fence in `take_leave` / fence in `after_push`: a submitter sees that the worker is
//!   busy for good, or the worker sees the task.
//!
//! # Modelled by
//! `loom-tests/tests/executor.rs`

mod call;
mod fixed;
#[cfg(feature = "alloc")]
mod heap;
mod kind;
mod memory;
#[cfg(feature = "alloc")]
mod owner;
mod submit;
mod worker;

use core::fmt;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

pub use fixed::{Static, StaticExecutor};
#[cfg(feature = "alloc")]
pub use heap::Heap;
pub use kind::{OpenError, Rejected, Rejection, WorkerKind};
pub use memory::{Memory, Shared};
#[cfg(feature = "alloc")]
pub use owner::Executor;
pub use submit::Submitted;
pub use worker::work;

use self::memory::{AfterClearing, Consume, Store};
use crate::census::Census;
use crate::clock::{Clock, Instant};
use crate::lifecycle::{Lifecycle, Phase};
use crate::park::Park;
use crate::sync::{AtomicUsize, Ordering, constructor, fence};
use crate::task::{Home, TaskRef};

type Entry<K> = TaskRef<<K as WorkerKind>::Seat, <K as WorkerKind>::Failure>;
type Banks<K> = <<K as WorkerKind>::Memory as Memory<K>>::Banks;
type Seats<K> = <<K as WorkerKind>::Memory as Memory<K>>::Seats;
type StoreOf<K> = <<K as WorkerKind>::Memory as Memory<K>>::Store;

/// What the workers of one pool share.
pub struct Engine<K: WorkerKind> {
    store: StoreOf<K>,
    census: Census<Banks<K>>,
    lifecycle: Lifecycle,
    submitted: CachePadded<AtomicUsize>,
    withdrawn: AtomicUsize,
    seats: Seats<K>,
    kind: K,
}

/// What belongs to a slot, whoever works there.
pub struct Seat {
    ticks: Ticks,
    /// The generation of the slot's worker: that in which it was called for. Written by whoever
    /// claimed the free slot, read by the worker that was spawned for it.
    born: AtomicUsize,
}

impl Seat {
    constructor! {
        /// That of a slot without a worker.
        fn new() -> Self {
            Self { ticks: Ticks(AtomicUsize::new(0)), born: AtomicUsize::new(0) }
        }
    }
}

/// A slot's count of claims, and whether its worker is busy: with a task, or because it leaves. Only
/// the slot's worker writes.
struct Ticks(AtomicUsize);

impl Ticks {
    const HAS_TASK: usize = 1;
    const LEAVES: usize = 2;
    const BUSY: usize = Self::HAS_TASK | Self::LEAVES;
    const CLAIM: usize = 4;
    /// Claims are counted modulo one more than this.
    const CLAIMS: usize = usize::MAX / Self::CLAIM;

    /// How many tasks were claimed, and whether the worker is busy: of one moment.
    fn read(&self) -> (usize, bool) {
        // ORDERING: Acquire, X3.
        let word = self.0.load(Ordering::Acquire);
        (word / Self::CLAIM, word & Self::BUSY != 0)
    }

    fn write(&self, change: impl FnOnce(usize) -> usize) {
        // ORDERING: Relaxed: the worker's own word (C7 passes it on).
        let word = self.0.load(Ordering::Relaxed);
        // ORDERING: Release, X3: the submit of what was claimed.
        self.0.store(change(word), Ordering::Release);
    }

    fn claim(&self) {
        self.write(|word| word.wrapping_add(Self::CLAIM) | Self::HAS_TASK);
    }

    fn set_leaving(&self) {
        self.write(|word| word & !Self::BUSY | Self::LEAVES);
    }

    /// How many tasks have ended, and whether another runs: of one moment.
    fn ended_and_running(&self) -> (usize, usize) {
        // ORDERING: Relaxed: a snapshot.
        let word = self.0.load(Ordering::Relaxed);
        let running = word & Self::HAS_TASK;
        ((word / Self::CLAIM).wrapping_sub(running), running)
    }

    fn set_looking(&self) {
        self.write(|word| word & !Self::BUSY);
    }
}

/// A moment in the order of submits: so many claims and all that was submitted until then has left
/// the queue.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// Numbers of one pool: a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Workers that live, or are being spawned.
    pub workers: usize,
    /// Workers that wait for a task.
    pub idle: usize,
    /// Tasks that workers have run to their end. Those that a waiting worker runs inline are part of
    /// the task that waits, here and below.
    pub ended: usize,
    /// Tasks that workers are at.
    pub running: usize,
    /// Tasks that were ever submitted.
    pub submitted: usize,
    /// Those of them that have neither started nor been cancelled.
    pub pending: usize,
}

impl<K: WorkerKind> Engine<K> {
    constructor! {
        /// An engine of these parts.
        fn of(kind: K, store: StoreOf<K>, census: Census<Banks<K>>, seats: Seats<K>) -> Self {
            Self {
                store,
                census,
                lifecycle: Lifecycle::new(),
                submitted: CachePadded::new(AtomicUsize::new(0)),
                withdrawn: AtomicUsize::new(0),
                seats,
                kind,
            }
        }
    }

    /// The kind of workers.
    pub fn kind(&self) -> &K {
        &self.kind
    }

    /// How far the pool is in its life.
    pub fn phase(&self) -> Phase {
        self.lifecycle.phase()
    }

    /// Numbers: a snapshot.
    pub fn counts(&self) -> Counts {
        let (mut ended, mut running) = (0_usize, 0);
        for seat in self.seats() {
            let (theirs, at_work) = seat.ticks.ended_and_running();
            ended = ended.wrapping_add(theirs);
            running += at_work;
        }
        Counts {
            workers: self.census.live(),
            idle: self.census.idle(),
            ended,
            running,
            pending: self.pending(),
            // ORDERING: Relaxed: a snapshot; read after `pending`, so it is not the smaller one.
            submitted: self.submitted.load(Ordering::Relaxed),
        }
    }

    /// X1: tasks that were submitted and neither claimed nor withdrawn, and the workers that are
    /// about to look for one (X2).
    fn pending_and_looking(&self) -> (usize, usize) {
        const CLAIMS: usize = Ticks::CLAIMS;
        // ORDERING: Acquire, X3.
        let mut gone = self.withdrawn.load(Ordering::Acquire);
        let mut looking = 0;
        for (slot, seat) in self.seats().iter().enumerate() {
            // Those included that have gone idle since the caller pushed its task: they look once more.
            let lives = self.census.is_live(slot);
            // One word for both: a worker is about to look, or has claimed; never counted twice,
            // never missed.
            let (claims, busy) = seat.ticks.read();
            gone = gone.wrapping_add(claims);
            looking += usize::from(lives && !busy);
        }
        // ORDERING: Relaxed: the edges above make it at least as new as what is subtracted.
        let pending = self.submitted.load(Ordering::Relaxed).wrapping_sub(gone) & CLAIMS;
        // The counters wrap; their difference does not, as long as fewer than an eighth of all words
        // are pending (2²⁹ on targets with 32-bit words). Claims and withdrawals that came between
        // the loads make it look negative.
        (if pending > CLAIMS / 2 { 0 } else { pending }, looking)
    }

    fn pending(&self) -> usize {
        self.pending_and_looking().0
    }

    /// This moment.
    pub fn mark(&self) -> Mark {
        // ORDERING: Acquire, X3: a withdrawal that is counted is of a task that is counted next.
        let withdrawn = self.withdrawn.load(Ordering::Acquire);
        // ORDERING: Relaxed: a number.
        Mark(self.submitted.load(Ordering::Relaxed).wrapping_sub(withdrawn))
    }

    /// Whether every task that was submitted before the mark has ended, or is in the hands of a
    /// thread that ends or runs it; false if that is not certain.
    ///
    /// Workers take tasks first in, first out, whereas cancellations and inline claims come in any
    /// order: so only claims count, and only those withdrawals that were there at the mark.
    pub fn has_passed(&self, mark: Mark) -> bool {
        if self.pending() == 0 {
            return true;
        }
        let claims =
            self.seats().iter().fold(0_usize, |sum, seat| sum.wrapping_add(seat.ticks.read().0));
        // An older task may be set aside while later ones are claimed.
        claims.wrapping_sub(mark.0) & Ticks::CLAIMS <= Ticks::CLAIMS / 2
            && !self.store.has_set_aside()
    }

    /// The policy of growth: one more worker is wanted if more tasks are pending than workers are
    /// about to look.
    fn wants_worker(&self) -> bool {
        let (pending, looking) = self.pending_and_looking();
        pending > looking
    }

    fn seats(&self) -> &[CachePadded<Seat>] {
        self.seats.as_ref()
    }

    fn unpark_all(&self) {
        for slot in 0..self.census.slots() {
            self.kind.parker(slot).unpark();
        }
    }

    /// Cancels every task in the queue, because of `cause` if there is one.
    fn drain(&self, cause: Option<&K::Failure>) {
        let mut consumer = self.store.consumer();
        while let Some(entry) = consumer.pop() {
            self.turn_down(entry, cause);
        }
    }

    /// Cancels the oldest pending task; false if none was found.
    fn cancel_oldest(&self) -> bool {
        let mut consumer = self.store.consumer();
        core::iter::from_fn(|| consumer.pop()).any(|entry| entry.cancel(None))
    }

    /// Cancels a task that was popped, because of `cause` if there is one.
    fn turn_down(&self, entry: Entry<K>, cause: Option<&K::Failure>) {
        let cause = cause.map(|cause| self.kind.repeat(cause));
        #[cfg(feature = "alloc")]
        let id = entry.id();
        #[cfg(feature = "alloc")]
        let cancelled = if self.kind.keeps_jobs() {
            entry.cancel_keeping(cause, |job| self.kind.kept(id, job))
        } else {
            entry.cancel(cause)
        };
        #[cfg(not(feature = "alloc"))]
        let cancelled = entry.cancel(cause);
        if cancelled {
            self.kind.cancelled();
        }
    }

    /// The pool breaks, unless it is broken or closed already.
    fn fail(&self, cause: K::Failure) {
        self.kind.broken(cause);
        if self.lifecycle.fail() {
            self.turn_away();
        }
    }

    /// After the pool ceased to be open: cancels what is pending and sends the workers home.
    fn turn_away(&self) {
        // ORDERING: SeqCst, L4: a submitter sees the phase, or this thread sees its task.
        fence(Ordering::SeqCst);
        self.drain(None);
        self.unpark_all();
    }
}

impl<K: WorkerKind> Engine<K> {
    /// Lets every worker that was called for until now leave as soon as it finds no task.
    fn renew_workers(&self) {
        self.lifecycle.renew();
        self.unpark_all();
    }

    /// Wakes every idle worker, so that it reads its keep-alive anew.
    fn rouse_workers(&self) {
        self.unpark_all();
    }

    /// Closes; false if it was closed before.
    fn close(&self) -> bool {
        let first = self.lifecycle.close();
        if first {
            self.turn_away();
        }
        first
    }
}

// SAFETY: `Memory` keeps its promise, and its pointers are those of `as_ptr`.
unsafe impl<K: WorkerKind> Home for Engine<K> {
    fn withdrawn(&self) {
        // ORDERING: Release, X3: the submit of what was withdrawn.
        self.withdrawn.fetch_add(1, Ordering::Release);
        self.kind.left_queue();
    }

    unsafe fn claimed_inline(this: *const Self) {
        // SAFETY: the caller keeps it.
        let engine = unsafe { &*this };
        engine.withdrawn();
        if engine.store.clear_stubs() == AfterClearing::Leave {
            return;
        }
        // SAFETY: it is alive, and tasks know it by `as_ptr`.
        unsafe { K::Memory::retain(this) };
        // SAFETY: retained above.
        let shared = unsafe { K::Memory::retained(this) };
        match Self::call_for_worker(&shared) {
            Ok(()) if engine.lifecycle.is_open() => {}
            // The fence F1 is behind: the closer saw the entry, or this thread sees the phase.
            Ok(()) => engine.drain(None),
            Err(cause) => engine.drain(Some(&cause)),
        }
    }

    fn now(&self) -> Instant {
        self.kind.clock().now()
    }

    unsafe fn retain(this: *const Self) {
        // SAFETY: by the caller's promise.
        unsafe { K::Memory::retain(this) };
    }

    unsafe fn release(this: *const Self) {
        // SAFETY: by the caller's promise.
        drop(unsafe { K::Memory::retained(this) });
    }

    unsafe fn free<T>(this: *const Self, task: NonNull<T>) {
        // SAFETY: by the caller's promise.
        unsafe { K::Memory::free(this, task) };
    }
}

impl<K: WorkerKind> fmt::Debug for Engine<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("phase", &self.phase())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
