//! What becomes of growth after spawns have failed: by when it is tried again, and by whom.
//!
//! # State
//! One word:
//!
//! | bits | field | meaning |
//! |---|---|---|
//! | 0 | `owed` | growth was held back or has just begun again: workers that finish a task see to it |
//! | 1..5 | `failures` | spawns that failed since a worker has started, at most 15 |
//! | 5.. | `until` | before this millisecond nobody tries again while somebody lives |
//!
//! # Invariants
//! - **W1** While somebody lives, spawns that fail are at least `delay(failures)` apart, but for those
//!   that were under way already: nobody waits for a system call that has just failed.
//! - **W2** Not due ⇒ owed: who refrains from growing leaves it to the workers that finish, and there
//!   is one, since he refrains only while somebody lives. (Where words have 32 bits, `until` returns every 37 hours
//!   after a failure, for the length of its pause: who refrains then is seen to at the next submit.)
//!
//! That somebody looks after each task is the census' affair (I2) and does not rest on this word: when
//! nobody lives, whoever needs a worker tries, whatever it says.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | W3 `failed` | one failure more, owed, due later | spawner; worker that could not start | a spawn failed |
//! | W4 `started` | no failures, owed, due; or nothing | worker | it can take tasks |
//! | W5 `resume` | not owed, or nothing | worker; submitter that waits for room | due, and no more workers are wanted |
//!
//! # Edges
//! None: the word is a hint about time and orders nothing. Who reads an old value tries once too
//! often, or leaves it to the next task that ends.
//!
//! # Progress
//! Lock-free: a retry means that another thread changed the word.
//!
//! # Modelled by
//! `loom-tests/tests/executor/failure.rs`
#![forbid(unsafe_code)]

use crate::clock::Instant;
use crate::sync::{AtomicUsize, Ordering, constructor};

/// So many spawns fail in a row while nobody lives, and the pending tasks are resolved.
const ATTEMPTS: usize = 3;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Growth {
    // ORDERING: Relaxed throughout: no edge rests on it.
    word: AtomicUsize,
}

impl Growth {
    constructor! {
        /// Nothing has failed.
        pub(super) fn new() -> Self {
            Self { word: AtomicUsize::new(0) }
        }
    }

    fn load(&self) -> Backoff {
        Backoff(self.word.load(Ordering::Relaxed))
    }

    /// W3. Whether those that depend on this spawn should be given up if nobody lives.
    pub(super) fn failed(&self, now: Instant) -> Verdict {
        let now = millis(now);
        let mut word = self.load();
        loop {
            let next = word.after_failure(now);
            let exchanged =
                self.word.compare_exchange(word.0, next.0, Ordering::Relaxed, Ordering::Relaxed);
            match exchanged {
                Ok(_) => return next.verdict(),
                Err(other) => word = Backoff(other),
            }
        }
    }

    /// W4.
    pub(super) fn started(&self) {
        if self.load() != Backoff::NONE {
            self.word.swap(Backoff::OWED.0, Ordering::Relaxed);
        }
    }

    /// Whether workers that finish a task should see to growth.
    pub(super) fn is_owed(&self) -> bool {
        self.load().is_owed()
    }

    /// Whether growth may be tried, by the clock that `now` reads.
    pub(super) fn is_due(&self, now: impl FnOnce() -> Instant) -> bool {
        let word = self.load();
        word == Backoff::NONE || word.is_due(millis(now()))
    }

