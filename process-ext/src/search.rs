//! Looking into a pipe for a while before sleeping.

use asyncpal_core::spin::Credit;

/// How many times the cost of a look at memory is that of a look into a pipe.
const READ_COSTS_LOOKS: usize = 12;
/// At most so many looks in a row, some 150 µs: the other end may need this very processor.
const MOST: usize = 800;

/// One end's experience with that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    credit: Credit,
}

impl Search {
    pub(crate) const fn new() -> Self {
        Self { credit: Credit::new() }
    }

    /// Looks as often as has lately paid off, perhaps not at all, until something is found.
    pub(crate) fn search<T, E>(
        &mut self,
        mut look: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let looks = self.credit.looks().div_ceil(READ_COSTS_LOOKS).min(MOST);
        for looked in 1..=looks {
            if let Some(found) = look()? {
                self.credit.settle(Some(looked * READ_COSTS_LOOKS));
                return Ok(Some(found));
            }
        }
        if looks > 0 {
            self.credit.settle(None);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;

    #[test]
    fn a_search_that_pays_off_is_followed_by_another() {
        let mut search = Search::new();
        let mut looks = 0;
        let mut find_at = |nth: usize| {
            looks = 0;
            let found = search.search(|| {
                looks += 1;
                Ok::<_, Infallible>((looks == nth).then_some(()))
            });
            (found == Ok(Some(())), looks)
        };

        assert_eq!(find_at(3), (true, 3), "the first one is a trial");
        assert_eq!(find_at(3), (true, 3));
        let (found, looked) = find_at(usize::MAX);
        assert!(!found && (1..MOST).contains(&looked), "{looked} looks");
    }

    #[test]
    fn a_search_without_success_is_limited_and_not_repeated_at_once() {
        let mut search = Search::new();
        let mut looks = 0;
        for _ in 0..2 {
            let found = search.search(|| {
                looks += 1;
                Ok::<Option<()>, Infallible>(None)
            });
            assert_eq!(found, Ok(None));
        }

        assert_eq!(looks, MOST);
    }

    #[test]
    fn a_search_ends_with_the_first_error() {
        let found = Search::new().search(|| Err::<Option<()>, _>("closed"));

        assert_eq!(found, Err("closed"));
    }
}
