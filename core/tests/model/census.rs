//! The census, one operation after the other, is three sets: who lives, who of them is idle, and which
//! banks have a call that is not answered.

use super::{Code, choose};
use asyncpal_core::census::{AfterPush, Bank, Census, Leaving, banks_for};
use asyncpal_core::sync::AtomicUsize;
use core::cell::Cell;
use std::collections::BTreeSet;

/// What submitters and workers do. A number chooses among the workers that may do it.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// C1, so often; whether one more worker is wanted while somebody is awake, and whether who is woken
    /// answers (C14).
    AfterPush { times: u8, wants_worker: bool, answers: bool },
    /// C2, by so many workers that are awake.
    GoIdle { worker: u8, times: u8 },
    /// C3, C5, by a worker that went idle, whether it was claimed or not.
    LeaveIdle(u8),
    /// C6 and C9, by a worker that is awake.
    Leave(u8),
    /// C13, by such a worker.
    LookOut(u8),
    /// C14, by such a worker.
    Answer(u8),
}

impl From<Code> for Op {
    fn from([which, worker, times, flag]: Code) -> Self {
        // Mostly one at a time, sometimes more than a bank holds.
        let times = if times < 200 { 1 } else { times - 200 };
        match which % 10 {
            0..=2 => Self::AfterPush { times, wants_worker: flag % 2 == 0, answers: flag % 4 < 2 },
            3 | 4 => Self::GoIdle { worker, times },
            5 | 6 => Self::LeaveIdle(worker),
            7 => Self::LookOut(worker),
            8 => Self::Answer(worker),
            _ => Self::Leave(worker),
        }
    }
}

/// How many workers share a word.
const BANK: usize = usize::BITS as usize / 2 - 1;

/// The maximum of workers that a number stands for: a few, or about as many as fill one bank or
/// two.
pub fn slots(number: u8) -> usize {
    let full = [BANK - 1, BANK, BANK + 1, 2 * BANK, 2 * BANK + 1];
    let number = usize::from(number);
    if number < 128 { 1 + number % 5 } else { full[number % full.len()] }
}

/// What the census should say.
#[derive(Debug, Default)]
struct Reference {
    live: BTreeSet<usize>,
    idle: BTreeSet<usize>,
    /// Workers that went idle and have not come back, claimed or not.
    asleep: BTreeSet<usize>,
    /// Banks.
    called: BTreeSet<usize>,
}

impl Reference {
    fn awake(&self) -> impl Iterator<Item = usize> {
        self.live.difference(&self.asleep).copied()
    }

    /// With it, whether the submitter must be asked about one more worker.
    fn after_push(&mut self, slots: usize, wants_worker: bool) -> (AfterPush, bool) {
        if let Some(&lowest) = self.idle.first() {
            if !self.called.is_empty() {
                return (AfterPush::Leave, false);
            }
            self.idle.remove(&lowest);
            self.called.insert(lowest / BANK);
            return (AfterPush::Wake(lowest), false);
        }
        let Some(free) = (0..slots).find(|slot| !self.live.contains(slot)) else {
            return (AfterPush::Leave, false);
        };
        let asked = !self.live.is_empty();
        if asked && !wants_worker {
            return (AfterPush::Leave, true);
        }
        self.live.insert(free);
        (AfterPush::Spawn(free), asked)
    }

    fn leave_idle(&mut self, worker: usize) -> Leaving {
        self.asleep.remove(&worker);
        if self.idle.remove(&worker) { Leaving::Left } else { Leaving::Claimed }
    }
}

/// Checks every answer of a census of at most `slots` workers to `ops`.
pub fn check(slots: usize, ops: &[Op]) {
    let banks: Box<[Bank]> =
        (0..banks_for(slots)).map(|_| Bank::new(AtomicUsize::new(0))).collect();
    let census = Census::new(banks, slots);
    let mut reference = Reference::default();

    for &op in ops {
        apply(&census, &mut reference, op);

        assert_eq!(census.live(), reference.live.len());
        assert_eq!(census.idle(), reference.idle.len());
        assert!(reference.idle.is_subset(&reference.live), "I1");
        for slot in 0..slots {
            assert_eq!(census.is_idle(slot), reference.idle.contains(&slot), "slot {slot}");
            assert_eq!(census.is_live(slot), reference.live.contains(&slot), "slot {slot}");
        }
    }
}

fn apply(census: &Census<Box<[Bank]>>, reference: &mut Reference, op: Op) {
    match op {
        Op::AfterPush { times, wants_worker, answers } => {
            for _ in 0..times {
                let asked = Cell::new(false);
                let answer = census.after_push(|| {
                    asked.set(true);
                    wants_worker
                });
                let expected = reference.after_push(census.slots(), wants_worker);
                assert_eq!((answer, asked.get()), expected);
                if let (AfterPush::Wake(worker), true) = (answer, answers) {
                    census.answer(worker);
                    reference.called.remove(&(worker / BANK));
                }
            }
        }
        Op::GoIdle { worker, times } => {
            for _ in 0..times {
                let Some(worker) = choose(reference.awake(), worker) else { return };
                census.go_idle(worker);
                reference.idle.insert(worker);
                reference.asleep.insert(worker);
            }
        }
        Op::LeaveIdle(worker) => {
            let Some(worker) = choose(reference.asleep.iter().copied(), worker) else { return };
            assert_eq!(census.leave_idle(worker), reference.leave_idle(worker));
        }
        Op::Leave(worker) => {
            let Some(worker) = choose(reference.awake(), worker) else { return };
            census.leave(worker);
            reference.live.remove(&worker);
        }
        Op::LookOut(worker) => {
            let Some(worker) = choose(reference.awake(), worker) else { return };
            let is_of_use = !reference.idle.is_empty();
            assert_eq!(census.look_out(worker), is_of_use);
            reference.called.extend(is_of_use.then_some(worker / BANK));
        }
        Op::Answer(worker) => {
            let Some(worker) = choose(reference.awake(), worker) else { return };
            census.answer(worker);
            reference.called.remove(&(worker / BANK));
        }
    }
}
