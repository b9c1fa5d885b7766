//! A live task: what its parties do with it, each step with the right that it needs.
//!
//! The rights are those of `state` (S1 to S5); why the home is alive is argued in `home`, *Its lifetime*.

use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};
use core::time::Duration;

use super::cell::{Header, Task, take_job};
#[cfg(feature = "alloc")]
use super::finally::Finally;
#[cfg(feature = "alloc")]
use super::job::KeptJob;
#[cfg(feature = "alloc")]
use super::job::Label;
use super::job::Receipt;
use super::running::{Clocked, Withdrawn};
use super::state::{End, Goodbye, Snapshot, State};
use crate::clock::Instant;

/// A task that is live: what its three parties do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Live(NonNull<Header>);

impl Live {
    /// The task at that address. The caller is one of its parties.
    pub(super) fn new(task: NonNull<Header>) -> Self {
        Self(task)
    }

    /// Its address.
    pub(super) fn address(self) -> NonNull<Header> {
        self.0
    }

    pub(super) fn header(&self) -> &Header {
        // SAFETY: S3: a party that has not said goodbye keeps the task, and `Live` is used by
        // parties only.
        unsafe { self.0.as_ref() }
    }

    /// Runs the job. The caller claimed the task (T1, T2).
    ///
    /// # Safety
    ///
    /// `S` is the seat's type for which the task was made.
    pub(super) unsafe fn run<S>(self, seat: &mut S, clocked: &Clocked<'_>) -> End {
        // SAFETY: the caller claimed the task and vouches for the seat's type.
        unsafe { (self.header().vtable.run)(self.0, ptr::from_mut(seat).cast(), clocked) }
    }

    /// Announces the job. The caller claimed the task (T1).
    ///
    /// # Safety
    ///
    /// `S` is the seat's type for which the task was made.
    pub(super) unsafe fn announce<S>(self, seat: &mut S) -> bool {
        // SAFETY: the caller claimed the task and vouches for the seat's type.
        unsafe { (self.header().vtable.announce)(self.0, ptr::from_mut(seat).cast()) }
    }

    /// The moment of the submit. The caller is the task's resolver, and has not written durations.
    pub(super) fn submitted(self) -> Instant {
        // SAFETY: S1: the resolver alone touches the cell.
        let [submitted, _] = self.header().times.with(|times| unsafe { *times });
        Instant::from_nanos(submitted)
    }

    /// The label, if there is one.
    #[cfg(feature = "alloc")]
    pub(super) fn label(&self) -> Option<&Label> {
        let label = self.header().vtable.label?;
        // SAFETY: the task is live, and the functions of its table are for it.
        let label = unsafe { label(self.0) };
        // SAFETY: it is written before the push, and stays for as long as the task (S3), which the
        // caller, a party, keeps while it borrows.
        Some(unsafe { &*label })
    }

    /// Writes the durations of a task that ran, if they are known. The caller is its resolver.
    pub(super) fn ran(self, started: Instant, ended: Instant) {
        self.header().times.with_mut(|times| {
            // SAFETY: S1: the resolver alone touches the cell.
            let times = unsafe { &mut *times };
            let submitted = Instant::from_nanos(times[0]);
            if submitted == Instant::UNKNOWN {
                return;
            }
            let pending = started.since(submitted);
            *times = [as_nanos(pending), as_nanos(ended.since(started))];
        });
    }

    /// The two durations, if the task was timed. The caller saw an end.
    pub(super) fn durations(self) -> Option<[Duration; 2]> {
        // SAFETY: after the publication nobody writes them.
        let times = self.header().times.with(|times| unsafe { *times });
        let is_timed = times[0] != Instant::UNKNOWN.as_nanos();
        is_timed.then(|| times.map(Duration::from_nanos))
    }

    /// T3: cancels a pending task: drops its job, or gives it to `with_job`; false if the task is
    /// not pending. The job's destructor may already have the room that the task took up.
    pub(super) fn cancel<E>(
        self,
        cause: Option<E>,
        with_job: Option<&mut dyn FnMut(Self)>,
    ) -> bool {
        let header = self.header();
        if !header.state.begin_cancel() {
            return false;
        }
        let mut ending = Ending { task: self, end: End::Cancelled { with_cause: false } };
        // SAFETY: the home is alive: `home`, *Its lifetime*.
        unsafe { (header.vtable.left_pending)(header.home) };
        match with_job {
            Some(with_job) => with_job(self),
            // SAFETY: S1: this thread left pending.
            None => unsafe { (header.vtable.drop_job)(self.0) },
        }
        if let Some(cause) = cause {
            let cause = ManuallyDrop::new(cause);
            // SAFETY: S1, the job is gone, and the failure is given up.
            unsafe { (header.vtable.put_failure)(self.0, (&raw const cause).cast()) };
            ending.end = End::Cancelled { with_cause: true };
        }
        true
    }

