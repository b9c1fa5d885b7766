//! How long a caller looks for its outcome before it sleeps.
//!
//! Looking for a few microseconds saves two context switches if the outcome is about to come, and is
//! wasted if it is not. So it is done on credit: every hit pays for two misses, up to eight. It lasts
//! twice as long as has lately been enough, within limits. Without credit every 64th wait is a *trial*,
//! long enough for a worker that must be woken first: after it caller and worker are both awake, and
//! each finds the other soon. So is the first wait after a miss that ends a long run of hits: one
//! disturbance puts everybody to sleep. Where another process is in between, three parties must be awake at once, and
//! a round trip takes longer: hits are worth more time there, and a trial is followed by more long looks. Where a thread
//! must be born first, a hit is worth as much time as a long look takes.
#![forbid(unsafe_code)]

mod offers;

pub use offers::Offers;

use core::time::Duration;

use crate::sync::LOOKS;

/// Who was woken from so long a sleep need not look for more: whoever has let it sleep is not about to come back.
pub const LONG_SLEEP: Duration = Duration::from_micros(200);

/// In a model, where nobody looks at all, the limits must differ from each other all the same.
const UNIT: usize = if LOOKS == 0 { 1 } else { LOOKS };

/// The credit of one waiting thread, for one kind of wait.
#[derive(Clone, Copy, Debug)]
pub struct Credit {
    left: u8,
    /// Waits until the next trial, if there is no credit.
    until_trial: u8,
    /// How many looks hits have lately taken.
    needed: usize,
    /// Hits in a row.
    run: u8,
    /// The next wait is a trial, credit or not.
    is_trial_due: bool,
    between: Between,
}

/// What is between who waits and what is waited for.
#[derive(Clone, Copy, Debug)]
enum Between {
    Memory,
    /// Another process.
    Process,
    /// The birth of a thread.
    Birth,
}

impl Default for Credit {
    fn default() -> Self {
        Self::new()
    }
}

impl Credit {
    const FULL: u8 = 8;
    /// So many misses are paid for by a hit: it pays off while one look in three does.
    const PER_HIT: u8 = 2;
    const TRIAL_EVERY: u8 = 64;
    const LONG_RUN: u8 = 16;
    /// A halted processor takes tens of microseconds to wake, and more than one may have to.
    const TRIAL_LOOKS: usize = 100 * UNIT;
    /// After a trial somebody may still have to be woken.
    const LONG_LOOKS: usize = 25 * UNIT;
    /// A hit that takes more has cost more than it was worth, some ten microseconds: somebody could have worked on this
    /// processor.
    const WORTH_LOOKS: usize = 4 * UNIT;
    /// The same where a round trip takes that long if everybody is awake.
    const FAR_WORTH_LOOKS: usize = 8 * UNIT;
    /// What a trial pays for that has found something, though late: somebody may have had to be woken.
    const PER_TRIAL: u8 = Self::PER_HIT;
    /// The same where three parties have to be awake at once.
    const FAR_PER_TRIAL: u8 = 5;

    /// No credit; the first wait is a trial.
    pub const fn new() -> Self {
        Self {
            left: 0,
            until_trial: 0,
            needed: 0,
            run: 0,
            is_trial_due: false,
            between: Between::Memory,
        }
    }

    /// The same for waits that take a little longer, because another process is in between.
    pub const fn far() -> Self {
        Self { between: Between::Process, ..Self::new() }
    }

    /// The same for waits for a thread that was only just spawned.
    pub const fn born() -> Self {
        Self { between: Between::Birth, ..Self::new() }
    }

    const fn worth(&self) -> usize {
        match self.between {
            Between::Memory => Self::WORTH_LOOKS,
            Between::Process => Self::FAR_WORTH_LOOKS,
            Between::Birth => Self::LONG_LOOKS,
        }
    }

    /// How often to look before this wait.
    pub fn looks(&mut self) -> usize {
        if LOOKS == 0 {
            return 0;
        }
        if self.is_trial_due {
            return Self::TRIAL_LOOKS;
        }
        if self.left > 0 {
            return (2 * self.needed).clamp(UNIT, Self::LONG_LOOKS);
        }
        self.is_trial_due = self.until_trial == 0;
        if self.is_trial_due {
            return Self::TRIAL_LOOKS;
        }
        self.until_trial -= 1;
        0
    }

    /// What came of it, if there was a look: after how many looks it paid off.
    pub fn settle(&mut self, hit: Option<usize>) {
        self.until_trial = Self::TRIAL_EVERY - 1;
        let was_trial = core::mem::take(&mut self.is_trial_due);
        match hit {
            Some(looks) if looks <= self.worth() => {
                self.left = Self::FULL.min(self.left + Self::PER_HIT);
                let lately = self.needed.min(self.worth());
                self.needed = looks.max(lately - lately / 8);
                self.run = self.run.saturating_add(1);
            }
            Some(_) if was_trial => {
                self.left = match self.between {
                    Between::Process => Self::FAR_PER_TRIAL,
                    Between::Memory | Between::Birth => Self::PER_TRIAL,
                };
                self.needed = Self::LONG_LOOKS / 2;
            }
            _ => {
                self.left = self.left.saturating_sub(1);
                // Everybody has fallen asleep, perhaps only for once.
                self.is_trial_due = self.run >= Self::LONG_RUN;
                self.run = 0;
            }
        }
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;
    use std::{vec, vec::Vec};

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
    fn without_credit_every_64th_wait_is_a_long_trial() {
        let looks = waits(&mut Credit::new(), 128, None);

        let tried: Vec<_> = (0..128).filter(|&n| looks[n] > 0).collect();
        assert_eq!(tried, [0, 64]);
        assert_eq!(looks[64], Credit::TRIAL_LOOKS);
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

    /// A caller that waits for tasks of some tens of microseconds would take a processor away from the
    /// workers that run them.
    #[test]
    fn hits_that_take_too_long_give_no_credit_but_for_two_waits_after_a_trial() {
        let looks = waits(&mut Credit::new(), 4, Some(Credit::WORTH_LOOKS + 1));

        assert_eq!(looks, [Credit::TRIAL_LOOKS, Credit::LONG_LOOKS, Credit::LONG_LOOKS, 0]);
    }

    #[test]
    fn the_birth_of_a_thread_is_waited_for_as_long_as_it_takes() {
        let looks = waits(&mut Credit::born(), 20, Some(Credit::LONG_LOOKS));
        assert!(looks.iter().all(|&looks| looks > 0), "{looks:?}");

        let looks = waits(&mut Credit::born(), 20, Some(Credit::LONG_LOOKS + 1));
        assert_eq!(looks.iter().filter(|&&looks| looks > 0).count(), 3, "{looks:?}");
    }

    #[test]
    fn a_far_hit_is_worth_more_time_and_a_late_one_pays_for_five_more_after_a_trial() {
        let worth_it = Some(2 * Credit::WORTH_LOOKS);
        let looks = waits(&mut Credit::far(), 20, worth_it);
        assert!(looks.iter().all(|&looks| looks > 0), "{looks:?}");

        let late = Some(Credit::FAR_WORTH_LOOKS + 1);
        let looks = waits(&mut Credit::far(), 8, late);
        assert_eq!(looks.iter().filter(|&&looks| looks > 0).count(), 6, "{looks:?}");
    }
}
