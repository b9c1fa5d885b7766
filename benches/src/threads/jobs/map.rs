//! An ordered map over an iterator, in chunks.

use std::hint::black_box;

use crate::mapping::{nanos_per_item, trivial};
use crate::threads::pool::Pool;

pub(crate) const CHUNK_SIZE: usize = 1000;

/// Median nanoseconds per item of `repetitions` maps.
pub(crate) fn ordered<P: Pool>(workers: usize, items: u64, repetitions: usize) -> f64 {
    let pool = P::new(workers);
    let nanos = nanos_per_item(items, repetitions, |mut digest| {
        pool.map(0..black_box(items), CHUNK_SIZE, trivial, |value| digest.add(value));
        digest
    });
    pool.shutdown();
    nanos
}