    /// T3 for a task whose home is on its way out, and is not told.
    #[cfg(feature = "alloc")]
    pub(super) fn cancel_orphan(self) {
        if !self.header().state.begin_cancel() {
            return;
        }
        let _ended = Finally(|| {
            let submitted = self.submitted();
            self.ran(submitted, submitted);
            let _ = self.publish(End::Cancelled { with_cause: false });
        });
        // SAFETY: S1: this thread left pending.
        unsafe { (self.header().vtable.drop_job)(self.0) };
    }

    /// Moves what is kept of the job out of a task that this thread is cancelling.
    ///
    /// # Safety
    ///
    /// The task was made with these types.
    #[cfg(feature = "alloc")]
    pub(super) unsafe fn keep_job<S, E>(self) -> Option<KeptJob<S, E>> {
        let mut kept = MaybeUninit::<Option<KeptJob<S, E>>>::uninit();
        // SAFETY: S1: this thread left pending and has not touched the cell; the caller vouches for
        // the types.
        unsafe { (self.header().vtable.keep_job)(self.0, kept.as_mut_ptr().cast()) };
        // SAFETY: it was just written.
        unsafe { kept.assume_init() }
    }

    /// Moves the job out of a task that this thread is cancelling.
    ///
    /// # Safety
    ///
    /// The task was made with these types.
    pub(super) unsafe fn take_job<J, T, E>(self) -> J {
        // SAFETY: the caller vouches for the types.
        let stage = unsafe { Task::<J, T, E>::stage_of(self.0) };
        // SAFETY: S1: this thread left pending and has not touched the cell.
        self.header().stage.with_mut(|_| unsafe { take_job(stage) })
    }

    /// The entry of a withdrawn task is a stub. The caller knows that the home is alive, and is the
    /// task's resolver.
    fn cancelled(self, waited: Duration) {
        let header = self.header();
        let task = Withdrawn::new(&self, waited);
        // SAFETY: the home is alive: `home`, *Its lifetime*.
        unsafe { (header.vtable.cancelled)(header.home, &task) };
    }

    /// The entry of a task that was claimed inline is a stub. The caller knows that the home is
    /// alive.
    pub(super) fn claimed_inline(self) {
        let header = self.header();
        // SAFETY: the home is alive: `home`, *Its lifetime*.
        unsafe { (header.vtable.withdrawn)(header.home) };
        // SAFETY: as above.
        unsafe { (header.vtable.left_pending)(header.home) };
    }

    /// A task that was claimed inline is over. The caller keeps the home, and the task.
    pub(super) fn ran_inline(self) {
        let header = self.header();
        // SAFETY: the home is alive: `home`, *Its lifetime*.
        unsafe { (header.vtable.ran_inline)(header.home) };
    }

    /// Whether the home wants its running tasks to stop. The caller runs in this task, so its worker
    /// keeps the home.
    pub(super) fn asks_to_stop(self) -> bool {
        let header = self.header();
        // SAFETY: the home is alive: `home`, *Its lifetime*.
        unsafe { (header.vtable.asks_to_stop)(header.home) }
    }

    /// The moment by the home's clock. The caller knows that the home is alive.
    pub(super) fn now(self) -> Instant {
        let header = self.header();
        // SAFETY: the home is alive: `home`, *Its lifetime*.
        unsafe { (header.vtable.now)(header.home) }
    }

    /// T4, T5: publishes the end, tells the waiter and the callbacks; or T11. The value found.
    pub(super) fn publish(self, end: End) -> Snapshot {
        self.publish_and(end, || ())
    }

