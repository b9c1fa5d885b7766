//! Arithmetic of chunks: how many, how large.

#![forbid(unsafe_code)]

use core::num::NonZeroUsize;
use core::ops::Range;

/// Number of chunks of at most `chunk_size` items that `len` items make.
pub const fn count(len: usize, chunk_size: NonZeroUsize) -> usize {
    len.div_ceil(chunk_size.get())
}

/// The ranges of the chunks of `len` items, in order, none empty, all but the last of
/// `chunk_size` items.
///
/// ```
/// # extern crate asyncpal_core as asyncpal;
/// use core::num::NonZeroUsize;
///
/// let size = NonZeroUsize::new(4).unwrap();
/// let chunks: Vec<_> = asyncpal::chunk::ranges(10, size).collect();
/// assert_eq!(chunks, [0..4, 4..8, 8..10]);
/// ```
pub fn ranges(
    len: usize,
    chunk_size: NonZeroUsize,
) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
    (0..count(len, chunk_size)).map(move |index| {
        let start = index * chunk_size.get();
        start..len.min(start.saturating_add(chunk_size.get()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).expect("not zero")
    }

    #[test]
    fn no_items_make_no_chunk() {
        assert_eq!(ranges(0, size(3)).len(), 0);
    }

    #[test]
    fn a_chunk_larger_than_all_is_one_chunk() {
        assert!(ranges(5, size(usize::MAX)).eq(core::iter::once(0..5)));
    }

    #[test]
    fn chunks_cover_every_item_once_and_in_order() {
        for len in 0..40 {
            for n in 1..45 {
                let mut next = 0;
                for range in ranges(len, size(n)) {
                    assert_eq!(range.start, next);
                    assert!(!range.is_empty() && range.len() <= n);
                    next = range.end;
                }
                assert_eq!(next, len);
            }
        }
    }
}
