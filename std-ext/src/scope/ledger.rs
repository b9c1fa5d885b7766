//! What a scope owes: how many of its tasks may still touch what they borrow, and which panics
//! nobody has collected.
//!
//! It lies on the stack of the scope's caller. Tasks know it by address.
//!
//! # State
//! | `count` | meaning |
//! |---|---|
//! | n + 1 | n tickets; the body, or the scope's caller, may make more |
//! | n | n tickets; the caller waits for them |
//! | 0 | the last ticket's holder is about to set `DONE`, or the caller found itself alone |
//! | `DONE` | nobody but the caller touches the ledger any more |
//!
//! # Invariants
//! - **N1** A ticket counts one. It is made by who is counted (the body, or who holds a ticket) and
//!   goes only after the borrowing thing with which it travels.
//! - **N2** The ledger is touched by who is counted, and by who took the count to 0.
//! - **N3** The caller goes on only if it is alone: with the count at 1 while it is counted, or 0 or
//!   `DONE` while it is not. With N1, nobody can come after that.
//!
//! # Transitions
//! | name | change | by |
//! |---|---|---|
//! | `ticket` | + 1 | who is counted |
//! | `leave` | − 1; from 0 to `DONE` | who gives a ticket back |
//! | `wait` | − 1; from 0 or `DONE` back to 1 | the caller |
//!
//! # Edges
//! - **N4** `leave` (Release) / the `leave` or `wait` that finds nobody else (Acquire): all use of
//!   what was borrowed happens before the scope's end.
//! - **N5** setting `DONE` (Release) / the caller's look (Acquire): the last one's use of the
//!   ledger, too.
//!
//! Whoever sets `DONE` has moved the caller's waker to its own stack before: afterwards the ledger
//! may be gone. The waker keeps what it needs by itself.
//!
//! # Progress
//! `leave` is wait-free but for the lock round the waker, for which only a submitter competes that
//! wakes the caller (see the list of the scope).
//!
//! # Modelled by
//! `loom-tests/tests/pool/scope.rs`

use core::any::Any;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::Waker;

use asyncpal_core::task::Receipt;

use crate::clock::Deadline;
use crate::error::{Panic, TaskError};
use crate::failure::Failure;
use crate::parker::{Bed, spin};
use crate::sync::{AtomicUsize, LastUse, Mutex, MutexGuard, Ordering, UnsafeCell, lock};

const DONE: usize = usize::MAX;

/// More tickets than there can be: each has a task in memory.
const TOO_MANY: usize = usize::MAX / 2;

pub(super) type Payload = Box<dyn Any + Send>;

/// See the module's documentation.
pub(super) struct Ledger {
    count: AtomicUsize,
    /// Wakes the caller; there once it has begun to wait.
    caller: Mutex<Option<Waker>>,
    /// In the order of the panics; `None` once collected.
    panics: Mutex<Vec<Option<Panic>>>,
    /// Stands for all of it under the checker: whoever touches the ledger reads this.
    memory: UnsafeCell<()>,
}

// SAFETY: nobody writes the memory's cell.
unsafe impl Sync for Ledger {}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.count.last_use();
        self.memory.last_use();
    }
}

/// In a task's failure, for the panic that the ledger has: its place there.
struct Noted(usize);

impl Ledger {
    /// That of a scope without tasks.
    pub(super) fn new() -> Self {
        Self {
            count: AtomicUsize::new(1),
            caller: Mutex::new(None),
            panics: Mutex::new(Vec::new()),
            memory: UnsafeCell::new(()),
        }
    }

    /// One more that is waited for.
    ///
    /// # Safety
    ///
    /// The caller is counted, and the ledger stays where it is until [`wait`](Self::wait) has
    /// returned after that.
    pub(super) unsafe fn ticket(&self) -> Ticket {
        // ORDERING: Relaxed: who is counted keeps the scope open; what the ticket is for is published
        // by what it travels with.
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        assert!(before < TOO_MANY, "a scope has too many tasks, or is over");
        Ticket(NonNull::from(self))
    }

