//! The words of an index ring: a cycle, and in the low bits an index or a place in the ring.
//!
//! Cycles wrap. They are compared for equality only, so that a comparison is wrong only if exactly a
//! multiple of all cycles lies between.
#![forbid(unsafe_code)]

/// A position (cycle, j) or an entry (cycle, index).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<const N: usize>(pub(super) usize);

impl<const N: usize> Word<N> {
    pub(super) const INDEX_BITS: u32 = index_bits(N);
    const ONE_CYCLE: usize = 1 << Self::INDEX_BITS;
    const LOW: usize = Self::ONE_CYCLE - 1;

    pub(super) const fn new(cycle: usize, low: usize) -> Self {
        Self(cycle << Self::INDEX_BITS | low)
    }

    /// The j of a position, the index of an entry.
    pub(super) const fn low(self) -> usize {
        self.0 & Self::LOW
    }

    pub(super) const fn with_low(self, low: usize) -> Self {
        Self(self.0 & !Self::LOW | low)
    }

    pub(super) const fn in_cycle_of(self, other: Self) -> Self {
        other.with_low(self.low())
    }

    /// The position after this one.
    pub(super) const fn next(self) -> Self {
        if self.low() + 1 < N {
            Self(self.0 + 1)
        } else {
            Self(self.with_low(0).0.wrapping_add(Self::ONE_CYCLE))
        }
    }

    pub(super) const fn is_in_cycle_of(self, other: Self) -> bool {
        self.0 & !Self::LOW == other.0 & !Self::LOW
    }

    pub(super) const fn is_one_cycle_before(self, other: Self) -> bool {
        Self(self.0.wrapping_add(Self::ONE_CYCLE)).is_in_cycle_of(other)
    }

    /// How many positions it is from `earlier` to this one: at most N.
    pub(super) const fn distance_from(self, earlier: Self) -> usize {
        let round = if self.is_in_cycle_of(earlier) { 0 } else { N };
        round + self.low() - earlier.low()
    }
}

/// The bits that a number below `n` needs.
const fn index_bits(n: usize) -> u32 {
    usize::BITS - (n - 1).leading_zeros()
}

/// The positions of a ring of `n` indices after which its words repeat, where words have so many
/// bits: more than half of all words, and all of them if `n` is a power of two.
///
/// A thread must sleep in the middle of one operation while as many others are done, or a multiple
/// of that, or up to n − 1 fewer, for the ring to err.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_core as asyncpal;
/// use asyncpal::queue::lap;
///
/// // An hour at a million operations per second, and to the thousandth of a second.
/// assert_eq!(lap(1000, 32), 4_194_304_000);
/// // Half a million years.
/// assert_eq!(lap(1000, 64), 18_014_398_509_481_984_000);
/// ```
pub const fn lap(n: usize, word_bits: u32) -> u128 {
    (n as u128) << (word_bits - index_bits(n))
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_cycle_is_behind_no_other_when_cycles_wrap() {
        let last = Word::<5>::new(usize::MAX >> Word::<5>::INDEX_BITS, 4);

        let first = last.next();

        assert!(first == Word::new(0, 0));
        assert!(last.is_one_cycle_before(first));
        assert!(!first.is_one_cycle_before(last));
        assert_eq!(first.distance_from(last), 1);
    }

    #[test]
    fn words_repeat_after_more_than_half_of_all_their_values() {
        assert_eq!(lap(1, 32), 1 << 32);
        assert_eq!(lap(64, 32), 1 << 32);
        assert_eq!(lap(65, 32), 65 << 25);
        assert_eq!(lap(64, 64), 1 << 64);
        for n in 1..300 {
            assert!(lap(n, 32) > 1 << 31 && lap(n, 32) <= 1 << 32);
            assert!(lap(n, 64) > 1 << 63 && lap(n, 64) <= 1 << 64);
        }
    }
}
