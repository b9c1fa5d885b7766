//! An ordered map of trivial items: the function, and the evidence that nothing is lost or displaced.

use std::time::Instant;

use crate::timing::median;

/// Cheap, yet not something the compiler can sum up in a closed form.
pub(crate) fn trivial(item: u64) -> u64 {
    (item ^ 0x5555).rotate_left(1)
}

/// Depends on every value and on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    sum: u64,
    falls: u64,
    last: u64,
}

impl Digest {
    pub(crate) fn add(&mut self, value: u64) {
        self.sum = self.sum.wrapping_add(value);
        self.falls += u64::from(value < self.last);
        self.last = value;
    }
}

/// Times `map`, which adds every value to the digest that it is given.
pub(crate) fn nanos_per_item(
    items: u64,
    repetitions: usize,
    map: impl Fn(Digest) -> Digest,
) -> f64 {
    let mut expected = Digest::default();
    (0..items).map(trivial).for_each(|value| expected.add(value));

    let timed = || {
        let begun = Instant::now();
        let digest = map(Digest::default());
        let elapsed = begun.elapsed();
        assert_eq!(digest, expected, "every item once and in order");
        elapsed.as_nanos() as f64 / items as f64
    };
    timed();
    timed();
    median((0..repetitions).map(|_| timed()).collect()).expect("at least one repetition")
}
