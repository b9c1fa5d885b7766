//! An ordered map over an iterator, in chunks.

use std::hint::black_box;
use std::time::Instant;

use crate::pool::Pool;
use crate::stats::median;

pub(super) const CHUNK_SIZE: usize = 1000;

/// Cheap, yet not something the compiler can sum up in a closed form.
pub(super) fn trivial(item: u64) -> u64 {
    (item ^ 0x5555).rotate_left(1)
}

/// Median nanoseconds per item of `repetitions` maps.
pub(super) fn ordered<P: Pool>(workers: usize, items: u64, repetitions: usize) -> f64 {
    let pool = P::new(workers);
    let nanos = nanos_per_item(items, repetitions, |mut digest| {
        pool.map(0..black_box(items), CHUNK_SIZE, trivial, |value| digest.add(value));
        digest
    });
    pool.shutdown();
    nanos
}

/// Depends on every value and on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    sum: u64,
    falls: u64,
    last: u64,
}

impl Digest {
    pub(super) fn add(&mut self, value: u64) {
        self.sum = self.sum.wrapping_add(value);
        self.falls += u64::from(value < self.last);
        self.last = value;
    }
}

/// Times `map`, which adds every value to the digest that it is given.
pub(super) fn nanos_per_item(
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
