//! Who is there: the workers of a pool that have not left, and those that a spawner was given and
//! nobody has begun yet. Values only; the roster keeps it under its lock.
//!
//! # State
//! A worker that a spawner was given has an entry from then on:
//!
//! | stage | meaning |
//! |---|---|
//! | `Offered` | a [`WorkerThread`](super::WorkerThread) is somewhere |
//! | `Working` | its `run` was called |
//! | `Gone` | it has left, and the spawner has not returned yet |
//! | `Declined` | it will never run, and whoever has to settle that has not yet done so |
//!
//! # Invariants
//! - **A1** One party settles a worker that does not run: the caller of the spawner if that has not
//!   returned by then, else whoever declines.
//! - **A2** An entry stays until its worker has left *and* the spawner has returned: who waits for all
//!   to leave finds their threads in the roster.

use super::spawn::NotRun;

/// The workers that have not left.
#[derive(Debug, Default)]
pub(super) struct Attendance {
    present: Vec<Entry>,
    last_serial: u64,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    stage: Stage,
    /// Whether the spawner has not returned.
    in_spawner: bool,
    /// What its task does about the end of others.
    awaits: Awaits,
}

/// Whether a worker's own task waits for workers to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Nobody,
    /// So it will not leave before them: they do not wait for it.
    Others,
    /// It has called `exit`, and never leaves.
    TheEnd,
}

#[derive(Debug)]
enum Stage {
    Offered,
    Working,
    Gone,
    Declined(NotRun),
}

/// Who has to settle a worker that does not run.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Settler {
    /// Whoever has called the spawner: when that returns.
    Spawner,
    /// Whoever has declined.
    Decliner,
}

/// What became of a worker until its spawner returned.
#[derive(Debug)]
#[must_use]
pub(super) enum Returned {
    /// It works, will work, or has worked.
    Spawned,
    /// It never will, for this reason if the spawner had none.
    Failed(Option<NotRun>),
}

impl Attendance {
    /// The number of the latest worker.
    pub(super) fn last_serial(&self) -> u64 {
        self.last_serial
    }

    /// Whether a worker has not left.
    pub(super) fn is_present(&self, serial: u64) -> bool {
        self.present.iter().any(|entry| entry.serial == serial)
    }

    /// How many are there.
    pub(super) fn count(&self) -> usize {
        self.present.len()
    }

    /// Whether nobody is there.
    pub(super) fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// Whether any worker up to this one has not left that `caller`, if it is a worker, can wait for: neither
    /// itself nor one that waits for it.
    pub(super) fn has_any(&self, last_serial: u64, caller: Option<u64>) -> bool {
        self.present.iter().any(|entry| {
            entry.serial <= last_serial
                && match entry.awaits {
                    Awaits::Nobody => Some(entry.serial) != caller,
                    Awaits::Others => caller.is_none(),
                    Awaits::TheEnd => false,
                }
        })
    }

    /// This worker's task begins or ceases to wait for others to leave. One that has called `exit` does so, too, and is
    /// waited for no more than before.
    pub(super) fn set_waiting(&mut self, serial: u64, waits: bool) {
        self.set_awaits(serial, if waits { Awaits::Others } else { Awaits::Nobody });
    }

    /// This worker's task has called `exit`.
    pub(super) fn set_exiting(&mut self, serial: u64) {
        self.set_awaits(serial, Awaits::TheEnd);
    }

    fn set_awaits(&mut self, serial: u64, awaits: Awaits) {
        let mut present = self.present.iter_mut();
        let entry = present.find(|entry| entry.serial == serial && entry.awaits != Awaits::TheEnd);
        if let Some(entry) = entry {
            entry.awaits = awaits;
        }
    }

    /// A worker that is being spawned.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    /// Its thread has been spawned, and works from the beginning.
    pub(super) fn enter(&mut self, serial: u64) {
        self.note(serial, Stage::Working, false);
    }

    /// A spawner is about to be given a worker.
    pub(super) fn offer(&mut self) -> u64 {
        let serial = self.next_serial();
        self.note(serial, Stage::Offered, true);
        serial
    }

    fn note(&mut self, serial: u64, stage: Stage, in_spawner: bool) {
        self.present.push(Entry { serial, stage, in_spawner, awaits: Awaits::Nobody });
    }

    /// Somebody runs it; false if its spawner has failed meanwhile: then it must not work.
    pub(super) fn accept(&mut self, serial: u64) -> bool {
        let entry = self.present.iter_mut().find(|entry| entry.serial == serial);
        entry.is_some_and(|entry| {
            let offered = matches!(entry.stage, Stage::Offered);
            entry.stage = Stage::Working;
            offered
        })
    }

