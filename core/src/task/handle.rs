//! The caller's end of a task.

mod goodbye;

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::entry::Finished;
use super::live::Live;
#[cfg(feature = "alloc")]
use super::observers::ObserverId;
use super::running::Clocked;
#[cfg(doc)]
use super::running::Running;
use super::state::{Arm, Disarm, End};
use super::{Durations, Status};
use crate::clock::Instant;
use crate::error::Outcome;
use crate::park::{Park, Unparked, waker};
use crate::sync::spin_loop;

/// The caller's end of a task that returns a `T` or fails with an `E`.
///
/// Dropping it detaches the task: it runs all the same, and wakes nobody.
pub struct Handle<T, E> {
    task: Live,
    outcome: PhantomData<(T, E)>,
}

// SAFETY: the outcome moves with the handle; the rest of a task is made for sharing.
unsafe impl<T: Send, E: Send> Send for Handle<T, E> {}
// SAFETY: a shared handle gives no access to the outcome, but to who may share it (`peek`).
unsafe impl<T: Send, E: Send> Sync for Handle<T, E> {}

/// What became of a wish to be woken.
#[must_use]
pub enum Registration<'h, T, E> {
    /// The waker will be woken, once.
    Armed(Registered<'h, T, E>),
    /// The task is over.
    Done,
    /// Another waiter has the slot: use [`Handle::on_done`].
    Busy,
}

impl<T, E> Handle<T, E> {
    pub(super) fn new(task: Live) -> Self {
        Self { task, outcome: PhantomData }
    }

    /// The task's number in its pool: 1, 2, 3 … in the order of the submits.
    pub fn id(&self) -> usize {
        self.task.header().id
    }

    /// Identifies the engine to which the task was submitted, by address; not to be read through.
    pub fn home(&self) -> *const () {
        self.task.header().home
    }

    /// Where the task is: a snapshot.
    pub fn status(&self) -> Status {
        self.task.header().state.get().status()
    }

    /// True once the task is over and its outcome is there.
    pub fn is_done(&self) -> bool {
        self.task.header().state.get().end().is_some()
    }

    /// Whether the task runs [far away](crate::executor::WorkerKind::TAKES_AHEAD), so that waiting for it takes a little
    /// longer.
    pub fn is_far(&self) -> bool {
        self.task.header().vtable.is_far
    }

    /// True if the outcome was moved out.
    pub fn is_taken(&self) -> bool {
        self.task.header().state.get().is_taken()
    }

    /// How long the task waited and ran; `None` before it is over, and if it was
    /// [not timed](crate::executor::WorkerKind::times_tasks).
    pub fn durations(&self) -> Option<Durations> {
        if !self.is_done() {
            return None;
        }
        let [pending, running] = self.task.durations()?;
        Some(Durations { pending, running })
    }

    /// Cancels the task if it is pending: its closure is dropped here and now, and the handle
    /// resolves. False if the task has started or is over; one that has started is asked to stop, and
    /// sees it in [`Running::is_cancel_requested`].
    pub fn cancel(&self) -> bool {
        let cancelled = self.task.cancel(None::<E>, None);
        if !cancelled {
            self.task.header().state.request_cancel();
        }
        cancelled
    }

    /// True if a [`cancel`](Self::cancel) came while the task was running, or before.
    pub fn is_cancel_requested(&self) -> bool {
        let seen = self.task.header().state.get();
        seen.is_cancel_requested() || seen.status() == Status::Cancelled
    }

    /// Cancels the task if it is pending, and gives its job back.
    ///
    /// # Safety
    ///
    /// `J` is the type of the job with which the task was made.
    pub(crate) unsafe fn withdraw<J>(&self) -> Option<J> {
        let mut job = None;
        self.task.cancel(
            None::<E>,
            // SAFETY: the caller vouches for the types.
            Some(&mut |task| job = Some(unsafe { task.take_job::<J, T, E>() })),
        );
        job
    }

