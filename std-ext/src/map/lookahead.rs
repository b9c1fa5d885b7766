//! How many chunks a lazy map has in flight.

use core::num::NonZeroUsize;

/// So many unless users say otherwise, if chunks are so brief that it takes them.
const MOST: usize = 32;

/// At most `limit` chunks in flight, which grows up to `most`.
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

    /// Twice as many, since the workers have run out of chunks while the caller was woken for one.
    pub(super) fn grow(&mut self) {
        self.limit = self.limit.saturating_add(self.limit.get()).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits from the first on, as far as they grow within ten steps.
    fn limits(mut lookahead: Lookahead) -> Vec<usize> {
        let limit = |_| {
            let limit = lookahead.limit().get();
            lookahead.grow();
            limit
        };
        let mut limits: Vec<_> = (0..10).map(limit).collect();
        limits.dedup();
        limits
    }

    #[test]
    fn it_grows_up_to_a_limit_unless_it_is_fixed_or_has_more_workers() {
        let fixed = |limit| Lookahead::fixed(NonZeroUsize::new(limit).expect("not zero"));

        assert_eq!(limits(Lookahead::for_workers(1)), [2, 4, 8, 16, 32]);
        assert_eq!(limits(Lookahead::for_workers(3)), [6, 12, 24, 32]);
        assert_eq!(limits(Lookahead::for_workers(20)), [40]);
        assert_eq!(limits(fixed(3)), [3]);
        assert_eq!(limits(fixed(usize::MAX)), [usize::MAX]);
    }
}
