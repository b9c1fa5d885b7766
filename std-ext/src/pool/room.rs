//! Room for pending tasks: how a pool with a capacity makes its submitters wait, and lets go on those
//! for whom there is room.
//!
//! # State
//! | field | meaning |
//! |---|---|
//! | `taken` | pending tasks, and those that are about to be: 0 to `capacity`, or more where [`overdraw`](Room::overdraw) was asked for |
//! | `waiting` | submitters that wait or are about to; changed under `queue` |
//! | `queue` | how many of them wait for something else, too |
//!
//! # Invariants
//! - **M1** A submitter takes a place before its push; the place is given back once, by whoever ends
//!   the task's pending: the worker that claims it, the waiter that claims it inline, its canceller
//!   before it drops the closure, whose destructor may submit, the submitter that withdraws it.
//! - **M2** While there is room, no submitter sleeps for whom no wake is on its way.
//!
//! # Edges
//! - **M3 ↔ M4** fence in `give_back` / fence in `take_until`: who gives a place back sees the waiter,
//!   or the waiter sees the place.
//!
//! *M2* Each place that is given back wakes one waiter if there is one (M3 ↔ M4), or all of them if one waits for
//! something else, too: a worker gives a place back after it has published the outcome that this may be. A submitter that
//! takes the place before the woken one gives one back in its turn. A waiter that gives up, at its
//! deadline or because it has got something else, tries once more, so the wake that it may have got is not
//! lost: it takes the place, or there is none.
//!
//! # Progress
//! Taking and giving back are lock-free while nobody waits. Nobody is served in the order of coming.
//!
//! # Modelled by
//! `loom-tests/tests/pool/room.rs`

use crate::clock::Deadline;
use crate::sync::{AtomicUsize, Condvar, Mutex, Ordering, fence, lock, rmw_fence, wait};

#[derive(Debug)]
pub(super) struct Room {
    capacity: usize,
    taken: AtomicUsize,
    waiting: AtomicUsize,
    queue: Mutex<usize>,
    freed: Condvar,
}

impl Room {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            taken: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::new(0),
            freed: Condvar::new(),
        }
    }

    /// Takes a place if there is one.
    pub(super) fn try_take(&self) -> bool {
        // ORDERING: Relaxed: a number; M4 is before where it matters. The queue carries the tasks.
        let mut taken = self.taken.load(Ordering::Relaxed);
        while taken < self.capacity {
            // ORDERING: Relaxed, as above; M1 needs only atomicity.
            match self.taken.compare_exchange(
                taken,
                taken + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => taken = now,
            }
        }
        false
    }

    /// Whether there is no place: a snapshot.
    pub(super) fn is_full(&self) -> bool {
        // ORDERING: Relaxed: as in `try_take`.
        self.taken.load(Ordering::Relaxed) >= self.capacity
    }

    /// Takes a place; if there is none waits for one until the deadline, or until `give_up`, asked whenever a place
    /// was given back, says so. False if there was none.
    pub(super) fn take_until(
        &self,
        deadline: Deadline,
        give_up: Option<&dyn Fn() -> bool>,
    ) -> bool {
        if self.try_take() {
            return true;
        }
        let mut queue = lock(&self.queue);
        *queue += usize::from(give_up.is_some());
        // ORDERING: Relaxed: M4 follows.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // ORDERING: SeqCst, M4.
        fence(Ordering::SeqCst);
        let taken = loop {
            if self.try_take() {
                break true;
            }
            if give_up.is_some_and(|give_up| give_up()) {
                break false;
            }
            match wait(&self.freed, queue, deadline) {
                Some(woken) => queue = woken,
                None => {
                    queue = lock(&self.queue);
                    break self.try_take();
                }
            }
        };
        // ORDERING: Relaxed: who sees the waiter still wakes nobody, or another.
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        *queue -= usize::from(give_up.is_some());
        drop(queue);
        taken
    }

    /// Takes a place that may not be there.
    pub(super) fn overdraw(&self) {
        // ORDERING: Relaxed: as in `try_take`.
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a place back.
    pub(super) fn give_back(&self) {
        // ORDERING: Relaxed: M3 follows.
        self.taken.fetch_sub(1, Ordering::Relaxed);
        // ORDERING: SeqCst, M3.
        rmw_fence(Ordering::SeqCst);
        // ORDERING: Relaxed: M3 is before.
        if self.waiting.load(Ordering::Relaxed) > 0 {
            // Under the lock: not between a waiter's look and its sleep.
            let queue = lock(&self.queue);
            if *queue == 0 {
                self.freed.notify_one();
            } else {
                self.freed.notify_all();
            }
        }
    }
}
