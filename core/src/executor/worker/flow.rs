//! Whether tasks come in a stream, so that a worker does well to let some gather.
//!
//! A worker that is as fast as the submitter takes every task out of the submitter's hands: each takes the
//! cache lines of queue and task away from the other, and both are several times slower than they could be.
//! After some microseconds in which the worker leaves the queue alone there is a batch, and then the one is always
//! some tasks behind the other. A caller that waits for its tasks before it submits the next must not pay
//! for that: so it is kept up only while more come of it than such a caller would submit at once, and what failed is
//! tried half as often the next time.

use crate::sync::GATHERING;

/// What a worker knows of it.
#[derive(Debug)]
pub(super) struct Flow {
    /// The worker's tasks when the queue ran dry the last time.
    tasks: usize,
    /// Whether it has left the queue alone since.
    has_paused: bool,
    /// How often the queue runs dry until that is tried.
    until_trial: u16,
    trial_every: u16,
}

impl Flow {
    const SOONEST: u16 = 32;
    const LATEST: u16 = 1024;
    /// Fewer tasks than this came for other reasons than that they were let gather.
    const BATCH: usize = 12;

    pub(super) const fn new() -> Self {
        Self { tasks: 0, has_paused: false, until_trial: Self::SOONEST, trial_every: Self::SOONEST }
    }

    /// The queue ran dry after so many tasks in all: for how many turns to leave it alone.
    pub(super) fn ran_dry(&mut self, tasks: usize) -> usize {
        let batch = tasks.wrapping_sub(core::mem::replace(&mut self.tasks, tasks));
        if self.has_paused {
            self.has_paused = batch >= Self::BATCH;
            self.trial_every = if self.has_paused {
                Self::SOONEST
            } else {
                Self::LATEST.min(2 * self.trial_every)
            };
            self.until_trial = self.trial_every;
        }
        if !self.has_paused {
            self.until_trial -= 1;
            self.has_paused = self.until_trial == 0;
        }
        if self.has_paused { GATHERING } else { 0 }
    }
}

#[cfg(all(test, not(any(asyncpal_loom, asyncpal_shuttle))))]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// After which of so many batches the worker pauses.
    fn pauses(flow: &mut Flow, batches: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut tasks = flow.tasks;
        let mut pauses = |batch| {
            tasks += batch;
            flow.ran_dry(tasks) > 0
        };
        let batches = batches.into_iter().enumerate();
        batches.filter_map(|(nth, batch)| pauses(batch).then_some(nth)).collect()
    }

    #[test]
    fn a_worker_leaves_the_queue_alone_half_as_often_each_time_that_nothing_comes_of_it() {
        let tried = pauses(&mut Flow::new(), [1; 5000]);

        let between: Vec<_> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(tried[0], 31);
        assert_eq!(between, [64, 128, 256, 512, 1024, 1024, 1024]);
    }

    #[test]
    fn while_batches_come_of_it_every_time() {
        let mut flow = Flow::new();
        pauses(&mut flow, [1; 32]);

        assert_eq!(pauses(&mut flow, [Flow::BATCH, 100, Flow::BATCH - 1, 100]), [0, 1]);
        assert_eq!(pauses(&mut flow, [1; 64]), [61], "two of the failed trial's 63 are over");
    }

    #[test]
    fn a_batch_makes_the_next_trial_come_soon_again() {
        let mut flow = Flow::new();
        pauses(&mut flow, [1; 31 + 64 + 128 + 1]);

        assert_eq!(pauses(&mut flow, [100, 1]), [0]);

        assert_eq!(pauses(&mut flow, [1; 64]), [62]);
    }
}
