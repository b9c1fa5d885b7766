//! Whether tasks come in a stream, so that a worker does well to let some gather.
//!
//! A worker that is as fast as the submitter takes every task out of the submitter's hands: each takes the
//! cache lines of queue and task away from the other, and both are several times slower than they could be.
//! After a moment in which the worker leaves the queue alone there is a batch, and then the one is always
//! some tasks behind the other. A caller that waits for each task before it submits the next must not pay
//! for that: so it is tried every 32nd time that the queue runs dry, and kept up while batches come of it.

use crate::sync::PAUSES;

/// What a worker knows of it.
#[derive(Debug)]
pub(super) struct Flow {
    /// The worker's tasks when the queue ran dry the last time.
    tasks: usize,
    /// Whether it has left the queue alone since.
    has_paused: bool,
    until_trial: u8,
}

impl Flow {
    const TRIAL_EVERY: u8 = 32;
    /// Fewer tasks than this came for other reasons than that they were let gather.
    const BATCH: usize = 4;

    pub(super) const fn new() -> Self {
        Self { tasks: 0, has_paused: false, until_trial: Self::TRIAL_EVERY - 1 }
    }

    /// The queue ran dry after so many tasks in all: for how many turns to leave it alone.
    pub(super) fn ran_dry(&mut self, tasks: usize) -> usize {
        let batch = tasks.wrapping_sub(core::mem::replace(&mut self.tasks, tasks));
        let flows = self.has_paused && batch >= Self::BATCH;
        self.has_paused = flows || self.until_trial == 0;
        if self.has_paused {
            self.until_trial = Self::TRIAL_EVERY - 1;
            return PAUSES;
        }
        self.until_trial -= 1;
        0
    }
}

#[cfg(all(test, not(any(asyncpal_loom, asyncpal_shuttle))))]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// The pauses of a worker that finds so many tasks each time.
    fn pauses(flow: &mut Flow, batches: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut tasks = flow.tasks;
        let pause = |batch| {
            tasks += batch;
            flow.ran_dry(tasks)
        };
        batches.into_iter().map(pause).collect()
    }

    #[test]
    fn every_32nd_time_a_worker_leaves_the_queue_alone() {
        let pauses = pauses(&mut Flow::new(), [1; 96]);

        let tried: Vec<_> = (0..96).filter(|&nth| pauses[nth] > 0).collect();
        assert_eq!(tried, [31, 63, 95]);
    }

    #[test]
    fn while_batches_come_of_it_every_time() {
        let mut flow = Flow::new();
        pauses(&mut flow, [1; 32]);

        let pauses = pauses(&mut flow, [Flow::BATCH, 100, Flow::BATCH - 1, 100]);

        assert_eq!(pauses, [PAUSES, PAUSES, 0, 0]);
    }
}