    /// Gives one ticket back.
    ///
    /// # Safety
    ///
    /// It was counted. The ledger is not used afterwards.
    unsafe fn leave(this: NonNull<()>) {
        let this = this.cast::<Self>();
        // SAFETY: N2: the caller is counted.
        let count = unsafe { &(*this.as_ptr()).count };
        // ORDERING: Release, N4: the use of what was borrowed. Acquire, N4: the others', passed on to
        // the scope's caller; and the waker.
        if count.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        // SAFETY: N2: this thread took the count to 0.
        let waker = unsafe { this.as_ref() }.caller().take();
        // ORDERING: Release, N4 and N5. A sole writer's store, N3.
        count.store(DONE, Ordering::Release);
        // From here on the ledger may be gone.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns when all tickets are back. Called by the thread that made the ledger, when the body is
    /// over. Until then calls `help`, which does a piece of work and says true, or has none.
    pub(super) fn wait(&self, help: impl Fn() -> bool) {
        // ORDERING: Acquire, N4. Nobody else is counted: nobody can make a ticket.
        if self.count.load(Ordering::Acquire) == 1 {
            return;
        }
        Bed::with(|bed| {
            *self.caller() = Some(bed.waker().clone());
            // ORDERING: Release: the waker. Acquire, N4: if this thread is alone.
            if self.count.fetch_sub(1, Ordering::AcqRel) != 1 {
                // A token may be left from an earlier wait.
                while !self.is_done() {
                    if !help() && !spin(false, || self.is_done()) {
                        bed.sleep(Deadline::NEVER);
                    }
                }
            }
        });
        // ORDERING: Relaxed: this thread is alone, N3.
        self.count.store(1, Ordering::Relaxed);
    }

    fn caller(&self) -> MutexGuard<'_, Option<Waker>> {
        self.memory.with(|_| ());
        lock(&self.caller)
    }

    fn panics(&self) -> MutexGuard<'_, Vec<Option<Panic>>> {
        self.memory.with(|_| ());
        lock(&self.panics)
    }

    fn is_done(&self) -> bool {
        // ORDERING: Acquire, N4 and N5.
        self.count.load(Ordering::Acquire) == DONE
    }

    /// Wakes the caller if it waits: there is something to help with. Called by who is counted.
    pub(super) fn call_for_help(&self) {
        let waker = self.caller().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Keeps a panic until somebody collects it; the task's failure instead.
    pub(super) fn note(&self, payload: Payload) -> Failure {
        let panic = Panic::new(payload);
        let mut panics = self.panics();
        let stand_in = panic.standing_in(Box::new(Noted(panics.len())));
        panics.push(Some(panic));
        drop(panics);
        let failure = Failure::from(TaskError::Panicked(stand_in));
        // The scope resumes what nobody collects: it is seen.
        failure.look();
        failure
    }

    /// The panic that was noted with that failure.
    pub(super) fn collect(&self, noted: Panic) -> Panic {
        match noted.into_payload().downcast::<Noted>() {
            Ok(noted) => {
                let panic = self.panics()[noted.0].take();
                panic.expect("a task's outcome is taken once")
            }
            Err(other) => Panic::new(other),
        }
    }

    /// The panics that nobody has collected. Called when nobody else is counted.
    pub(super) fn take_uncollected(&self) -> impl Iterator<Item = Payload> {
        core::mem::take(&mut *self.panics()).into_iter().flatten().map(Panic::into_payload)
    }
}

/// A unit of a scope's count.
pub(super) struct Ticket(NonNull<Ledger>);

// SAFETY: a ledger is made for sharing, and is there as long as the ticket is.
unsafe impl Send for Ticket {}
// SAFETY: as above.
unsafe impl Sync for Ticket {}

impl Ticket {
    pub(super) fn ledger(&self) -> &Ledger {
        // SAFETY: N2: this ticket is counted.
        unsafe { self.0.as_ref() }
    }

    /// The same unit, as what a worker loop hands in.
    pub(super) fn into_receipt(self) -> Receipt {
        let ledger = ManuallyDrop::new(self).0;
        // SAFETY: the ticket stays counted until then, and may be given back on any thread.
        unsafe { Receipt::new(ledger.cast(), Ledger::leave) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // SAFETY: N2: it was counted, and goes now.
        unsafe { Ledger::leave(self.0.cast()) };
    }
}
