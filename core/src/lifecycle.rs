//! The life of a pool: open, draining, terminated; or broken.
//!
//! # State
//! | bits | field | meaning |
//! |---|---|---|
//! | 0..2 | phase | open, broken, draining, terminated |
//! | 2.. | generation | grows with every `join` |
//!
//! # Invariants
//! - **L1** The phase only grows. A pool breaks once: the first cause wins.
//! - **L2** A worker that was called for in an older generation, or finds the pool not open, leaves as
//!   soon as it finds no task.
//!
//! # Transitions
//! | name | change | by |
//! |---|---|---|
//! | `close` | open, broken → draining | shutdown |
//! | `fail` | open → broken | worker whose initializer or finalizer failed |
//! | `terminate` | → terminated | whoever saw the last worker leave |
//! | `renew` | generation + 1 | join |
//!
//! # Edges
//! - **L3** a change of phase (Release) / `get` (Acquire): the cause of a break is seen.
//! - **L4 ↔ F1** fence in the engine's `turn_away` / fence in the census's `after_push`: the closer
//!   changes the phase, fences, drains the queue; the submitter pushes, fences, looks at the phase.
//!   One of them sees the other.
//!
//! # Progress
//! Lock-free.
//!
//! # Modelled by
//! `loom-tests/tests/executor.rs`
#![forbid(unsafe_code)]

use crate::sync::{AtomicUsize, Ordering, constructor};

const PHASE: usize = 0b11;
const NEW_GENERATION: usize = 0b100;

/// How far a pool is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It takes tasks.
    Open,
    /// An initializer or finalizer failed: it takes no tasks, and its workers leave.
    Broken,
    /// It was shut down: it takes no tasks, and its workers leave.
    Draining,
    /// It was shut down and no worker is left.
    Terminated,
}

impl Phase {
    const fn of(word: usize) -> Self {
        match word & PHASE {
            0 => Self::Open,
            1 => Self::Broken,
            2 => Self::Draining,
            _ => Self::Terminated,
        }
    }
}

/// The workers that were born between two `join`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(usize);

impl Generation {
    /// As a word, to be kept in an atomic.
    pub(crate) const fn to_word(self) -> usize {
        self.0
    }

    /// Back from its word.
    pub(crate) const fn from_word(word: usize) -> Self {
        Self(word)
    }
}

/// The life of one pool.
#[derive(Debug)]
pub struct Lifecycle(AtomicUsize);

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    constructor! {
        /// An open pool's.
        pub fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }

    /// How far it is: a snapshot.
    pub fn phase(&self) -> Phase {
        // ORDERING: Acquire, L3.
        Phase::of(self.0.load(Ordering::Acquire))
    }

    /// Whether tasks are taken: a snapshot.
    pub fn is_open(&self) -> bool {
        self.phase() == Phase::Open
    }

    /// That of a worker that is called for now.
    pub fn generation(&self) -> Generation {
        // ORDERING: Relaxed: compared only.
        Generation(self.0.load(Ordering::Relaxed) & !PHASE)
    }

    /// L2: whether a worker of that generation leaves when it finds no task.
    pub fn wants_rid_of(&self, born: Generation) -> bool {
        // ORDERING: Relaxed: compared only. A worker that reads too early is woken again.
        self.0.load(Ordering::Relaxed) != born.0
    }

    /// Raises the phase; false if it is that far already.
    fn raise(&self, from_at_most: Phase, to: Phase) -> bool {
        // ORDERING: Relaxed: only the value to compare.
        let mut seen = self.0.load(Ordering::Relaxed);
        while Phase::of(seen) <= from_at_most && Phase::of(seen) < to {
            // ORDERING: Release, L3. Relaxed on failure: retried.
            match self.0.compare_exchange(
                seen,
                (seen & !PHASE) | to as usize,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// → draining; false if it was shut down before.
    pub fn close(&self) -> bool {
        self.raise(Phase::Broken, Phase::Draining)
    }

    /// → broken; false if it was broken or shut down before.
    pub fn fail(&self) -> bool {
        self.raise(Phase::Open, Phase::Broken)
    }

    /// → terminated.
    pub fn terminate(&self) -> bool {
        self.raise(Phase::Draining, Phase::Terminated)
    }

    /// A new generation.
    pub fn renew(&self) {
        // ORDERING: Relaxed: the workers are woken after it, and the wake carries it.
        self.0.fetch_add(NEW_GENERATION, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_pool_breaks_once_and_only_while_it_is_open() {
        let life = Lifecycle::new();

        assert!(life.fail());
        assert!(!life.fail());
        assert_eq!(life.phase(), Phase::Broken);
        assert!(life.close());
        assert!(!life.close());
        assert!(!life.fail());
        assert!(life.terminate());
        assert_eq!(life.phase(), Phase::Terminated);
    }

    #[test]
    fn a_new_generation_is_rid_of_the_old_one_and_changes_no_phase() {
        let life = Lifecycle::new();
        let old = life.generation();

        life.renew();

        assert!(life.wants_rid_of(old));
        assert!(!life.wants_rid_of(life.generation()));
        assert!(life.is_open());
    }
}
