//! How long a caller looks for its outcome before it sleeps.
//!
//! Looking for a few microseconds saves two context switches if the outcome is about to come, and is
//! wasted if it is not. So it is done on credit: full after a hit, one less with every miss. Without
//! credit every 32nd wait is a *trial*, long enough for a worker that must be woken first: after it
//! caller and worker are both awake, and each finds the other by short looks.

use crate::sync::LOOKS;

/// The credit of one waiting thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credit {
    left: u8,
    /// Waits until the next trial, if there is no credit.
    until_trial: u8,
}

impl Credit {
    const FULL: u8 = 8;
    const TRIAL_EVERY: u8 = 32;
    /// A halted processor takes tens of microseconds to wake.
    const TRIAL_LOOKS: usize = 40 * LOOKS;

    /// No credit; the first wait is a trial.
    pub const fn new() -> Self {
        Self { left: 0, until_trial: 0 }
    }

    /// How often to look before this wait.
    pub fn looks(&mut self) -> usize {
        if self.left > 0 {
            return LOOKS;
        }
        if self.until_trial > 0 {
            self.until_trial -= 1;
            return 0;
        }
        Self::TRIAL_LOOKS
    }

    /// What came of it, if there was a look.
    pub fn settle(&mut self, paid_off: bool) {
        self.left = if paid_off { Self::FULL } else { self.left.saturating_sub(1) };
        self.until_trial = Self::TRIAL_EVERY - 1;
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;

    /// The looks of so many waits, each of which ends as said.
    fn waits(credit: &mut Credit, count: usize, pays_off: bool) -> Vec<usize> {
        let wait = |_| {
            let looks = credit.looks();
            if looks > 0 {
                credit.settle(pays_off);
            }
            looks
        };
        (0..count).map(wait).collect()
    }

    #[test]
    fn without_credit_every_32nd_wait_is_a_long_trial() {
        let looks = waits(&mut Credit::new(), 64, false);

        let tried: Vec<_> = (0..64).filter(|&n| looks[n] > 0).collect();
        assert_eq!(tried, [0, 32]);
        assert_eq!(looks[32], Credit::TRIAL_LOOKS);
    }

    #[test]
    fn a_hit_gives_credit_for_eight_short_misses() {
        let mut credit = Credit::new();
        waits(&mut credit, 1, true);

        let looks = waits(&mut credit, 9, false);

        assert_eq!(looks[..8], [LOOKS; 8]);
        assert_eq!(looks[8], 0);
    }

    use std::vec::Vec;
}