    /// What is done by a worker that starts or has finished a task, and by a submitter that waits for room:
    /// `grow` if it is due, or says that no more workers are wanted.
    pub(super) fn resume(&self, now: Instant, grow: impl FnOnce() -> Resumed) {
        let seen = self.load();
        if seen.is_due(millis(now)) && grow() == Resumed::NotWanted {
            // W5. Not if a spawn has failed since the look: that is owed.
            let next = seen.without_debt();
            let _ =
                self.word.compare_exchange(seen.0, next.0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// What became of growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resumed {
    /// It was tried.
    Tried,
    /// There is no task for another worker, or no room for it.
    NotWanted,
}

/// What a failure means for tasks that have nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Verdict {
    /// Another spawn is worth a try.
    TryAgain,
    /// They are resolved with the cause.
    GiveUp,
}

fn millis(moment: Instant) -> usize {
    // Modulo a word: see `Backoff::is_due`.
    (moment.as_nanos() / 1_000_000) as usize
}

/// A value of the word. Pure arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Backoff(usize);

impl Backoff {
    const NONE: Self = Self(0);
    const OWED: Self = Self(1);
    const MOST_FAILURES: usize = 15;
    const FAILURES: usize = Self::MOST_FAILURES << 1;
    const SHIFT: u32 = 5;
    /// Milliseconds are counted modulo one more than this: 37 hours with 32-bit words.
    const MILLIS: usize = usize::MAX >> Self::SHIFT;
    /// The longest delay: it doubles up to the eleventh failure.
    const MOST_DOUBLINGS: usize = 10;

    const fn is_owed(self) -> bool {
        self.0 & Self::OWED.0 != 0
    }

    const fn without_debt(self) -> Self {
        Self(self.0 & !Self::OWED.0)
    }

    const fn failures(self) -> usize {
        (self.0 & Self::FAILURES) >> 1
    }

    /// How long after so many failures nobody tries.
    const fn delay(failures: usize) -> usize {
        match failures {
            0 => 0,
            1..=Self::MOST_DOUBLINGS => 1 << (failures - 1),
            _ => 1 << Self::MOST_DOUBLINGS,
        }
    }

    /// A moment further ahead than any delay is one of long ago: the count of milliseconds wraps.
    const fn is_due(self, now: usize) -> bool {
        let left = (self.0 >> Self::SHIFT).wrapping_sub(now) & Self::MILLIS;
        left == 0 || left > Self::delay(self.failures()) + 1
    }

    /// Failures of spawns that were tried side by side count once, but for the first few: these
    /// decide whether tasks are given up.
    const fn after_failure(self, now: usize) -> Self {
        let failures = self.failures();
        if failures >= ATTEMPTS && !self.is_due(now) {
            return Self(self.0 | Self::OWED.0);
        }
        let failures =
            if failures < Self::MOST_FAILURES { failures + 1 } else { Self::MOST_FAILURES };
        // One more: part of the present millisecond is over.
        let until = now.wrapping_add(Self::delay(failures) + 1) & Self::MILLIS;
        Self(until << Self::SHIFT | failures << 1 | Self::OWED.0)
    }

    const fn verdict(self) -> Verdict {
        if self.failures() < ATTEMPTS { Verdict::TryAgain } else { Verdict::GiveUp }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    /// That after so many failures, each as soon as it may be.
    fn failed(times: usize, mut now: usize) -> (Backoff, usize) {
        let mut word = Backoff::NONE;
        for _ in 0..times {
            while !word.is_due(now) {
                now = now.wrapping_add(1) & Backoff::MILLIS;
            }
            word = word.after_failure(now);
        }
        (word, now)
    }

    /// How long after its last failure it is not due.
    fn pause((word, now): (Backoff, usize)) -> usize {
        (0..).find(|&after| word.is_due(now.wrapping_add(after) & Backoff::MILLIS)).expect("due")
    }

    #[test]
    fn the_pause_doubles_from_one_millisecond_to_one_second() {
        let after = [0, 1, 2, 3, 10, 11, 12, 20].map(|times| pause(failed(times, 7)));

        // One more for the millisecond that has begun.
        assert_eq!(after, [0, 2, 3, 5, 513, 1025, 1025, 1025]);
    }

    #[test]
    fn the_pause_does_not_mind_that_the_clock_wraps() {
        for times in 0..16 {
            let wrapping = failed(times, Backoff::MILLIS - 3);
            assert_eq!(pause(wrapping), pause(failed(times, 0)), "{times} failures");
        }
    }

    #[test]
    fn a_pause_that_is_over_stays_over() {
        let (word, now) = failed(11, 0);
        let long = [1025, 1026, 100_000, Backoff::MILLIS / 2, Backoff::MILLIS];

        assert!(long.iter().all(|after| word.is_due((now + after) & Backoff::MILLIS)));
    }

    #[test]
    fn failures_side_by_side_count_once_but_for_the_first_three() {
        let (mut word, now) = (Backoff::NONE, 40);
        let verdicts = [(); 5].map(|()| {
            word = word.after_failure(now);
            (word.failures(), word.verdict())
        });

        let (again, no) = (Verdict::TryAgain, Verdict::GiveUp);
        assert_eq!(verdicts, [(1, again), (2, again), (3, no), (3, no), (3, no)]);
        assert!(word.is_owed());
    }

    #[test]
    fn a_debt_that_is_settled_leaves_the_number_of_failures() {
        let (word, now) = failed(5, 0);
        let settled = word.without_debt();

        assert!(!settled.is_owed());
        assert_eq!(settled.failures(), 5);
        assert_eq!(settled.after_failure(now + 1000).failures(), 6);
    }

    #[test]
    fn a_worker_that_starts_ends_the_pause_but_not_the_debt() {
        let growth = Growth::new();
        let now = Instant::from_nanos(0);
        growth.started();
        assert!(!growth.is_owed(), "nothing has failed");

        assert_eq!(growth.failed(now), Verdict::TryAgain);
        assert!(growth.is_owed() && !growth.is_due(|| now));
        growth.resume(now, || unreachable!("not due"));
        assert!(growth.is_owed());
        growth.started();
        assert!(growth.is_owed() && growth.is_due(|| now));
        growth.resume(now, || Resumed::Tried);
        assert!(growth.is_owed(), "until no more are wanted");
        growth.resume(now, || Resumed::NotWanted);

        assert_eq!(growth.load(), Backoff::NONE);
        let later = now.after(Duration::from_secs(9)).expect("a moment");
        assert!(growth.is_due(|| later));
    }

    /// Seen by a model: a worker whose look at the clock is old took the failure for one of long ago.
    #[test]
    fn a_failure_during_a_worker_s_look_stays_owed() {
        let growth = Growth::new();
        growth.started();

        growth.resume(Instant::from_nanos(0), || {
            let _ = growth.failed(Instant::from_nanos(9_000_000_000));
            Resumed::NotWanted
        });

        assert!(growth.is_owed());
    }
}
