//! Whether tasks come in a stream, so that a worker does well to let some gather.
//!
//! A worker that is as fast as the submitter takes every task out of the submitter's hands: each takes the
//! cache lines of queue and task away from the other, and both are several times slower than they could be.
//! After some microseconds in which the worker leaves the queue alone there is a batch, and then the one is always
//! some tasks behind the other. A caller that waits for its tasks must not pay for that. It submits no more
//! meanwhile: so a worker looks between whether as many tasks come as before. What failed is tried half as often the
//! next time.

use crate::sync::{GATHERING, spin_loop};

/// What a worker knows of it.
#[derive(Debug)]
pub(super) struct Flow {
    /// Tasks came in a stream when the queue ran dry the last time.
    streams: bool,
    /// How often the queue runs dry until that is tried.
    until_trial: u16,
    trial_every: u16,
}

impl Flow {
    const SOONEST: u16 = 32;
    const LATEST: u16 = 1024;
    /// How often a worker looks whether tasks come, before it takes them.
    const STEPS: usize = 4;
    /// How many come in a step: two in a microsecond, or many callers that wait for their tasks.
    const LEAST: usize = 4;

    pub(super) const fn new() -> Self {
        Self { streams: false, until_trial: Self::SOONEST, trial_every: Self::SOONEST }
    }

    /// The queue ran dry: leaves it alone for a while if tasks come in a stream. `submitted` counts them.
    pub(super) fn ran_dry(&mut self, submitted: impl Fn() -> usize) {
        if GATHERING == 0 {
            return;
        }
        if !self.streams {
            self.until_trial -= 1;
            if self.until_trial > 0 {
                return;
            }
        }
        let mut before = submitted();
        self.streams = (0..Self::STEPS).all(|_| {
            (0..GATHERING).for_each(|_| spin_loop());
            let now = submitted();
            now.wrapping_sub(core::mem::replace(&mut before, now)) >= Self::LEAST
        });
        self.trial_every =
            if self.streams { Self::SOONEST } else { Self::LATEST.min(2 * self.trial_every) };
        self.until_trial = self.trial_every;
    }
}

#[cfg(all(test, not(any(asyncpal_loom, asyncpal_shuttle))))]
mod tests {
    use super::*;
    use core::cell::Cell;
    use std::vec::Vec;

    /// How often the worker looks what has come, each time that the queue runs dry, if so many tasks come between
    /// two looks.
    fn looks(flow: &mut Flow, times: usize, come: impl Fn(usize) -> usize) -> Vec<usize> {
        let looks_of_once = |_| {
            let (looks, submitted) = (Cell::new(0), Cell::new(usize::MAX - 5));
            flow.ran_dry(|| {
                submitted.set(submitted.get().wrapping_add(come(looks.get())));
                looks.set(looks.get() + 1);
                submitted.get()
            });
            looks.get()
        };
        (0..times).map(looks_of_once).collect()
    }

    #[test]
    fn what_fails_is_tried_half_as_often_the_next_time() {
        let looks = looks(&mut Flow::new(), 5000, |_| Flow::LEAST - 1);

        let tried: Vec<_> = (0..5000).filter(|&nth| looks[nth] > 0).collect();
        let between: Vec<_> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(tried[0], 31);
        assert_eq!(between, [64, 128, 256, 512, 1024, 1024, 1024]);
        assert!(tried.iter().all(|&nth| looks[nth] == 2), "it goes on as soon as less comes");
    }

    #[test]
    fn in_a_stream_tasks_gather_every_time() {
        let mut flow = Flow::new();
        looks(&mut flow, 31, |_| Flow::LEAST);

        assert_eq!(looks(&mut flow, 100, |_| Flow::LEAST), [1 + Flow::STEPS; 100]);
    }

    #[test]
    fn a_burst_that_ends_is_no_stream_however_many_tasks_it_has() {
        let mut flow = Flow::new();
        let burst = |look| if look == 1 { 1000 } else { 0 };

        let looks = looks(&mut flow, 200, burst);

        let tried: Vec<_> = (0..200).filter(|&nth| looks[nth] > 0).collect();
        assert_eq!(tried, [31, 95]);
    }

    #[test]
    fn after_a_stream_the_next_trial_comes_soon_again() {
        let mut flow = Flow::new();
        looks(&mut flow, 31 + 64 + 127, |_| 0);
        assert_eq!(looks(&mut flow, 1, |_| Flow::LEAST), [0], "two trials have failed");
        looks(&mut flow, 1, |_| Flow::LEAST);

        let looks = looks(&mut flow, 65, |_| 0);

        let tried: Vec<_> = (0..65).filter(|&nth| looks[nth] > 0).collect();
        assert_eq!(tried, [0, 64]);
    }
}
