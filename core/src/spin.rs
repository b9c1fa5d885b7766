//! Whether spinning has lately paid off.
//!
//! Looking again for a few microseconds before a sleep saves two context switches if what is waited
//! for is about to come, and is wasted if it is not. So it is done on credit: full after a hit, one
//! less with every miss; without credit it is tried every 32nd time all the same, to notice a
//! change.

/// The credit of one thread that waits.
#[derive(Clone, Copy, Debug)]
pub struct Credit {
    left: u8,
    /// Waits without credit until the next trial.
    until_trial: u8,
}

impl Credit {
    const FULL: u8 = 8;
    const TRIAL_EVERY: u8 = 32;

    /// Full credit.
    pub const fn new() -> Self {
        Self { left: Self::FULL, until_trial: 0 }
    }

    /// Whether to spin before this wait.
    pub fn ask(&mut self) -> bool {
        if self.left == 0 && self.until_trial > 0 {
            self.until_trial -= 1;
            return false;
        }
        true
    }

    /// What came of it.
    pub fn settle(&mut self, paid_off: bool) {
        self.left = if paid_off { Self::FULL } else { self.left.saturating_sub(1) };
        self.until_trial = Self::TRIAL_EVERY - 1;
    }
}

impl Default for Credit {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spins(credit: &mut Credit, waits: usize, pays_off: bool) -> usize {
        let spins = (0..waits).filter(|_| {
            let spins = credit.ask();
            if spins {
                credit.settle(pays_off);
            }
            spins
        });
        spins.count()
    }

    #[test]
    fn misses_use_the_credit_up_until_only_trials_are_left() {
        let mut credit = Credit::new();

        assert_eq!(spins(&mut credit, 8, false), 8);
        assert_eq!(spins(&mut credit, 320, false), 10);
    }

    #[test]
    fn one_hit_restores_the_credit() {
        let mut credit = Credit::new();
        spins(&mut credit, 100, false);
        while spins(&mut credit, 1, true) == 0 {}

        assert_eq!(spins(&mut credit, 50, true), 50);
    }
}
