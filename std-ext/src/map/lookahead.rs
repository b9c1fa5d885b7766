//! How many chunks a lazy map has in flight.

use core::num::NonZeroUsize;

/// So many where chunks are brief, unless users say otherwise.
const MOST: usize = 32;

/// At most `limit` chunks in flight, or from some time on `most`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookahead {
    limit: NonZeroUsize,
    most: NonZeroUsize,
}

impl Lookahead {
    /// Always so many.
    pub(super) fn fixed(limit: NonZeroUsize) -> Self {
        Self { limit, most: limit }
    }

    /// At first two per worker: one at work, one behind it.
    pub(super) fn for_workers(count: usize) -> Self {
        let limit = NonZeroUsize::new(count.saturating_mul(2)).unwrap_or(NonZeroUsize::MIN);
        let most = NonZeroUsize::new(MOST).map_or(limit, |most| most.max(limit));
        Self { limit, most }
    }

    pub(super) fn limit(&self) -> NonZeroUsize {
        self.limit
    }

    /// From now on more, since the workers have run out of chunks while the caller was woken for one.
    pub(super) fn grow(&mut self) {
        self.limit = self.most;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit before and after it grows.
    fn limits(mut lookahead: Lookahead) -> [usize; 2] {
        let before = lookahead.limit();
        lookahead.grow();
        [before, lookahead.limit()].map(NonZeroUsize::get)
    }

    #[test]
    fn it_grows_unless_it_is_fixed_or_has_many_workers() {
        let three = NonZeroUsize::new(3).expect("not zero");

        assert_eq!(limits(Lookahead::for_workers(1)), [2, 32]);
        assert_eq!(limits(Lookahead::for_workers(3)), [6, 32]);
        assert_eq!(limits(Lookahead::for_workers(20)), [40, 40]);
        assert_eq!(limits(Lookahead::fixed(three)), [3, 3]);
    }
}
