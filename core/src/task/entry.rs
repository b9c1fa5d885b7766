//! The queue's reference to a task, and what becomes of it when it is popped.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::Handle;
use super::arena::Arena;
use super::cell::Header;
#[cfg(feature = "alloc")]
use super::finally::Finally;
#[cfg(feature = "alloc")]
use super::job::{KeptJob, Label};
use super::live::Live;
use super::running::Clocked;
use super::state::End;
use crate::clock::Instant;
use crate::queue::Pointer;
#[cfg(feature = "alloc")]
use crate::sync::spin_loop;

/// The two references to a task that was just made.
///
/// # Safety
///
/// The task was made of a job for these types, and has no references yet.
pub(super) unsafe fn references<S, E, T>(task: NonNull<Header>) -> (TaskRef<S, E>, Handle<T, E>) {
    let live = Live::new(task);
    (TaskRef(live, PhantomData), Handle::new(live))
}

/// The queue's reference to a task, its *entry*. Dropping it cancels the task.
pub struct TaskRef<S, E>(Live, OfTypes<S, E>);

/// Invariant in both: the seat is lent, and a failure goes in (the cause of a cancellation).
type OfTypes<S, E> = PhantomData<fn(&mut S, E) -> E>;

// SAFETY: the job and what it returns are `Send`; the rest of a task is made for sharing.
unsafe impl<S, E: Send> Send for TaskRef<S, E> {}

// SAFETY: a header contains words, so its address is aligned to at least 4.
unsafe impl<S, E: Send> Pointer for TaskRef<S, E> {
    fn into_raw(self) -> NonNull<()> {
        ManuallyDrop::new(self).0.address().cast()
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self(Live::new(raw.cast()), PhantomData)
    }
}

impl<S, E> TaskRef<S, E> {
    /// The entry of the task in a slot.
    ///
    /// # Safety
    ///
    /// The entry came from [`into_slot`](Self::into_slot) and is taken back once; the task was made for
    /// these types.
    pub(crate) unsafe fn in_slot<const TASKS: usize, const BYTES: usize>(
        arena: &Arena<TASKS, BYTES>,
        index: usize,
    ) -> Self {
        Self(Live::new(arena.task(index)), PhantomData)
    }

    /// The slot of an arena's task: the entry as a number.
    pub(crate) fn into_slot<const TASKS: usize, const BYTES: usize>(
        self,
        arena: &Arena<TASKS, BYTES>,
    ) -> usize {
        arena.index_of(ManuallyDrop::new(self).0.address())
    }
}

/// What a popped entry was.
#[must_use]
pub(crate) enum Popped<S, E> {
    /// A pending task, now this worker's.
    Claimed(Claimed<S, E>),
    /// A pending task that was given back, and whose cancel was requested meanwhile: to be cancelled.
    CancelRequested(TaskRef<S, E>),
    /// What a cancellation or an inline claim left.
    Stub,
}

impl<S, E> TaskRef<S, E> {
    /// T1 or T6.
    pub(crate) fn claim(self) -> Popped<S, E> {
        match self.0.header().state.claim_popped() {
            Ok(()) => Popped::Claimed(Claimed(ManuallyDrop::new(self).0, PhantomData)),
            Err(found) if found.is_cancel_due() => Popped::CancelRequested(self),
            Err(_) => Popped::Stub,
        }
    }

    /// The task's number.
    #[cfg(feature = "alloc")]
    pub(crate) fn id(&self) -> usize {
        self.0.header().id
    }

    /// The task's label, if it has one.
    #[cfg(feature = "alloc")]
    pub(crate) fn label(&self) -> Option<&Label> {
        self.0.label()
    }

    #[cfg(feature = "alloc")]
    /// Whether it is a pending task's, i.e. no stub.
    pub(crate) fn is_pending(&self) -> bool {
        self.0.header().state.is_pending()
    }

    /// Cancels the task because of `cause`; false if it is a stub.
    pub(crate) fn cancel(self, cause: Option<E>) -> bool {
        self.0.cancel(cause, None)
    }

