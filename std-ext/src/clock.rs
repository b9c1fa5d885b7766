//! The operating system's monotonic clock as the core's.

use core::time::Duration;
use std::sync::OnceLock;
use std::time::Instant as StdInstant;

use asyncpal_core::clock::{Clock, Instant};

/// Nanoseconds since the first look at it in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdClock;

static ORIGIN: OnceLock<StdInstant> = OnceLock::new();

impl Clock for StdClock {
    fn now(&self) -> Instant {
        let origin = ORIGIN.get_or_init(StdInstant::now);
        // 584 years.
        Instant::from_nanos(origin.elapsed().as_nanos() as u64)
    }
}

impl StdClock {
    /// The same moment by the standard library's clock.
    pub fn to_std(self, moment: Instant) -> StdInstant {
        *ORIGIN.get_or_init(StdInstant::now) + Duration::from_nanos(moment.as_nanos())
    }
}

/// A moment up to which to wait, if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    /// So long from now; never, if no clock will show that moment.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(StdClock.now().after(timeout))
    }

    /// At that moment.
    pub(crate) const fn at(end: Option<Instant>) -> Self {
        Self(end)
    }

    pub(crate) const fn is_never(self) -> bool {
        self.0.is_none()
    }

    /// What is left: `None` if there is no end, zero if it is past.
    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|end| end.since(StdClock.now()))
    }
}
