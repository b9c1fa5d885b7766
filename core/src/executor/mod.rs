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
//! | `in_turn` | those of the withdrawn that a waiter took from the queue, as a worker does |
//! | `growth` | when and by whom growth is tried again after a spawn has failed |
//! | `seats[i].post` | whether somebody was called for who has not come yet |
//! | `seats[i].loan` | who has the worker's seat: it, or a caller that borrows it |
//! | `seats[i].ticks` | tasks that slot i ever claimed, and whether its worker is busy |
//! | `seats[i].tally` | what became of the slot's workers: numbers, nobody acts on them |
//!
//! # Invariants
//! - **X1** Pending tasks = submitted − withdrawn − the sum of all claims, never counted too low:
//!   claims are read first, and each claim happens after its submit (edge X3).
//! - **X2** A worker that lives and is not busy will look at the queue after whoever counts it has
//!   pushed: it is awake, or it has gone idle since he found nobody idle, and looks once more (F1 ↔ F2).
//! - **X5** The queue is empty when the last reference to the engine goes: its owner drains it, and
//!   nobody submits without the owner. What a kind that unwinds in the middle may leave there, the store
//!   ends without the engine.
//!
//! # Transitions
//! Of the words that are the engine's own; those of its parts are in their files.
//!
//! | name | change | by | when |
//! |---|---|---|---|
//! | `admit` | `submitted` + 1 | submitter | it is not refused; before its push |
//! | `withdrawn` | `withdrawn` + 1 | canceller; who runs a task inline, or one that was never queued | the task has left pending |
//! | `run_oldest` | `in_turn` + 1 | who runs the oldest task | before it is withdrawn |
//! | `note_pending` | `most_pending` grows, or nothing | submitter | after its push, if the kind measures that |
//!
//! # Edges
//! - **X3** claim (Release) / counting (Acquire): who counts a claim counts its submit; who counts a withdrawal, also
//!   that it was in turn.
//! - **X4 ↔ F1** fence in `take_leave` / fence in `after_push`: a submitter sees that the worker is
//!   busy for good, or the worker sees the task.
//! - The fence in `turn_away` is L4 of `lifecycle`.
//!
//! # Progress
//! Lock-free, as queue, tasks and census are, but for what the kind brings along: making and waking
//! threads, users' code. A worker that wants its seat back waits for its borrower (`loan`).
//!
//! # Modelled by
//! `loom-tests/tests/executor.rs`, `loom-tests/tests/fixed.rs`

mod accounts;
mod ahead;
mod aside;
#[cfg(feature = "alloc")]
mod borrow;
mod call;
mod fixed;
mod growth;
#[cfg(feature = "alloc")]
mod heap;
mod kind;
mod loan;
mod memory;
#[cfg(feature = "alloc")]
mod owner;
mod submit;
mod tally;
mod worker;

use core::fmt;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

pub use accounts::{Counts, Mark};
pub use fixed::{Static, StaticExecutor};
#[cfg(feature = "alloc")]
pub use heap::Heap;
pub use kind::{Departure, OpenError, Rejected, Rejection, WorkerKind};
pub use memory::{Memory, Shared};
#[cfg(feature = "alloc")]
pub use owner::Executor;
pub use submit::Submitted;
pub use tally::Totals;
pub use worker::{forsake, work};

use self::accounts::{Seat, Ticks};
use self::growth::Growth;
use self::memory::{AfterClearing, Consume, Store};
use crate::census::Census;
use crate::clock::{Clock, Instant};
use crate::lifecycle::{Lifecycle, Phase};
use crate::park::Park;
use crate::sync::{AtomicUsize, Ordering, constructor, fence};
#[cfg(feature = "alloc")]
use crate::task::Slabs;
use crate::task::{Finally, Home, TaskRef, Withdrawn};

type Entry<K> = TaskRef<<K as WorkerKind>::Seat, <K as WorkerKind>::Failure>;
type Banks<K> = <<K as WorkerKind>::Memory as Memory<K>>::Banks;
type Seats<K> = <<K as WorkerKind>::Memory as Memory<K>>::Seats;
type StoreOf<K> = <<K as WorkerKind>::Memory as Memory<K>>::Store;

/// What the workers of one pool share.
pub struct Engine<K: WorkerKind> {
    store: StoreOf<K>,
    census: Census<Banks<K>>,
    lifecycle: Lifecycle,
    growth: Growth,
    submitted: CachePadded<AtomicUsize>,
    withdrawn: AtomicUsize,
    in_turn: AtomicUsize,
    most_pending: AtomicUsize,
    seats: Seats<K>,
    kind: K,
}

impl<K: WorkerKind> Engine<K> {
    constructor! {
        /// An engine of these parts.
        fn of(kind: K, store: StoreOf<K>, census: Census<Banks<K>>, seats: Seats<K>) -> Self {
            Self {
                store,
                census,
                lifecycle: Lifecycle::new(),
                growth: Growth::new(),
                submitted: CachePadded::new(AtomicUsize::new(0)),
                withdrawn: AtomicUsize::new(0),
                in_turn: AtomicUsize::new(0),
                most_pending: AtomicUsize::new(0),
                seats,
                kind,
            }
        }
    }

