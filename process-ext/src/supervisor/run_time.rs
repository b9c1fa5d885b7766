//! How long a worker's tasks have run lately: whether the next may be sent before this one has ended.
//!
//! The estimate rises at once and falls slowly, an eighth with each task: a long task is remembered for a while.

use core::time::Duration;

/// Tasks that run for longer are worth the time that a request takes to arrive.
const BRIEF: Duration = Duration::from_micros(50);

/// What one long task counts at most: so soon brief ones make up for it.
const MOST: Duration = Duration::from_millis(1);

/// The estimate; none before the first task.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunTime(Option<Duration>);

impl RunTime {
    /// A task has run for so long, or runs so long by now.
    pub(crate) fn note(&mut self, ran: Duration) {
        let before = self.0.unwrap_or_default();
        self.0 = Some(ran.min(MOST).max(before - before / 8));
    }

    /// Whether the next task is likely to be over before another could be sent.
    pub(crate) fn is_brief(self) -> bool {
        self.0.is_some_and(|time| time < BRIEF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_before_the_first_task() {
        let mut time = RunTime::default();
        assert!(!time.is_brief());

        time.note(Duration::from_nanos(300));

        assert!(time.is_brief());
    }

    #[test]
    fn one_long_task_is_remembered_for_two_dozen_brief_ones() {
        let mut time = RunTime::default();
        time.note(Duration::from_micros(1));
        time.note(Duration::from_secs(3600));

        let until_brief = (0..).take_while(|_| {
            let is_brief = time.is_brief();
            time.note(Duration::from_micros(1));
            !is_brief
        });

        assert_eq!(until_brief.count(), 23);
    }
}
