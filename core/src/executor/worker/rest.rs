//! A worker that has found no task: it looks a little longer, sleeps, and may leave.
//!
//! The names C and I5 stand in the header of the census, X2 and X4 in that of the engine (`executor`), N7 in that of
//! `loan`.
//!
//! # Modelled by
//! `loom-tests/tests/executor/growth.rs`, `loom-tests/tests/executor/called.rs`, `loom-tests/tests/executor/loan.rs`

use super::{Next, Worker};
use crate::census::Leaving;
use crate::clock::Clock;
use crate::executor::kind::{Departure, WorkerKind};
use crate::executor::loan::Offer;
use crate::executor::memory::Consume;
use crate::executor::tally::Item;
use crate::executor::{Engine, StoreOf};
use crate::park::{Park, Unparked};
use crate::spin::LONG_SLEEP;
use crate::sync::{LOOKS, Ordering, fence, spin_loop};
use crate::task::Claimed;

impl<'e, K: WorkerKind + 'e> Worker<'e, K>
where
    StoreOf<K>: 'e,
{
    /// Looks for a task for a few microseconds: a caller that did not sleep is likely to submit the
    /// next one at once; but not one for whose task this worker was woken from a long sleep. Not when it is to leave.
    pub(super) fn linger(&mut self) -> Option<Claimed<K::Seat, K::Failure>> {
        if !self.engine.kind.may_spin() {
            return None;
        }
        if core::mem::take(&mut self.slept_long) {
            // It may wait for this very processor to see the outcome.
            if self.offers.begin() {
                let kind = &self.engine.kind;
                self.offers.offer(kind.clock(), || kind.yield_now());
            }
            return None;
        }
        let looks_out = self.engine.census.look_out(self.slot);
        // Who takes tasks ahead has its batches from that.
        if !K::TAKES_AHEAD {
            // ORDERING: Relaxed: a count, and whoever looks for a task finds it in the queue.
            self.flow.ran_dry(|| self.engine.submitted.load(Ordering::Relaxed));
        }
        let (lifecycle, born) = (&self.engine.lifecycle, self.born);
        let mut looks = (0..LOOKS).take_while(|_| !lifecycle.wants_rid_of(born));
        let task = looks.find_map(|_| {
            spin_loop();
            self.pop()
        });
        if looks_out {
            self.answer();
        }
        task
    }

    /// C2: announces the worker idle, looks once more, and sleeps.
    pub(super) fn rest(&mut self, seat: &mut K::Seat) -> Next<K> {
        self.engine.census.go_idle(self.slot);
        // F2 is behind: a submitter has seen this worker idle, or this look finds its task.
        if let Some(task) = self.pop() {
            self.stay();
            return Next::Run(task);
        }
        if self.has_to_cancel() {
            self.stay();
            self.cancel();
            return Next::Look;
        }
        let offer = Offer::new(self.engine, self.slot, seat, self.tasks);
        self.sleep(offer).map_or(Next::Look, Next::Leave)
    }

    /// C3. The wake of a claimer comes later, as a stale token.
    fn stay(&mut self) {
        if self.engine.census.leave_idle(self.slot) == Leaving::Claimed {
            self.called();
        }
    }

    /// Sleeps until there may be something to do; or says why the worker must leave.
    fn sleep(&mut self, offer: Offer<'_, K>) -> Option<Departure> {
        let Engine { kind, census, lifecycle, .. } = &**self.engine;
        let mut idle_since = kind.clock().now();
        let why = loop {
            let deadline = kind.keep_alive(self.slot).and_then(|time| idle_since.after(time));
            self.tally().count(Item::Slept);
            match kind.parker(self.slot).park(deadline) {
                // C4, or a stale token while its seat is lent.
                Unparked::Woken if !census.is_idle(self.slot) => break None,
                // A stale token, or a new keep-alive.
                Unparked::Woken if !lifecycle.wants_rid_of(self.born) => {}
                Unparked::Woken => break Some(Departure::Dismissed),
                // Its time begins anew.
                Unparked::TimedOut if offer.is_lent() => idle_since = kind.clock().now(),
                Unparked::TimedOut => break Some(Departure::Idle),
                Unparked::SeatLost => break Some(Departure::SeatLost),
            }
        };
        self.slept_long = kind.clock().now().since(idle_since) > LONG_SLEEP;
        let was_borrowed = self.reclaim(offer);
        let was_claimed = !K::LENDS && why.is_none();
        // C5, N12.
        if was_claimed || census.leave_idle(self.slot) == Leaving::Claimed {
            self.called();
            return None;
        }
        // Then its time begins anew.
        let stays = was_borrowed && why == Some(Departure::Idle);
        why.filter(|_| !stays && self.take_leave())
    }

    fn called(&mut self) {
        self.tally().count(Item::Called);
        self.answer();
    }

    /// C14.
    fn answer(&mut self) {
        self.engine.census.answer(self.slot);
        self.relied_upon = true;
    }

    /// I5: this worker is about to be busy. If there is one task more, somebody else is called; that cannot
    /// fail for want of a live worker, since this one lives.
    pub(super) fn hand_on(&self) {
        if !self.consumer.is_empty() {
            let _ = Engine::<K>::call_for_worker(self.engine);
        }
    }

    /// Whether a borrower has spoilt the seat, or run the worker's last task.
    pub(super) fn is_spent(&self, seat: &K::Seat) -> bool {
        K::LENDS && !self.engine.kind.may_go_on(seat, self.tasks)
    }

    /// N7; true if somebody has borrowed the seat since it was lent.
    fn reclaim(&mut self, offer: Offer<'_, K>) -> bool {
        let tasks = offer.reclaim(self.tasks);
        core::mem::replace(&mut self.tasks, tasks) != tasks
    }

    /// Announces this worker busy, for good, so that nobody counts on it while its finalizer runs;
    /// false if a task came meanwhile, whose submitter may have counted on it.
    pub(super) fn take_leave(&self) -> bool {
        self.ticks().set_leaving();
        // ORDERING: SeqCst, X4: a submitter sees that this worker is busy, or this worker sees its
        // task.
        fence(Ordering::SeqCst);
        let leaves = self.consumer.is_empty();
        if !leaves {
            self.ticks().set_looking();
        }
        leaves
    }

    /// Announces this worker busy: tasks that may rely on it go to others.
    #[cold]
    pub(super) fn stand_back(&self) {
        if !self.take_leave() {
            self.ticks().set_leaving();
            let _ = Engine::<K>::call_for_worker(self.engine);
        }
    }

    /// The seat is spent.
    pub(super) fn resign(&self) -> Departure {
        self.stand_back();
        Departure::Recycled
    }
}
