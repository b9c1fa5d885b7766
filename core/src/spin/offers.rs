//! Offers of the processor to other threads, by one that looks for something.
//!
//! Whoever looks keeps a processor busy on which the very thread might run that is looked for. If it offers the
//! processor now and then (`sched_yield` and its like), that one gets in, and looking costs nobody anything. But
//! who accepts the offer may be somebody else, who has much to do and goes on until the next tick of the
//! scheduler: some milliseconds. Then no offers are made for a while, and twice as long each time that the next one
//! turns out like that.

use core::time::Duration;

use crate::clock::Clock;

/// One thread's experience with offers.
#[derive(Clone, Copy, Debug)]
pub struct Offers {
    /// Waits until the next one in which offers are made.
    held_back: u16,
    /// How often in a row the processor was away for long.
    refusals: u8,
    /// Offers since then, after which it was soon back.
    good: u8,
}

impl Default for Offers {
    fn default() -> Self {
        Self::new()
    }
}

impl Offers {
    /// Longer than a brief task of whoever is looked for, shorter than a tick of most schedulers.
    const LONG: Duration = Duration::from_millis(1);
    const HELD_BACK: u16 = 64;
    /// At most 16 384 waits without offers.
    const MOST_REFUSALS: u8 = 8;
    /// So many good offers, and the next refusal counts as the first.
    const FORGIVEN: u8 = 255;

    /// No experience.
    pub const fn new() -> Self {
        Self { held_back: 0, refusals: 0, good: 0 }
    }

    /// Whether to make offers in this wait. To be asked once per wait that looks.
    pub fn begin(&mut self) -> bool {
        let begin = self.held_back == 0;
        self.held_back = self.held_back.saturating_sub(1);
        begin
    }

    /// Makes an offer, by `yield_now`; whether to make more of them in this wait.
    pub fn offer(&mut self, clock: &impl Clock, yield_now: impl FnOnce()) -> bool {
        let began = clock.now();
        yield_now();
        self.go_on(clock.now().since(began))
    }

    /// Whether to go on after an offer that took the processor away for so long.
    fn go_on(&mut self, away: Duration) -> bool {
        let is_good = away < Self::LONG;
        if is_good {
            self.good = self.good.saturating_add(1);
            if self.good == Self::FORGIVEN {
                self.refusals = 0;
            }
        } else {
            self.held_back = Self::HELD_BACK << self.refusals;
            self.refusals = Self::MOST_REFUSALS.min(self.refusals + 1);
            self.good = 0;
        }
        is_good
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(20);
    const TICK: Duration = Duration::from_millis(4);

    /// How many waits pass without an offer.
    fn held_back(offers: &mut Offers) -> usize {
        core::iter::repeat_with(|| offers.begin()).take_while(|begin| !begin).count()
    }

    #[test]
    fn offers_go_on_while_the_processor_is_soon_back() {
        let mut offers = Offers::new();
        for _ in 0..1000 {
            assert!(offers.begin() && offers.go_on(SHORT));
        }
    }

    #[test]
    fn a_long_absence_holds_back_offers_and_each_further_one_twice_as_many() {
        let mut offers = Offers::new();
        for wanted in [64, 128, 256, 512] {
            assert!(offers.begin() && offers.go_on(SHORT));
            assert!(!offers.go_on(TICK));
            assert_eq!(held_back(&mut offers), wanted);
        }
        for _ in 0..20 {
            assert!(!offers.go_on(TICK));
            assert!(held_back(&mut offers) <= 16_384);
        }
    }

    #[test]
    fn a_long_absence_is_forgiven_after_many_good_offers() {
        let mut offers = Offers::new();
        (0..5).for_each(|_| assert!(!offers.go_on(TICK)));

        (0..Offers::FORGIVEN).for_each(|_| assert!(offers.go_on(SHORT)));

        assert!(!offers.go_on(TICK));
        assert_eq!(held_back(&mut offers), 64);
    }
}
