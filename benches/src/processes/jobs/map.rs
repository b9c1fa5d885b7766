//! An ordered map in ten chunks.

use std::hint::black_box;

use crate::mapping::nanos_per_item;
use crate::processes::pool::Pool;

pub(crate) const CHUNKS: usize = 10;

/// Median nanoseconds per item of `repetitions` maps.
pub(crate) fn ordered<P: Pool>(workers: usize, items: u64, repetitions: usize) -> f64 {
    let pool = P::new(workers);
    let nanos = nanos_per_item(items, repetitions, |mut digest| {
        pool.map(black_box(items), items as usize / CHUNKS, |value| digest.add(value));
        digest
    });
    pool.shutdown();
    nanos
}