    /// The kind of workers.
    pub fn kind(&self) -> &K {
        &self.kind
    }

    /// The present moment for a task: unknown if tasks are not timed.
    fn task_time(&self) -> Instant {
        if self.kind.times_tasks() { self.kind.clock().now() } else { Instant::UNKNOWN }
    }

    /// How far the pool is in its life.
    pub fn phase(&self) -> Phase {
        self.lifecycle.phase()
    }

    fn seats(&self) -> &[CachePadded<Seat>] {
        self.seats.as_ref()
    }

    fn unpark_all(&self) {
        for slot in 0..self.census.slots() {
            self.kind.parker(slot).unpark();
        }
    }

    /// Cancels every task in the queue, because of `cause` if there is one; and the others if a step unwinds.
    fn drain(&self, cause: Option<&K::Failure>) {
        let mut consumer = self.store.consumer();
        while let Some(entry) = consumer.pop() {
            let others = Finally(|| self.drain(cause));
            self.turn_down(entry, cause);
            others.dismiss();
        }
    }

    /// Cancels the oldest pending task; false if none was found.
    fn cancel_oldest(&self) -> bool {
        let mut consumer = self.store.consumer();
        core::iter::from_fn(|| consumer.pop()).any(|entry| {
            let cause = self.kind.cancellation(Rejection::Full);
            self.cancelled_by(|| entry.cancel(cause))
        })
    }

    /// Cancels a task that was popped, because of `cause` if there is one, or else because the pool is not open.
    #[cold]
    fn turn_down(&self, entry: Entry<K>, cause: Option<&K::Failure>) {
        let why = cause.map(Rejection::Spawn).or_else(|| self.refusal());
        let cause = why.and_then(|why| self.kind.cancellation(why));
        let cancelled = self.cancelled_by(|| {
            #[cfg(feature = "alloc")]
            if self.kind.keeps_jobs() {
                let id = entry.id();
                let label = entry.label().cloned();
                return entry.cancel_keeping(cause, |job| self.kind.kept(id, label.clone(), job));
            }
            entry.cancel(cause)
        });
        if cancelled {
            self.kind.cancelled();
        }
    }

    /// Cancels a task that was popped, whose handle has asked for it.
    #[cold]
    fn grant_cancel(&self, entry: Entry<K>) {
        self.cancelled_by(|| entry.cancel(None));
    }

    /// Whether a task was cancelled by that. If it panics, the job's destructor did.
    fn cancelled_by(&self, cancel: impl FnOnce() -> bool) -> bool {
        let mut cancelled = true;
        self.kind.contain(|| cancelled = cancel());
        cancelled
    }

    /// The pool breaks, unless it is broken or closed already.
    fn fail(&self, cause: K::Failure) {
        self.kind.broken(cause);
        if self.lifecycle.fail() {
            self.turn_away();
        }
    }

    /// After the pool ceased to be open: sends the workers home and cancels what is pending. In this order: what is
    /// cancelled may wait for those that leave.
    fn turn_away(&self) {
        // ORDERING: SeqCst, L4: a submitter sees the phase, or this thread sees its task.
        fence(Ordering::SeqCst);
        self.unpark_all();
        self.drain(None);
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
            self.kind.closed();
        }
        // Whoever waits for the end, be it while the first is told of the close, sees to it.
        self.turn_away();
        first
    }
}

// SAFETY: `Memory` keeps its promise, and its pointers are those of `as_ptr`.
unsafe impl<K: WorkerKind> Home for Engine<K> {
    #[cfg(feature = "alloc")]
    const LABELS: bool = K::Memory::LABELS;

    const FAR: bool = K::TAKES_AHEAD;

    #[cfg(feature = "alloc")]
    fn with_slabs<R>(keep: impl FnOnce(&mut Slabs) -> R) -> Option<R> {
        K::with_slabs(keep)
    }

    fn left_pending(&self) {
        self.kind.left_queue();
    }

    fn withdrawn(&self) {
        // ORDERING: Release, X3: the submit of what was withdrawn.
        self.withdrawn.fetch_add(1, Ordering::Release);
    }

    fn cancelled(&self, task: &Withdrawn<'_>) {
        self.withdrawn();
        self.kind.withdrew(task);
    }

    unsafe fn ran_inline(this: *const Self) {
        // SAFETY: the caller keeps it.
        let engine = unsafe { &*this };
        if engine.store.clear_stubs() == AfterClearing::Leave {
            return;
        }
        // SAFETY: it is alive, and tasks know it by `as_ptr`.
        unsafe { K::Memory::retain(this) };
        // SAFETY: retained above.
        let shared = unsafe { K::Memory::retained(this) };
        Self::call_for_returned(&shared);
    }

    fn asks_to_stop(&self) -> bool {
        self.kind.asks_to_stop()
    }

    fn now(&self) -> Instant {
        self.task_time()
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
