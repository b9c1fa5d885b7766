//! What a word says: pure arithmetic on one bank.

/// Workers per bank: half a word lives, half is idle.
pub(super) const BANK: usize = usize::BITS as usize / 2;

const LIVE: usize = (1 << BANK) - 1;

/// A value of a bank's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) usize);

impl Word {
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
        self.0 >> BANK
    }

    /// The lowest idle worker, and the word without its idle bit.
    pub(super) fn claim_idle(self) -> Option<(usize, Self)> {
        let slot = lowest(self.idle())?;
        Some((slot, Self(self.0 & !Self::idle_bit(slot))))
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

    /// One word, and its distance from its neighbours, for each 32 workers (16 with 32-bit words).
    #[test]
    fn a_bank_counts_half_a_word_of_workers_in_one_word() {
        assert_eq!(banks_for(BANK), 1);
        assert_eq!(banks_for(BANK + 1), 2);
        assert_eq!(size_of::<Bank>(), align_of::<Bank>());
        assert_eq!(size_of::<Census<[Bank; 2]>>(), 3 * size_of::<Bank>());
    }

    #[test]
    fn the_lowest_idle_worker_is_claimed() {
        assert_eq!(word(0b1111, 0b1010).claim_idle(), Some((1, word(0b1111, 0b1000))));
        assert_eq!(word(0b1111, 0).claim_idle(), None);
    }

    #[test]
    fn the_lowest_free_slot_is_claimed_below_the_maximum() {
        assert_eq!(word(0b101, 0).claim_free(4), Some((1, word(0b111, 0))));
        assert_eq!(word(0b111, 0).claim_free(3), None);
        assert_eq!(word(LIVE, 0).claim_free(BANK), None);
        assert_eq!(word(LIVE >> 1, 0).claim_free(BANK), Some((BANK - 1, word(LIVE, 0))));
    }
}
