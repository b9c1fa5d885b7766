//! The operating system's monotonic clock as the core's.

use core::time::Duration;
use std::time::Instant as StdInstant;

use asyncpal_core::clock::{Clock, Instant};

use crate::once_box::OnceBox;
use crate::sync;

/// Nanoseconds since the first look at it in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdClock;

fn origin() -> StdInstant {
    static ORIGIN: OnceBox<StdInstant> = OnceBox::new();
    *ORIGIN.get_or_init(StdInstant::now)
}

/// The present moment by the system's clock.
#[cfg_attr(asyncpal_loom, expect(dead_code, reason = "a model has a time of its own"))]
pub(crate) fn system_time() -> Instant {
    // 584 years.
    Instant::from_nanos(origin().elapsed().as_nanos() as u64)
}

impl Clock for StdClock {
    fn now(&self) -> Instant {
        sync::now()
    }
}

impl StdClock {
    /// The same moment by the standard library's clock.
    pub fn to_std(self, moment: Instant) -> StdInstant {
        origin() + Duration::from_nanos(moment.as_nanos())
    }
}

/// A moment up to which to wait, or none: one timeout for several waits.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use core::time::Duration;
/// use asyncpal::{Deadline, ThreadPool, wait};
///
/// let pool = ThreadPool::new();
/// let first = [pool.submit(|| 1)?];
/// let second = [pool.submit(|| 2)?];
///
/// // A minute for both.
/// let deadline = Deadline::after(Duration::from_secs(60));
/// assert!(wait(&first, deadline.left()) && wait(&second, deadline.left()));
///
/// // Zero has expired; it does not mean "no timeout".
/// assert!(Deadline::after(Duration::ZERO).is_past());
/// assert_eq!(Deadline::NEVER.left(), None);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[doc(alias = "Countdown")]
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No end of waiting.
    pub const NEVER: Self = Self(None);

    /// So long from now; never, if that is `None` or no clock will show the moment.
    pub fn after(timeout: impl Into<Option<Duration>>) -> Self {
        Self(timeout.into().and_then(|timeout| StdClock.now().after(timeout)))
    }

    /// At that moment.
    pub(crate) const fn at(end: Option<Instant>) -> Self {
        Self(end)
    }

    /// What is left until then: zero if it is past, `None` if it never comes. It can be passed on as
    /// a timeout.
    pub fn left(self) -> Option<Duration> {
        self.0.map(|end| end.since(StdClock.now()))
    }

    /// Whether it has come.
    pub fn is_past(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// The one that comes first.
    pub(crate) fn or_earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(this), Some(that)) => Self(Some(this.min(that))),
            (this, that) => Self(this.or(that)),
        }
    }

    pub(crate) const fn is_never(self) -> bool {
        self.0.is_none()
    }

    /// The moment.
    pub(crate) const fn end(self) -> Option<Instant> {
        self.0
    }
}
