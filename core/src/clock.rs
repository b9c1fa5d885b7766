//! Time as the core sees it: a number of nanoseconds that only grows.
//!
//! The core keeps no clock of its own; the worker kind brings one.
#![forbid(unsafe_code)]

use core::time::Duration;

use crate::sync::{AtomicUsize, Ordering};

/// A moment: nanoseconds since an origin that the clock chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// In the place of one at which nobody has looked at the clock. No clock ever shows it.
    pub(crate) const UNKNOWN: Self = Self(u64::MAX);

    /// The moment `nanoseconds` after the clock's origin.
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to here, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` from here, or `None` if no clock will ever show it.
    pub fn after(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }
}

/// A source of moments. It never goes back.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Instant;
}

/// A clock that moves when it is told to: for models and tests.
#[derive(Debug)]
pub struct ManualClock {
    // ORDERING: Relaxed throughout: the clock orders nothing but itself.
    nanos: AtomicUsize,
}

impl ManualClock {
    /// A clock that shows its origin.
    pub fn new() -> Self {
        Self { nanos: AtomicUsize::new(0) }
    }

    /// Moves the clock on. On a target with 32-bit words it goes round after 4.29 seconds.
    pub fn advance(&self, duration: Duration) {
        // ORDERING: Relaxed: see the field.
        self.nanos.fetch_add(duration.as_nanos() as usize, Ordering::Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        // ORDERING: Relaxed: see the field.
        Instant(self.nanos.load(Ordering::Relaxed) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_beyond_all_clocks_is_none() {
        assert_eq!(Instant::from_nanos(1).after(Duration::MAX), None);
    }

    #[test]
    fn the_time_since_a_later_moment_is_zero() {
        let (early, late) = (Instant::from_nanos(1), Instant::from_nanos(9));

        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.since(early), Duration::from_nanos(8));
    }
}