    /// The same; before anybody can see it `keep` gets what is kept of the job.
    #[cfg(feature = "alloc")]
    pub(crate) fn cancel_keeping(self, cause: Option<E>, keep: impl Fn(KeptJob<S, E>)) -> bool {
        let mut with_job = |task: Live| {
            // SAFETY: the types are those with which the task was made, kept since.
            if let Some(job) = unsafe { task.keep_job::<S, E>() } {
                keep(job);
            }
        };
        self.0.cancel(cause, Some(&mut with_job))
    }

    /// Cancels the task without its home, which must not be counted on any more: nothing is counted, and the
    /// task is not timed.
    #[cfg(feature = "alloc")]
    pub(crate) fn orphan(self) {
        let task = ManuallyDrop::new(self).0;
        let state = &task.header().state;
        let _discarded = Finally(|| task.after(state.discard_entry().0));
        task.cancel_orphan();
        // Another canceller at its accounts has nobody to keep the home for it.
        while state.get().is_at_accounts() {
            spin_loop();
        }
    }
}

impl<S, E> Drop for TaskRef<S, E> {
    fn drop(&mut self) {
        // Without an entry nobody would come to resolve a pending task.
        self.0.cancel(None::<E>, None);
        let Header { vtable, home, ref state, .. } = *self.0.header();
        // SAFETY: the entry came out of the home's queue, or did not get in yet: the home is alive.
        unsafe { (vtable.retain)(home) };
        let (goodbye, canceller_at_accounts) = state.discard_entry();
        if !canceller_at_accounts {
            // SAFETY: retained above.
            unsafe { (vtable.release)(home) };
        }
        self.0.after(goodbye);
    }
}

/// A task that this worker must run.
#[must_use]
pub(crate) struct Claimed<S, E>(Live, OfTypes<S, E>);

impl<S, E> Claimed<S, E> {
    /// Announces the job to the seat on which it will run; see [`Job::announce`](super::Job::announce).
    pub(crate) fn announce(&mut self, seat: &mut S) -> bool {
        // SAFETY: the types are those with which the task was made, kept since by `TaskRef`.
        unsafe { self.0.announce(seat) }
    }

    /// Whether it is timed: if not, nobody will ask how long it has waited or run.
    pub(crate) fn is_timed(&self) -> bool {
        self.0.submitted() != Instant::UNKNOWN
    }

    /// T10: the task is pending again, and its entry is the caller's.
    pub(crate) fn give_back(self) -> TaskRef<S, E> {
        self.0.header().state.give_back();
        TaskRef(self.0, PhantomData)
    }

    /// Runs it; its end is not published yet.
    pub(crate) fn run(self, seat: &mut S, clocked: &Clocked<'_>) -> Finished {
        // SAFETY: the types are those with which the task was made, kept since by `TaskRef`.
        let end = unsafe { self.0.run(seat, clocked) };
        Finished { task: self.0, end }
    }
}

/// A task that has run and whose end is published when this is dropped.
#[must_use]
pub struct Finished {
    task: Live,
    end: End,
}

// SAFETY: a finished task's resolver may be any thread: outcome and callbacks are `Send`.
unsafe impl Send for Finished {}

impl Finished {
    /// For a task that was claimed inline.
    pub(super) fn new(task: Live, end: End) -> Self {
        Self { task, end }
    }

    /// Whether to publish the end runs users' code, as things are.
    pub(crate) fn is_loud(&self) -> bool {
        self.task.header().state.get().is_loud()
    }

    /// Publishes the end; true if somebody slept and was woken. Calls `loud` before users' code, if there is some.
    pub(crate) fn publish(self, loud: impl FnOnce()) -> bool {
        let this = ManuallyDrop::new(self);
        this.task.publish_and(this.end, loud).is_waited_for()
    }

    /// Notes when it ran.
    pub(crate) fn ran(&self, started: Instant, ended: Instant) {
        self.task.ran(started, ended);
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        let _ = self.task.publish(self.end);
    }
}
