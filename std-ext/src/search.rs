//! Looking for what is about to come, before sleeping. Not in models: there nobody looks.

use core::convert::Infallible;
use core::time::Duration;
use std::thread;

use asyncpal_core::spin::{Credit, LONG_SLEEP, Offers};

use crate::clock::StdClock;

/// After so many looks at memory the processor is offered to others again.
const OFFER_EVERY: usize = 16;
/// How many looks at memory are made for a near thing before the processor is offered.
const PATIENCE: usize = 100;
/// How many looks at memory take as long as a system call that looks for words of another process.
const CALL_COSTS: usize = 12;

/// One thread's experience with that, for one kind of wait. It looks as often as has lately paid off, and lets
/// others have the processor in between.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    credit: Credit,
    offers: Offers,
    /// What a look costs, in looks at memory.
    cost: usize,
    /// How much a search costs before the processor is offered.
    patience: usize,
    /// The next search is no more than an offer of the processor.
    skips: bool,
}

impl Search {
    /// Looks at memory for what another thread does.
    pub(crate) const fn near() -> Self {
        Self { credit: Credit::new(), patience: PATIENCE, ..Self::far() }
    }

    /// The same for the first task of a thread that was spawned for it, without offers: it should find another
    /// processor.
    pub(crate) const fn born() -> Self {
        Self { credit: Credit::born(), patience: usize::MAX, ..Self::far() }
    }

    /// The same; without offers, if who is looked for has only just been woken, for the same reason.
    pub(crate) const fn after_call(self, called: bool) -> Self {
        Self { patience: if called { usize::MAX } else { PATIENCE }, ..self }
    }

    /// The same for what a thread does with another process. Of the three one may need this processor.
    pub(crate) const fn far() -> Self {
        Self {
            credit: Credit::far(),
            offers: Offers::new(),
            cost: 1,
            patience: OFFER_EVERY,
            skips: false,
        }
    }

    /// Looks, by system calls, for words of another process.
    pub const fn by_calls() -> Self {
        Self { cost: CALL_COSTS, patience: 4 * CALL_COSTS, ..Self::far() }
    }

    /// Looks until something is found, or no longer: perhaps not at all.
    ///
    /// # Errors
    ///
    /// The first of `look`.
    pub fn search<T, E>(
        &mut self,
        mut look: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let looks = if self.skips { 0 } else { self.credit.looks() };
        if looks == 0 {
            if core::mem::take(&mut self.skips) && self.offers.begin() {
                self.offer();
            }
            return Ok(None);
        }
        let mut makes_offers = self.offers.begin();
        let (mut spent, mut next_offer) = (0, self.patience);
        while spent < looks {
            spent += self.cost;
            if let Some(found) = look()? {
                self.credit.settle(Some(spent));
                return Ok(Some(found));
            }
            if makes_offers && spent >= next_offer {
                makes_offers = self.offer();
                next_offer = spent + OFFER_EVERY;
            }
        }
        self.credit.settle(None);
        Ok(None)
    }

    /// After a search in vain, this thread slept for so long. If that was long, it need not search next time: what
    /// comes of what it does now comes much later, and needs a processor now.
    pub fn slept(&mut self, time: Duration) {
        self.skips = time > LONG_SLEEP;
    }

    /// Looks at memory; whether it is `done`.
    pub(crate) fn spin(&mut self, done: impl Fn() -> bool) -> bool {
        let found = self.search(|| {
            core::hint::spin_loop();
            Ok::<_, Infallible>(done().then_some(()))
        });
        found == Ok(Some(()))
    }

    /// Offers the processor; whether to do so again in this search.
    fn offer(&mut self) -> bool {
        self.offers.offer(&StdClock, thread::yield_now)
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;

    /// Whether that look finds something, and how many there were.
    fn find_at(search: &mut Search, nth: usize) -> (bool, usize) {
        let mut looks = 0;
        let found = search.search(|| {
            looks += 1;
            Ok::<_, Infallible>((looks == nth).then_some(()))
        });
        (found == Ok(Some(())), looks)
    }

    #[test]
    fn a_search_that_pays_off_is_followed_by_another() {
        for mut search in [Search::near(), Search::born(), Search::far(), Search::by_calls()] {
            assert_eq!(find_at(&mut search, 3), (true, 3), "the first one is a trial");
            assert_eq!(find_at(&mut search, 3), (true, 3));
            let (found, looked) = find_at(&mut search, usize::MAX);
            assert!(!found && (1..1000).contains(&looked), "{looked} looks");
        }
    }

    #[test]
    fn a_search_without_success_is_limited_and_not_repeated_at_once() {
        let mut search = Search::by_calls();

        let (found, looked) = find_at(&mut search, usize::MAX);

        assert!(!found && (100..1000).contains(&looked), "{looked} looks");
        assert_eq!(find_at(&mut search, usize::MAX), (false, 0));
    }

    #[test]
    fn after_a_long_sleep_one_search_is_left_out() {
        let mut search = Search::by_calls();
        assert_eq!(find_at(&mut search, 3), (true, 3));

        search.slept(LONG_SLEEP);
        assert_eq!(find_at(&mut search, 3), (true, 3));
        search.slept(2 * LONG_SLEEP);
        assert_eq!(find_at(&mut search, 3), (false, 0));
        assert_eq!(find_at(&mut search, 3), (true, 3));
    }

    #[test]
    fn a_search_ends_with_the_first_error() {
        let found = Search::by_calls().search(|| Err::<Option<()>, _>("closed"));

        assert_eq!(found, Err("closed"));
    }
}