    /// Claims the task if it is pending and runs it here, with `seat`. False if it was not pending.
    ///
    /// # Safety
    ///
    /// The caller keeps the engine [`home`](Self::home), and `S` is its kind's seat.
    pub unsafe fn run_inline<S>(&self, seat: &mut S) -> bool {
        if !self.task.header().state.claim_inline() {
            return false;
        }
        self.task.claimed_inline();
        let started = self.task.now();
        let clocked = Clocked::new(started);
        // SAFETY: the caller vouches for the seat's type.
        let end = unsafe { self.task.run(seat, &clocked) };
        let finished = Finished::new(self.task, end);
        finished.ran(started, clocked.ended(|| self.task.now()));
        drop(finished);
        // Not before: this runs users' code, which may wait for this task.
        self.task.ran_inline();
        true
    }

    /// The outcome, in its place; `None` if the task is not over or the outcome was taken.
    pub fn peek(&self) -> Option<Outcome<&T, &E>>
    where
        T: Sync,
        E: Sync,
    {
        let seen = self.task.header().state.get();
        let end = seen.end()?;
        if seen.is_taken() {
            return None;
        }
        Some(match end {
            // SAFETY: S4, shared by all who share the handle, which `Sync` allows; taking it out needs
            // the handle for itself; the types are the handle's.
            End::Completed => Outcome::Completed(unsafe { self.task.look_at_outcome::<T>() }),
            // SAFETY: as above.
            End::Failed => Outcome::Failed(unsafe { self.task.look_at_outcome::<E>() }),
            End::Cancelled { with_cause: false } => Outcome::Cancelled(None),
            End::Cancelled { with_cause: true } => {
                // SAFETY: as above.
                Outcome::Cancelled(Some(unsafe { self.task.look_at_outcome::<E>() }))
            }
        })
    }

    /// Moves the outcome out; `None` if the task is not over or the outcome was taken before.
    pub fn take(&mut self) -> Option<Outcome<T, E>> {
        let end = self.task.header().state.get().end()?;
        if !self.task.header().state.take() {
            return None;
        }
        Some(match end {
            // SAFETY: S4; `take` lets one caller through; the types are the handle's.
            End::Completed => Outcome::Completed(unsafe { self.task.take_outcome::<T, false>() }),
            // SAFETY: as above.
            End::Failed => Outcome::Failed(unsafe { self.task.take_outcome::<E, true>() }),
            End::Cancelled { with_cause: false } => Outcome::Cancelled(None),
            End::Cancelled { with_cause: true } => {
                // SAFETY: as above.
                Outcome::Cancelled(Some(unsafe { self.task.take_outcome::<E, true>() }))
            }
        })
    }

    /// Waits, asleep in `parker`, and returns the outcome.
    ///
    /// # Panics
    ///
    /// If the outcome was taken before.
    pub fn join(mut self, parker: &'static impl Park) -> Outcome<T, E> {
        self.join_until(parker, None).expect("without a deadline it waits")
    }

    /// Waits, asleep in `parker`, at most until `deadline`; `None` if the task is not over by then.
    ///
    /// The parker may be left with a token.
    ///
    /// # Panics
    ///
    /// If the outcome was taken before.
    pub fn join_until(
        &mut self,
        parker: &'static impl Park,
        deadline: Option<Instant>,
    ) -> Option<Outcome<T, E>> {
        let waker = waker(parker);
        let mut context = Context::from_waker(&waker);
        let mut in_time = true;
        loop {
            match self.poll_outcome(&mut context) {
                Poll::Ready(outcome) => return Some(outcome),
                Poll::Pending if in_time => in_time = parker.park(deadline) != Unparked::TimedOut,
                Poll::Pending => return None,
            }
        }
    }

    /// Looks until the task is over, without sleeping, and returns the outcome.
    ///
    /// # Panics
    ///
    /// If the outcome was taken before.
    pub fn join_spinning(mut self) -> Outcome<T, E> {
        while !self.is_done() {
            spin_loop();
        }
        self.take().expect("the outcome of a task is taken once")
    }

