//! How a worker sleeps and how it is woken.
//!
//! A parker belongs to a worker's *slot*, not to the worker: it lives as long as the pool, so a
//! claimer that is slow to wake may wake a successor. That is why workers tolerate stale tokens,
//! and why a parker must not confuse them: it remembers one token, never more.

use core::task::{RawWaker, RawWakerVTable, Waker};

use crate::clock::Instant;

/// Why a parked worker runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Unparked {
    /// A token was there or came.
    Woken,
    /// The deadline passed and no token came.
    TimedOut,
    /// What the worker needs for its work is gone (a child process that died while idle).
    SeatLost,
}

/// A slot's parker: a one-token semaphore with a deadline.
///
/// [`unpark`](Park::unpark) happens before the return of the [`park`](Park::park) that takes its
/// token. A token that is left while nobody is parked makes the next `park` return at once; two
/// tokens count as one.
pub trait Park: Send + Sync {
    /// Waits for a token, at most until `deadline`; takes the token. Only the slot's worker calls
    /// it. May return `Woken` without a token.
    fn park(&self, deadline: Option<Instant>) -> Unparked;

    /// Leaves a token and wakes the sleeper, if there is one; a system call only in that case.
    fn unpark(&self);
}

/// A waker that leaves a token in `parker`: for a caller that sleeps there.
///
/// It needs no memory of its own, because the parker stays for ever.
pub fn waker<P: Park>(parker: &'static P) -> Waker {
    /// Functions of one parker's type.
    struct Of<P>(P);

    impl<P: Park> Of<P> {
        const TABLE: RawWakerVTable =
            RawWakerVTable::new(Self::clone, Self::wake, Self::wake, |_| ());

        unsafe fn clone(parker: *const ()) -> RawWaker {
            RawWaker::new(parker, &Self::TABLE)
        }

        unsafe fn wake(parker: *const ()) {
            // SAFETY: it was made of a `&'static P` below.
            unsafe { &*parker.cast::<P>() }.unpark();
        }
    }

    let raw = RawWaker::new(core::ptr::from_ref(parker).cast(), &Of::<P>::TABLE);
    // SAFETY: the functions of the table expect a `&'static P`, which may be copied, shared between
    // threads (`Park: Sync`) and forgotten.
    unsafe { Waker::from_raw(raw) }
}
