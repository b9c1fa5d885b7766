//! What a word says: pure arithmetic on one bank.

use core::iter;

/// Workers per bank: two bits for each, and one for all.
pub(super) const BANK: usize = usize::BITS as usize / 2 - 1;

const LIVE: usize = (1 << BANK) - 1;

/// A value of a bank's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) usize);

impl Word {
    /// Somebody is about to look.
    pub(super) const CALLED: usize = 1 << (2 * BANK);

    pub(super) const fn live_bit(slot: usize) -> usize {
        1 << slot
    }

    pub(super) const fn idle_bit(slot: usize) -> usize {
        1 << (slot + BANK)
    }

    pub(super) const fn live(self) -> usize {
        self.0 & LIVE
    }

    pub(super) const fn idle(self) -> usize {
        self.0 >> BANK & LIVE
    }

    pub(super) const fn is_called(self) -> bool {
        self.0 & Self::CALLED != 0
    }

    /// The lowest idle worker, and the word after it is called.
    pub(super) fn call_idle(self) -> Option<(usize, Self)> {
        let slot = lowest(self.idle())?;
        Some((slot, Self(self.0 & !Self::idle_bit(slot) | Self::CALLED)))
    }

    /// The idle workers, the lowest first.
    pub(super) fn idle_slots(self) -> impl Iterator<Item = usize> {
        let mut idle = self.idle();
        iter::from_fn(move || {
            let slot = lowest(idle)?;
            idle &= idle - 1;
            Some(slot)
        })
    }

    /// The lowest free slot among the first `slots`, and the word with its live bit.
    pub(super) fn claim_free(self, slots: usize) -> Option<(usize, Self)> {
        let within = if slots >= BANK { LIVE } else { (1 << slots) - 1 };
        let slot = lowest(!self.live() & within)?;
        Some((slot, Self(self.0 | Self::live_bit(slot))))
    }
}

fn lowest(bits: usize) -> Option<usize> {
    (bits != 0).then(|| bits.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Bank, Census, banks_for};

    fn word(live: usize, idle: usize) -> Word {
        Word(live | (idle << BANK))
    }

    /// One word, and its distance from its neighbours, for each 31 workers (15 with 32-bit words).
    #[test]
    fn a_bank_counts_31_or_15_workers_in_one_word() {
        assert_eq!(BANK, if usize::BITS == 64 { 31 } else { 15 });
        assert_eq!(banks_for(BANK), 1);
        assert_eq!(banks_for(BANK + 1), 2);
        assert_eq!(size_of::<Bank>(), align_of::<Bank>());
        assert_eq!(size_of::<Census<[Bank; 2]>>(), 3 * size_of::<Bank>());
    }

    #[test]
    fn idle_workers_are_named_from_the_lowest_upwards() {
        assert!(word(LIVE, 0b1010).idle_slots().eq([1, 3]));
        assert!(word(LIVE, 0).idle_slots().eq([]));
        assert!(word(LIVE, LIVE).idle_slots().eq(0..BANK));
    }

    #[test]
    fn an_idle_worker_that_is_called_leaves_a_mark_beside_all_workers() {
        let (slot, called) = word(LIVE, LIVE).call_idle().expect("all are idle");

        assert_eq!((slot, called.is_called()), (0, true));
        assert_eq!(word(0b1111, 0b1010).call_idle().map(|(slot, _)| slot), Some(1));
        assert_eq!(word(0b1111, 0).call_idle(), None);
        assert_eq!((called.live(), called.idle()), (LIVE, LIVE & !1));
        assert!(!word(LIVE, LIVE).is_called());
    }

    #[test]
    fn the_lowest_free_slot_is_claimed_below_the_maximum() {
        assert_eq!(word(0b101, 0).claim_free(4), Some((1, word(0b111, 0))));
        assert_eq!(word(0b111, 0).claim_free(3), None);
        assert_eq!(word(LIVE, 0).claim_free(BANK), None);
        assert_eq!(word(LIVE >> 1, 0).claim_free(BANK), Some((BANK - 1, word(LIVE, 0))));
    }
}
