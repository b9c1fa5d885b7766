//! Pauses between looks for what nobody tells of.

use core::time::Duration;

use crate::clock::Deadline;
use crate::sync::thread::pause;

/// How long the next pause is: none at first, but that others go on; then each is twice as long as the one before.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Pauses {
    const SHORTEST: Duration = Duration::from_micros(10);
    const LONGEST: Duration = Duration::from_millis(10);

    /// The first comes next.
    pub(super) const fn new() -> Self {
        Self(Duration::ZERO)
    }

    /// Makes a pause, which ends at the deadline; false if that is past.
    pub(super) fn pause(&mut self, deadline: Deadline) -> bool {
        let left = deadline.left().unwrap_or(Duration::MAX);
        if left.is_zero() {
            return false;
        }
        pause(self.0.min(left));
        self.0 = (2 * self.0).clamp(Self::SHORTEST, Self::LONGEST);
        true
    }
}