    /// Asks that `waker` be woken when the task is over.
    pub fn register(&self, waker: &Waker) -> Registration<'_, T, E> {
        let state = &self.task.header().state;
        if state.get().end().is_some() {
            return Registration::Done;
        }
        // Users' code, as a waker's destructor is: it runs while nothing is half done.
        let waker = waker.clone();
        if !state.reserve_slot() {
            return Registration::Busy;
        }
        let (arm, _unused) = self.arm(waker);
        if arm == Arm::Armed {
            Registration::Armed(Registered { handle: self })
        } else {
            state.free_slot();
            Registration::Done
        }
    }

    /// Puts `waker` into the slot, which is this caller's. Also returns what is in nobody's use any more: the waker that
    /// was there, or this one if the task is over.
    fn arm(&self, waker: Waker) -> (Arm, Option<Waker>) {
        let header = self.task.header();
        // SAFETY: S5: the slot is this waiter's while `WAITER` is clear.
        let before = header.waker.with_mut(|slot| unsafe { (*slot).replace(waker) });
        let arm = header.state.arm();
        if arm == Arm::Armed {
            return (arm, before);
        }
        // SAFETY: S5: it was not armed, so the resolver does not look.
        (arm, header.waker.with_mut(|slot| unsafe { (*slot).take() }))
    }

    /// Takes an armed waker back, with the slot; `None` if the task is over.
    fn disarm(&self) -> Option<Waker> {
        let header = self.task.header();
        if header.state.disarm() == Disarm::Done {
            return None;
        }
        // SAFETY: S5: disarmed, so the slot is this waiter's again.
        header.waker.with_mut(|slot| unsafe { (*slot).take() })
    }

    /// One step of `.await`: the outcome, or the context's waker will be woken.
    ///
    /// # Panics
    ///
    /// If the outcome was taken before.
    pub fn poll_outcome(&mut self, context: &mut Context<'_>) -> Poll<Outcome<T, E>> {
        let state = &self.task.header().state;
        let seen = state.get();
        if seen.end().is_none() {
            let waker = context.waker().clone();
            // With an exclusive handle a reserved slot is an earlier poll's, i.e. this waiter's.
            let ours = !state.reserve_slot();
            if !(ours && seen.is_waited_for()) || state.disarm() == Disarm::Disarmed {
                let (arm, _unused) = self.arm(waker);
                if arm == Arm::Armed {
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(self.take().expect("the outcome of a task is taken once"))
    }
}

#[cfg(feature = "alloc")]
impl<T, E> Handle<T, E> {
    /// The task's label, if it has one.
    pub fn label(&self) -> Option<&str> {
        self.task.label().map(|label| &**label)
    }

    /// Calls `callback` with the status once the task is over: on the thread that ends it, or here
    /// and now (`None`) if it is over already.
    pub fn on_done(&self, callback: Box<dyn FnOnce(Status) + Send>) -> Option<ObserverId> {
        let header = self.task.header();
        let id = header.callbacks.add(callback);
        if header.state.observe() {
            // O2: over before the callback stood; whoever takes it out runs it.
            if let Some(callback) = header.callbacks.remove(id) {
                callback(header.state.get().status());
            }
            return None;
        }
        Some(id)
    }

    /// Removes a callback; false if it has run or was removed.
    pub fn remove_observer(&self, id: ObserverId) -> bool {
        self.task.header().callbacks.remove(id).is_some()
    }
}

impl<T, E> Unpin for Handle<T, E> {}

/// # Cancel safety
///
/// Strict: a dropped `.await` loses nothing while the handle is kept (await `&mut handle`).
///
/// # Panics
///
/// If it is polled again after it returned the outcome.
impl<T, E> Future for Handle<T, E> {
    type Output = Outcome<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<T, E>> {
        self.poll_outcome(context)
    }
}

impl<T, E> fmt::Debug for Handle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).field("status", &self.status()).finish()
    }
}

/// A waiter's claim on a task's waker slot; dropping it takes the waker back.
pub struct Registered<'h, T, E> {
    handle: &'h Handle<T, E>,
}

impl<T, E> Drop for Registered<'_, T, E> {
    fn drop(&mut self) {
        if let Some(_waker) = self.handle.disarm() {
            self.handle.task.header().state.free_slot();
        }
    }
}
