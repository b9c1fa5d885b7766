//! The tally of a slot: what became of its workers, for whoever wants to know.
//!
//! # State
//! One word per [`Item`], beside the slot's accounts: in a cache line that is the worker's anyway.
//!
//! # Invariants
//! - **Y1** One writer at a time: who claimed the free slot, up to the spawn; then its worker, until it
//!   announces itself gone (C9). So a count is a load and a store.
//! - **Y2** While nobody lives or is being spawned, every spawn that did not fail has been followed by
//!   one departure.
//! - **Y3** A slot above others is claimed only while those others are taken, so the highest one that
//!   ever had a worker tells the largest number of workers there ever was.
//!
//! # Transitions
//! One: `count` adds one to a word, by who has the slot (Y1), when it happens. `most_pending` is the engine's.
//!
//! # Edges
//! None of its own: C7 of the census, or the spawn, passes the words on. Nobody acts on a number, so
//! who only reads them sees each in some recent state.
//!
//! # Progress
//! Wait-free.
//!
//! # Modelled by
//! `loom-tests/tests/executor.rs`: every model ends with Y2.
#![forbid(unsafe_code)]

use super::Engine;
use super::accounts::Counts;
use super::kind::{Departure, WorkerKind};
use super::memory::Store;
use crate::sync::{AtomicUsize, Ordering, constructor, words};

/// What is counted in a slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item {
    /// A spawn was tried.
    SpawnTried,
    /// It failed, there or when the worker opened its seat.
    SpawnFailed,
    /// The worker went to sleep.
    Slept,
    /// Somebody claimed the idle worker for a task: a wake.
    Called,
    /// The worker left.
    Left(Departure),
}

impl Item {
    const BEFORE_LEFT: usize = 4;
    const COUNT: usize = Self::BEFORE_LEFT + Departure::COUNT;

    const fn place(self) -> usize {
        match self {
            Self::SpawnTried => 0,
            Self::SpawnFailed => 1,
            Self::Slept => 2,
            Self::Called => 3,
            Self::Left(why) => Self::BEFORE_LEFT + why as usize,
        }
    }
}

/// The counts of one slot.
pub(super) struct Tally([AtomicUsize; Item::COUNT]);

impl Tally {
    constructor! {
        /// That of a slot that never had a worker.
        pub(super) fn new() -> Self {
            Self(words([0; Item::COUNT]))
        }
    }

    /// Counts one more. The caller has the slot (Y1).
    pub(super) fn count(&self, item: Item) {
        let word = &self.0[item.place()];
        // ORDERING: Relaxed, both: Y1; C7 passes the word on.
        word.store(word.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    fn get(&self, item: Item) -> usize {
        // ORDERING: Relaxed: a snapshot.
        self.0[item.place()].load(Ordering::Relaxed)
    }

    fn spawned(&self) -> usize {
        let failed = self.get(Item::SpawnFailed);
        let spawned = self.get(Item::SpawnTried).wrapping_sub(failed);
        // The words need not be of the same moment: the first spawn may have failed and not been tried.
        if spawned > usize::MAX / 2 { 0 } else { spawned }
    }
}

/// Numbers of one pool since its beginning: a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// The numbers of the moment.
    pub counts: Counts,
    /// Tasks that were cancelled while they were pending, by whomever.
    pub cancelled: usize,
    /// Tasks that a waiting worker, or a submitter, has run or runs itself.
    pub inlined: usize,
    /// The most tasks that were ever pending at once; zero unless the kind
    /// [measures it](WorkerKind::measures_pending).
    pub most_pending: usize,
    /// The most workers there ever were at once.
    pub most_workers: usize,
    /// Workers that were spawned, or are being spawned.
    pub spawned: usize,
    /// Workers that could not be.
    pub spawn_failures: usize,
    /// How often a worker went to sleep.
    pub sleeps: usize,
    /// How often an idle worker was claimed for a task.
    pub wake_ups: usize,
    /// Workers that have left, by [`Departure`].
    left: [usize; Departure::COUNT],
}

impl Totals {
    /// Workers that have left for this reason.
    pub const fn left(&self, why: Departure) -> usize {
        self.left[why as usize]
    }
}

impl<K: WorkerKind> Engine<K> {
    /// Numbers since the beginning: a snapshot.
    pub fn totals(&self) -> Totals {
        let inlined = self.store.inlined();
        // ORDERING: Relaxed: a snapshot.
        let withdrawn = self.withdrawn.load(Ordering::Relaxed);
        let mut totals = Totals {
            counts: self.counts(),
            cancelled: withdrawn.saturating_sub(inlined),
            inlined,
            // ORDERING: Relaxed: as above.
            most_pending: self.most_pending.load(Ordering::Relaxed),
            most_workers: 0,
            spawned: 0,
            spawn_failures: 0,
            sleeps: 0,
            wake_ups: 0,
            left: [0; Departure::COUNT],
        };
        for (slot, seat) in self.seats().iter().enumerate() {
            let tally = &seat.tally;
            let sum = |total: &mut usize, item| *total = total.wrapping_add(tally.get(item));
            for why in Departure::ALL {
                sum(&mut totals.left[why as usize], Item::Left(why));
            }
            sum(&mut totals.spawn_failures, Item::SpawnFailed);
            sum(&mut totals.sleeps, Item::Slept);
            sum(&mut totals.wake_ups, Item::Called);
            let spawned = tally.spawned();
            totals.spawned = totals.spawned.wrapping_add(spawned);
            if spawned > 0 {
                totals.most_workers = slot + 1;
            }
        }
        totals
    }

    /// After a push: so many tasks are pending, if that is wanted.
    pub(super) fn note_pending(&self) {
        if !self.kind.measures_pending() {
            return;
        }
        let pending = self.pending();
        // ORDERING: Relaxed: a number.
        let mut most = self.most_pending.load(Ordering::Relaxed);
        while most < pending {
            // ORDERING: Relaxed, both: a number.
            match self.most_pending.compare_exchange(
                most,
                pending,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => most = now,
            }
        }
    }
}
