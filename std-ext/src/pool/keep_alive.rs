//! How long idle workers stay: a setting that may change while they sleep.

use core::time::Duration;

use crate::sync::{AtomicUsize, Ordering};

/// How long idle workers stay: milliseconds, so that one word holds it on every target.
#[derive(Debug)]
pub(super) struct KeepAlive(AtomicUsize);

impl KeepAlive {
    const FOR_EVER: usize = usize::MAX;

    pub(super) fn new(time: Option<Duration>) -> Self {
        Self(AtomicUsize::new(Self::millis(time)))
    }

    /// Rounded up; more milliseconds than a word holds are for ever.
    fn millis(time: Option<Duration>) -> usize {
        time.map_or(Self::FOR_EVER, |time| {
            usize::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(Self::FOR_EVER)
        })
    }

    pub(super) fn get(&self) -> Option<Duration> {
        // ORDERING: Relaxed: a setting; workers are woken after a change.
        let millis = self.0.load(Ordering::Relaxed);
        (millis != Self::FOR_EVER).then(|| Duration::from_millis(millis as u64))
    }

    pub(super) fn set(&self, time: Option<Duration>) {
        // ORDERING: Relaxed: as above.
        self.0.store(Self::millis(time), Ordering::Relaxed);
    }
}
