//! The chunks of any length and size cover every item once, in order, and only the last is smaller.

use asyncpal_core::chunk;
use core::num::NonZeroUsize;

/// How many chunks are looked at; the first ones, if there are more.
const LOOKED_AT: usize = 1000;

/// Checks the chunks of `len` items.
pub fn check(len: usize, size: NonZeroUsize) {
    let ranges = chunk::ranges(len, size);

    let count = ranges.len();
    assert_eq!(count, chunk::count(len, size));
    let mut next = 0;
    for (index, range) in ranges.take(LOOKED_AT).enumerate() {
        assert_eq!(range.start, next);
        assert!(!range.is_empty() && range.len() <= size.get());
        assert!(range.len() == size.get() || index + 1 == count);
        next = range.end;
    }
    assert!(if count <= LOOKED_AT { next == len } else { next < len });
}
