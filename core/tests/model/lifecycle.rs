//! A lifecycle is a phase that only grows and a generation that `renew` makes older.

use super::Code;
use asyncpal_core::lifecycle::{Generation, Lifecycle, Phase};

/// What is done to a lifecycle.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Close,
    Fail,
    Terminate,
    Renew,
    /// Remembers the generation, as one does that calls for a worker.
    Call,
}

impl From<Code> for Op {
    fn from([which, ..]: Code) -> Self {
        match which % 12 {
            0 => Self::Close,
            1 => Self::Fail,
            2 => Self::Terminate,
            3..=7 => Self::Renew,
            _ => Self::Call,
        }
    }
}

/// Checks every answer of a lifecycle to `ops`.
pub fn check(ops: &[Op]) {
    let life = Lifecycle::new();
    let mut phase = Phase::Open;
    let mut age = 0;
    // With the age in which each was remembered.
    let mut called: Vec<(Generation, usize)> = Vec::new();

    for op in ops {
        match op {
            Op::Close => assert_eq!(life.close(), raise(&mut phase, Phase::Draining)),
            // Who was shut down cannot break any more.
            Op::Fail => assert_eq!(life.fail(), raise(&mut phase, Phase::Broken)),
            Op::Terminate => assert_eq!(life.terminate(), raise(&mut phase, Phase::Terminated)),
            Op::Renew => {
                life.renew();
                age += 1;
            }
            Op::Call => called.push((life.generation(), age)),
        }

        assert_eq!(life.phase(), phase);
        assert_eq!(life.is_open(), phase == Phase::Open);
        for &(generation, when) in &called {
            assert_eq!(life.wants_rid_of(generation), phase != Phase::Open || when != age);
            assert_eq!(generation == life.generation(), when == age);
        }
    }
}

/// Whether `to` is later than `phase`, which is then there.
fn raise(phase: &mut Phase, to: Phase) -> bool {
    let later = to > *phase;
    if later {
        *phase = to;
    }
    later
}
