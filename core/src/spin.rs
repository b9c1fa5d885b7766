//! How long a caller looks for its outcome before it sleeps.
//!
//! Looking for a few microseconds saves two context switches if the outcome is about to come, and is
//! wasted if it is not. So it is done on credit: every hit pays for two misses, up to eight. It lasts
//! twice as long as has lately been enough, within limits. Without credit every 32nd wait is a *trial*,
//! long enough for a worker that must be woken first: after it caller and worker are both awake, and
//! each finds the other soon. So is the first wait after a miss that ends a long run of hits: one
//! disturbance puts everybody to sleep.

use crate::sync::LOOKS;

/// The credit of one waiting thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credit {
    left: u8,
    /// Waits until the next trial, if there is no credit.
    until_trial: u8,
    /// How many looks hits have lately taken.
    needed: usize,
    /// Hits in a row.
    run: u8,
    /// The last wait was a miss after a long run of hits: everybody has fallen asleep, perhaps only for once.
    was_disturbed: bool,
}

impl Credit {
    const FULL: u8 = 8;
    /// So many misses are paid for by a hit: it pays off while one look in three does.
    const PER_HIT: u8 = 2;
    const TRIAL_EVERY: u8 = 32;
    const LONG_RUN: u8 = 16;
    /// A halted processor takes tens of microseconds to wake, and more than one may have to.
    const TRIAL_LOOKS: usize = 100 * LOOKS;
    /// Some tens of microseconds: as much as it may cost to wake a processor.
    const MOST_LOOKS: usize = 25 * LOOKS;

    /// No credit; the first wait is a trial.
    pub const fn new() -> Self {
        Self { left: 0, until_trial: 0, needed: 0, run: 0, was_disturbed: false }
    }

    /// How often to look before this wait.
    pub fn looks(&mut self) -> usize {
        if self.was_disturbed {
            return Self::TRIAL_LOOKS;
        }
        if self.left > 0 {
            return (2 * self.needed).clamp(LOOKS, Self::MOST_LOOKS);
        }
        if self.until_trial > 0 {
            self.until_trial -= 1;
            return 0;
        }
        Self::TRIAL_LOOKS
    }

    /// What came of it, if there was a look: after how many looks it paid off.
    #[cfg_attr(
        asyncpal_loom,
        expect(clippy::unnecessary_min_or_max, reason = "in a model nobody looks twice")
    )]
    pub fn settle(&mut self, hit: Option<usize>) {
        self.until_trial = Self::TRIAL_EVERY - 1;
        let Some(looks) = hit else {
            self.left = self.left.saturating_sub(1);
            self.was_disturbed = self.run >= Self::LONG_RUN;
            self.run = 0;
            return;
        };
        self.left = Self::FULL.min(self.left + Self::PER_HIT);
        self.needed = looks.min(Self::MOST_LOOKS).max(self.needed - self.needed / 8);
        self.run = self.run.saturating_add(1);
        self.was_disturbed = false;
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;

    /// The looks of so many waits, each of which ends as said if it looks for as long as that.
    fn waits(credit: &mut Credit, count: usize, hit: Option<usize>) -> Vec<usize> {
        let wait = |_| {
            let looks = credit.looks();
            if looks > 0 {
                credit.settle(hit.filter(|&hit| hit <= looks));
            }
            looks
        };
        (0..count).map(wait).collect()
    }

    #[test]
    fn without_credit_every_32nd_wait_is_a_long_trial() {
        let looks = waits(&mut Credit::new(), 64, None);

        let tried: Vec<_> = (0..64).filter(|&n| looks[n] > 0).collect();
        assert_eq!(tried, [0, 32]);
        assert_eq!(looks[32], Credit::TRIAL_LOOKS);
    }

    #[test]
    fn a_hit_pays_for_two_short_misses_and_several_for_eight() {
        for (hits, misses) in [(1, 2), (3, 6), (10, 8)] {
            let mut credit = Credit::new();
            waits(&mut credit, hits, Some(1));

            let looks = waits(&mut credit, misses + 1, None);

            assert_eq!(looks[..misses], vec![LOOKS; misses]);
            assert_eq!(looks[misses], 0);
        }
    }

    #[test]
    fn a_miss_after_a_long_run_of_hits_is_followed_by_one_trial() {
        let mut credit = Credit::new();
        waits(&mut credit, Credit::LONG_RUN.into(), Some(1));

        let looks = waits(&mut credit, 3, None);

        assert_eq!(looks, [LOOKS, Credit::TRIAL_LOOKS, LOOKS]);
    }

    #[test]
    fn hits_that_take_longer_are_waited_for_twice_as_long() {
        let mut credit = Credit::new();

        let looks = waits(&mut credit, 3, Some(3 * LOOKS));

        assert_eq!(looks, [Credit::TRIAL_LOOKS, 6 * LOOKS, 6 * LOOKS]);
        let looks = waits(&mut credit, 40, Some(1));
        assert!(looks.is_sorted_by(|before, after| before >= after) && looks[39] == LOOKS);
    }

    #[test]
    fn a_hit_in_a_trial_is_followed_by_two_long_looks() {
        let looks = waits(&mut Credit::new(), 4, Some(Credit::TRIAL_LOOKS));

        assert_eq!(looks, [Credit::TRIAL_LOOKS, Credit::MOST_LOOKS, Credit::MOST_LOOKS, 0]);
    }

    use std::{vec, vec::Vec};
}
