//! How a worker sleeps and how it is woken.
//!
//! A parker belongs to a worker's *slot*, not to the worker: it lives as long as the pool, so a
//! claimer that is slow to wake may wake a successor. That is why workers tolerate stale tokens,
//! and why a parker must not confuse them: it remembers one token, never more.

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