    /// The same; `loud` is called once the waiter is woken, if callbacks run, or an outcome is dropped.
    pub(super) fn publish_and(self, end: End, loud: impl FnOnce()) -> Snapshot {
        let header = self.header();
        // Handed in when this function is left, in whatever way.
        let _receipt = self.receipt(end);
        let before = match header.state.publish(end) {
            Ok(before) => before,
            Err(alone) => {
                let _freed = Freed(self);
                loud();
                // SAFETY: S4: there is no handle, so the outcome is the resolver's.
                unsafe { (header.vtable.drop_outcome)(self.0, end) };
                return alone;
            }
        };
        if !State::must_settle(before) {
            return before;
        }
        // Told when this function is left, even if the waker panics.
        let _others = Others { task: self, before, end };
        if before.is_waited_for() {
            // SAFETY: S5: the end is published and `WAITER` was set, so the slot is the resolver's.
            let waker = header.waker.with_mut(|waker| unsafe { (*waker).take() });
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        if before.is_loud() {
            loud();
        }
        before
    }

    /// The receipt of an output, if it has one. The caller is the task's resolver and has not
    /// published.
    fn receipt(self, end: End) -> Option<Receipt> {
        let take = self.header().vtable.receipt.filter(|_| end == End::Completed)?;
        // SAFETY: S1, and a completed task's cell holds its output.
        unsafe { take(self.0) }
    }

    /// Frees the task if that goodbye was the last.
    pub(super) fn after(self, goodbye: Goodbye) {
        if goodbye == Goodbye::Last {
            self.free();
        }
    }

    /// Frees the task. The caller is the last (S3).
    pub(super) fn free(self) {
        // SAFETY: S3.
        unsafe { (self.header().vtable.free)(self.0) };
    }

    /// Drops the outcome of a task that is over. The caller has the right to it (S4).
    pub(super) fn drop_outcome(self, end: End) {
        // SAFETY: S4.
        unsafe { (self.header().vtable.drop_outcome)(self.0, end) };
    }

    /// The output or the failure, where it is.
    ///
    /// # Safety
    ///
    /// The caller has the right to the outcome (S4), `R` is its type, and it is not moved out while the
    /// reference is used.
    pub(super) unsafe fn look_at_outcome<'t, R>(self) -> &'t R {
        let header = self.header();
        // SAFETY: the task is live, and the functions of its table are for it.
        let outcome = unsafe { (header.vtable.stage)(self.0) }.cast::<R>();
        // SAFETY: by the caller's promise; a content starts where the stage does.
        header.stage.with(|_| unsafe { &*outcome })
    }

    /// Moves the output (`FAILURE` false) or the failure out.
    ///
    /// # Safety
    ///
    /// The caller has the right to the outcome (S4), `R` is its type, and it is moved out once.
    pub(super) unsafe fn take_outcome<R, const FAILURE: bool>(self) -> R {
        let vtable = self.header().vtable;
        let take = if FAILURE { vtable.take_failure } else { vtable.take_output };
        let mut to = MaybeUninit::<R>::uninit();
        // SAFETY: by the caller's promise.
        unsafe { take(self.0, to.as_mut_ptr().cast()) };
        // SAFETY: it was just written.
        unsafe { to.assume_init() }
    }
}

/// What a resolver must do beside waking the waiter: run the callbacks, and settle with the handle,
/// whatever the destructor of an outcome without one does.
struct Others {
    task: Live,
    before: Snapshot,
    end: End,
}

impl Drop for Others {
    fn drop(&mut self) {
        let Self { task, before, end } = *self;
        let _settled = Settled(task);
        let header = task.header();
        if before.is_observed() {
            header.callbacks.run_all(header.state.get().status());
        }
        if before.has_no_handle() {
            // SAFETY: S4: there is no handle, so the outcome is the resolver's.
            unsafe { (header.vtable.drop_outcome)(task.0, end) };
        }
    }
}

/// T11: a task that is freed, whatever its outcome's destructor does.
struct Freed(Live);

impl Drop for Freed {
    fn drop(&mut self) {
        self.0.free();
    }
}

/// A resolver's last step.
struct Settled(Live);

impl Drop for Settled {
    fn drop(&mut self) {
        self.0.after(self.0.header().state.settle());
    }
}

/// A cancellation that must be published, whatever the job's destructor does.
struct Ending {
    task: Live,
    end: End,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Header { vtable, home, .. } = *self.task.header();
        let now = self.task.now();
        let waited = now.since(self.task.submitted());
        self.task.ran(now, now);
        self.task.cancelled(waited);
        if self.task.publish(self.end).has_no_entry() {
            // SAFETY: the entry was discarded while this thread was at its accounts, so a retained
            // reference was left to it.
            unsafe { (vtable.release)(home) };
        }
    }
}

fn as_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