    /// Nobody will ever run it. A1. A decliner who settles it calls [`leave`](Self::leave) afterwards.
    pub(super) fn decline(&mut self, serial: u64, why: NotRun) -> Settler {
        let Some(entry) = self.present.iter_mut().find(|entry| entry.serial == serial) else {
            return Settler::Spawner;
        };
        entry.stage = Stage::Declined(why);
        if entry.in_spawner { Settler::Spawner } else { Settler::Decliner }
    }

    /// It is gone for good.
    pub(super) fn leave(&mut self, serial: u64) {
        self.present.retain_mut(|entry| {
            if entry.serial == serial {
                entry.stage = Stage::Gone;
            }
            entry.serial != serial || entry.in_spawner
        });
    }

    /// The spawner has returned, and says whether all is well. That counts only as long as nobody has
    /// begun to work; who has it in his hands then must not any more.
    pub(super) fn returned(&mut self, serial: u64, well: bool) -> Returned {
        let Some(index) = self.present.iter().position(|entry| entry.serial == serial) else {
            unreachable!("A2: the entry of {serial} stays")
        };
        let entry = &mut self.present[index];
        entry.in_spawner = false;
        match entry.stage {
            Stage::Offered if well => Returned::Spawned,
            Stage::Working => Returned::Spawned,
            Stage::Gone => {
                self.present.swap_remove(index);
                Returned::Spawned
            }
            Stage::Offered | Stage::Declined(_) => match self.present.swap_remove(index).stage {
                Stage::Declined(why) => Returned::Failed(Some(why)),
                _ => Returned::Failed(None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(returned: Returned) -> bool {
        matches!(returned, Returned::Failed(_))
    }

    #[test]
    fn a_worker_is_present_until_it_has_left_and_its_spawner_has_returned() {
        for left_first in [false, true] {
            let mut all = Attendance::default();
            let serial = all.offer();
            assert!(all.accept(serial));
            if left_first {
                all.leave(serial);
                assert!(all.is_present(serial));
            }
            assert!(!failed(all.returned(serial, true)));
            assert_eq!(all.is_present(serial), !left_first);
            all.leave(serial);
            assert!(!all.has_any(u64::MAX, None));
        }
    }

    #[test]
    fn one_party_settles_a_worker_that_does_not_run() {
        let mut all = Attendance::default();
        let [early, late] = [all.offer(), all.offer()];

        assert_eq!(all.decline(early, NotRun::Dropped), Settler::Spawner);
        assert!(failed(all.returned(early, true)));
        assert!(!all.is_present(early));

        assert!(!failed(all.returned(late, true)));
        assert_eq!(all.decline(late, NotRun::Dropped), Settler::Decliner);
        assert!(all.is_present(late), "until it is settled");
        all.leave(late);
        assert!(!all.is_present(late));
    }

    #[test]
    fn a_worker_whose_spawner_has_failed_must_not_work() {
        let mut all = Attendance::default();
        let serial = all.offer();

        assert!(failed(all.returned(serial, false)));

        assert!(!all.accept(serial));
        assert_eq!(all.decline(serial, NotRun::Dropped), Settler::Spawner, "it is settled");
    }

    #[test]
    fn a_failure_after_the_worker_has_begun_does_not_count() {
        let mut all = Attendance::default();
        let serial = all.offer();
        assert!(all.accept(serial));

        assert!(!failed(all.returned(serial, false)));

        assert!(all.is_present(serial));
        assert!(all.has_any(serial, None) && !all.has_any(serial, Some(serial)));
    }

    #[test]
    fn workers_that_wait_for_one_another_are_waited_for_by_others_only() {
        let mut all = Attendance::default();
        let [first, second] = [all.next_serial(), all.next_serial()];
        all.enter(first);
        all.enter(second);
        assert!(all.has_any(u64::MAX, Some(first)));

        all.set_waiting(second, true);
        assert!(!all.has_any(u64::MAX, Some(first)) && all.has_any(u64::MAX, None));

        all.set_waiting(second, false);
        assert!(all.has_any(u64::MAX, Some(first)));

        all.set_exiting(second);
        assert!(!all.has_any(u64::MAX, Some(first)) && all.has_any(u64::MAX, None));
        all.leave(first);
        assert!(!all.has_any(u64::MAX, None) && !all.is_empty());
    }

    #[test]
    fn a_worker_that_exits_is_not_waited_for_whatever_it_waits_for() {
        let mut all = Attendance::default();
        let serial = all.next_serial();
        all.enter(serial);
        all.set_exiting(serial);

        for waits in [true, false] {
            all.set_waiting(serial, waits);
            assert!(!all.has_any(u64::MAX, None));
        }
    }
}
