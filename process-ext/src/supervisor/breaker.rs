//! When starts that fail in a row are too many.
//!
//! When the next one is tried is not decided here: a worker whose start fails as it opens is a failed spawn to the
//! engine, which pauses between them, longer each time, and gives up the tasks that have nobody else.
//!
//! # State
//! One number: the starts that have failed since one succeeded. It says nothing else, and orders nothing.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | K1 `observe(Ready)` | zero | worker | its child is ready |
//! | K2 `observe(Died)` | + 1 | worker | its child ended, or was given up, before it was ready |
//!
//! A start that failed for another reason (no memory, no descriptors) changes nothing: it tells nothing of the program.
//!
//! # Progress
//! Wait-free.

use core::num::NonZeroU32;

use crate::sync::{AtomicU32, Ordering};

/// So many starts fail in a row if the user does not say: more than the engine tries for one task.
pub(crate) const DEFAULT_STARTS: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// How a start went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Ready,
    Died,
}

/// What a start means for the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    GoOn,
    /// It breaks, after so many.
    Break(u32),
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Breaker {
    most: Option<NonZeroU32>,
    // ORDERING: Relaxed throughout: no edge rests on it.
    failed: AtomicU32,
}

impl Breaker {
    /// Breaks at so many; `None`: never.
    pub(crate) fn new(most: Option<NonZeroU32>) -> Self {
        Self { most, failed: AtomicU32::new(0) }
    }

    /// K1, K2.
    pub(crate) fn observe(&self, start: Start) -> Verdict {
        let failed = match start {
            Start::Ready => {
                self.failed.store(0, Ordering::Relaxed);
                return Verdict::GoOn;
            }
            Start::Died => self.failed.fetch_add(1, Ordering::Relaxed).saturating_add(1),
        };
        match self.most {
            Some(most) if failed >= most.get() => Verdict::Break(failed),
            _ => Verdict::GoOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(most: u32) -> Breaker {
        Breaker::new(NonZeroU32::new(most))
    }

    #[test]
    fn it_breaks_at_the_limit_and_not_before() {
        let breaker = breaker(3);

        let verdicts = [(); 4].map(|()| breaker.observe(Start::Died));

        let (go_on, at) = (Verdict::GoOn, Verdict::Break);
        assert_eq!(verdicts, [go_on, go_on, at(3), at(4)]);
    }

    #[test]
    fn without_a_limit_it_never_breaks() {
        let breaker = breaker(0);

        assert!((0..1000).all(|_| breaker.observe(Start::Died) == Verdict::GoOn));
    }

    /// Every history of 12 starts, against the plain reading: the last so many have all failed.
    #[test]
    fn it_breaks_exactly_when_the_last_starts_have_all_failed() {
        for most in 1..=5 {
            for history in 0..1_u32 << 12 {
                let breaker = breaker(most);
                let mut in_a_row = 0;
                for nth in 0..12 {
                    let died = history >> nth & 1 == 1;
                    in_a_row = if died { in_a_row + 1 } else { 0 };

                    let verdict = breaker.observe(if died { Start::Died } else { Start::Ready });

                    let expected =
                        if in_a_row >= most { Verdict::Break(in_a_row) } else { Verdict::GoOn };
                    assert_eq!(verdict, expected, "{history:b}, start {nth}");
                }
            }
        }
    }
}
