//! The operating system's monotonic clock as the core's.

use core::time::Duration;
use std::time::Instant as StdInstant;

use asyncpal_core::clock::{Clock, Instant};

use crate::sync;
use crate::sync::program::OnceLock;

/// Nanoseconds since the first look at it in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdClock;

static ORIGIN: OnceLock<StdInstant> = OnceLock::new();

/// The present moment by the system's clock.
#[cfg_attr(asyncpal_loom, expect(dead_code, reason = "a model has a time of its own"))]
pub(crate) fn system_time() -> Instant {
    let origin = ORIGIN.get_or_init(StdInstant::now);
    // 584 years.
    Instant::from_nanos(origin.elapsed().as_nanos() as u64)
}

impl Clock for StdClock {
    fn now(&self) -> Instant {
        sync::now()
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

    /// The moment.
    pub(crate) const fn end(self) -> Option<Instant> {
        self.0
    }
}
