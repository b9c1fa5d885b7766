//! The worker loop: the one that runs on threads, over child processes, on bare metal and under
//! the model checker.
//!
//! A worker counts as *looking* (X2) before it publishes the outcome of a task, so that the caller
//! which that outcome wakes does not spawn another worker for its next task. If nobody had to be
//! woken it looks a few microseconds longer; then it announces itself idle, looks once more, and
//! sleeps. It announces itself gone only when its finalizer has ended.
//!
//! What its users' code does when a task is over (callbacks, the destructor of an outcome without a handle) takes as long
//! as it likes, and may wait for other tasks. So it runs when the end is published and before the worker takes another
//! task (but for what it has taken ahead); and the worker counts as busy meanwhile, however late it turns out that there
//! is such code. The same holds for what it is to cancel.
//!
//! It has no words of its own. The names stand where the words are: C, F and I5 in the census, X in the
//! engine (`executor`), D in `ahead`, N in `loan`, W in `growth`, L in the lifecycle.
//!
//! # Modelled by
//! `loom-tests/tests/executor.rs`, `loom-tests/tests/fixed.rs`
#![forbid(unsafe_code)]

mod flow;
mod post;
mod rest;

use self::flow::Flow;
pub(super) use self::post::Post;
use super::ahead::{Ahead, Hands};
use super::growth::Verdict;
use super::kind::{Departure, OpenError, WorkerKind};
use super::memory::{Consume, Shared, Store};
use super::tally::{Item, Tally};
use super::{Engine, Entry, StoreOf, Ticks};
use crate::clock::{Clock, Instant};
use crate::lifecycle::Generation;
use crate::spin::Offers;
use crate::task::{Behind as _, Claimed, Clocked, Finished, Popped};

/// Works in `slot` until there is no more to do there. Called once per successful
/// [`WorkerKind::spawn`], on the new thread of execution.
///
/// Returns at once if nobody was called for in that slot, or somebody has come already.
pub fn work<K: WorkerKind>(engine: &Shared<K>, slot: usize) {
    let Some(born) = engine.seats()[slot].post.take() else { return };
    match engine.kind.open(slot) {
        Ok(mut seat) => {
            let mut worker = Worker::<K>::new(engine, slot, born);
            worker.begin();
            let why = match worker.serve(&mut seat) {
                Departure::Recycled if engine.kind.is_lost(&seat) => Departure::SeatLost,
                why => why,
            };
            if let Err(cause) = engine.kind.close(slot, seat) {
                engine.fail(cause);
            }
            engine.kind.leaves(slot, why);
            worker.depart(why);
        }
        Err(OpenError::Initializer(cause)) => {
            engine.fail(cause);
            // The pool is not open: nobody is called for, what is pending is cancelled.
            engine.kind.leaves(slot, Departure::NotOpened);
            engine.seats()[slot].tally.count(Item::Left(Departure::NotOpened));
            engine.census.leave(slot);
            engine.drain(None);
        }
        Err(OpenError::Spawn(cause)) => {
            let verdict = engine.leave_unmanned(slot, &cause);
            if verdict == Verdict::TryAgain && engine.lifecycle.is_open() {
                if engine.census.live() == 0 && engine.pending() > 0 {
                    Engine::<K>::call_or_settle(engine);
                }
            } else {
                engine.settle_alone(&cause);
            }
        }
    }
    engine.kind.departed(slot);
}

/// In the place of [`work`], by any thread: although [`WorkerKind::spawn`] has returned, nobody will
/// ever work in `slot`. As if the spawn had failed, but that nothing is spawned from here: tasks that
/// have nobody else are resolved with the cause.
///
/// Does nothing if nobody was called for in that slot, or somebody has come already.
pub fn forsake<K: WorkerKind>(engine: &Shared<K>, slot: usize, cause: &K::Failure) {
    if engine.seats()[slot].post.take().is_none() {
        return;
    }
    let _ = engine.leave_unmanned(slot, cause);
    engine.settle_alone(cause);
}

impl<K: WorkerKind> Engine<K> {
    /// C6 on the side of a worker that could not start: others who live look at the queue before they
    /// sleep; if nobody does, it is hopeless.
    fn settle_alone(&self, cause: &K::Failure) {
        if !self.lifecycle.is_open() || self.census.live() == 0 {
            self.drain(Some(cause));
        }
    }
}

/// What a worker does next.
enum Next<K: WorkerKind> {
    Run(Claimed<K::Seat, K::Failure>),
    /// A task may have come.
    Look,
    /// It is announced busy, for good.
    Leave(Departure),
}

struct Worker<'e, K: WorkerKind + 'e>
where
    StoreOf<K>: 'e,
{
    engine: &'e Shared<K>,
    slot: usize,
    born: Generation,
    consumer: <StoreOf<K> as Store<K>>::Consumer<'e>,
    /// Whether somebody slept until the end of the last task, and was woken.
    woke_somebody: bool,
    /// When the last task ended, if that was just now and nothing else was done since.
    ended: Option<Instant>,
    tasks: usize,
    ahead: Ahead<K>,
    /// A pending task whose handle has asked for its cancellation, until nobody counts on this worker.
    to_cancel: Option<Entry<K>>,
    flow: Flow,
    offers: Offers,
    /// It has slept for long, and has not run out of tasks since.
    slept_long: bool,
    /// I5: submitters may rely on this worker for more than it takes from the queue next.
    relied_upon: bool,
}

impl<'e, K: WorkerKind + 'e> Worker<'e, K>
where
    StoreOf<K>: 'e,
{
    fn new(engine: &'e Shared<K>, slot: usize, born: Generation) -> Self {
        Self {
            engine,
            slot,
            born,
            consumer: engine.store.consumer(),
            woke_somebody: false,
            ended: None,
            tasks: 0,
            ahead: Ahead::new(),
            to_cancel: None,
            flow: Flow::new(),
            offers: Offers::new(),
            slept_long: false,
            // Whoever has called for it may have been relied upon for all that is pending.
            relied_upon: true,
        }
    }

    /// W4.
    fn begin(&self) {
        let growth = &self.engine.growth;
        growth.started();
        if growth.is_owed() {
            Engine::<K>::resume_growth(self.engine, self.engine.kind.clock().now());
        }
    }

    /// Runs tasks until the worker must leave, and says why. From then on it counts as busy.
    fn serve(&mut self, seat: &mut K::Seat) -> Departure {
        loop {
            match self.next(seat) {
                Next::Run(task) => {
                    if self.run(task, seat) {
                        continue;
                    }
                    self.give_up_ahead(seat);
                    return Departure::Recycled;
                }
                Next::Look => {}
                Next::Leave(why) => return why,
            }
            if self.is_spent(seat) {
                return self.resign();
            }
        }
    }

    fn next(&mut self, seat: &mut K::Seat) -> Next<K> {
        if let Some(task) = self.hands().next().or_else(|| self.pop()) {
            return Next::Run(task);
        }
        self.ended = None;
        // Who sleeps takes longer to come back than this worker should look.
        if !self.has_to_cancel() && !core::mem::take(&mut self.woke_somebody) {
            if let Some(task) = self.linger() {
                return Next::Run(task);
            }
        }
        if self.has_to_cancel() {
            self.cancel();
            return Next::Look;
        }
        if self.engine.lifecycle.wants_rid_of(self.born) {
            return if self.take_leave() { Next::Leave(Departure::Dismissed) } else { Next::Look };
        }
        self.rest(seat)
    }

    /// The next pending task. Stubs are discarded; so is everything once the pool is not open. None, too, if there is
    /// one to cancel first.
    fn pop(&mut self) -> Option<Claimed<K::Seat, K::Failure>> {
        if self.has_to_cancel() {
            return None;
        }
        loop {
            let entry = self.consumer.pop()?;
            if !self.engine.lifecycle.is_open() {
                self.engine.turn_down(entry, None);
                continue;
            }
            match entry.claim() {
                Popped::Claimed(task) => return Some(task),
                Popped::CancelRequested(entry) if K::TAKES_AHEAD => {
                    self.to_cancel = Some(entry);
                    return None;
                }
                // The former is what was given back.
                Popped::CancelRequested(_) | Popped::Stub => {}
            }
        }
    }

    pub(super) fn has_to_cancel(&self) -> bool {
        K::TAKES_AHEAD && self.to_cancel.is_some()
    }

    /// Cancels what was found. No task counts on this worker meanwhile.
    #[cold]
    pub(super) fn cancel(&mut self) {
        if let Some(task) = self.to_cancel.take() {
            self.stand_back();
            self.engine.grant_cancel(task);
            self.ticks().set_looking();
        }
    }

    /// Runs a task; false if it was this worker's last.
    fn run(&mut self, mut task: Claimed<K::Seat, K::Failure>, seat: &mut K::Seat) -> bool {
        self.ticks().claim();
        self.engine.kind.left_queue();
        if core::mem::take(&mut self.relied_upon) {
            self.hand_on();
        }
        let is_timed = task.is_timed();
        let now = || if is_timed { self.engine.task_time() } else { Instant::UNKNOWN };
        let started = self.ended.take().unwrap_or_else(now);
        if K::TAKES_AHEAD && task.announce(seat) {
            self.take_ahead(seat);
        }
        let hands = self.hands();
        let clocked =
            if K::TAKES_AHEAD { Clocked::before(&hands, started) } else { Clocked::new(started) };
        let finished = task.run(seat, &clocked);
        let ended = clocked.ended(now);
        finished.ran(started, ended);
        let quiet = if finished.is_loud() {
            // While this worker is still busy: no task counts on it meanwhile.
            self.engine.kind.contain(|| drop(finished));
            None
        } else {
            Some(finished)
        };
        self.ended = (is_timed && quiet.is_some()).then_some(ended);
        // With words of 32 bits it may come round: a worker with a limit has left long before.
        self.tasks = self.tasks.wrapping_add(1);
        let goes_on = self.engine.kind.may_go_on(seat, self.tasks);
        if goes_on {
            // Not before: nobody may count on a worker that is about to leave.
            self.ticks().set_looking();
        } else {
            self.ticks().set_leaving();
        }
        // Looking already, X2: now the outcome may wake its caller.
        self.woke_somebody = quiet.is_some_and(|finished| self.publish(finished, goes_on));
        if goes_on && self.engine.growth.is_owed() {
            Engine::<K>::resume_growth(self.engine, self.engine.kind.clock().now());
            self.ended = None;
        }
        goes_on
    }

    /// Publishes the end of a task that was quiet; true if somebody slept and was woken.
    fn publish(&mut self, finished: Finished, goes_on: bool) -> bool {
        let mut woke_somebody = false;
        let mut is_loud = false;
        self.engine.kind.contain(|| {
            woke_somebody = finished.publish(|| {
                is_loud = true;
                self.stand_back();
            });
        });
        if is_loud {
            self.ended = None;
            if goes_on {
                self.ticks().set_looking();
            }
        }
        woke_somebody
    }

    fn hands(&self) -> Hands<'_, K> {
        Hands { engine: self.engine, ahead: &self.ahead }
    }

    /// D3: announces further tasks to the seat, as many as the kind wants.
    fn take_ahead(&mut self, seat: &mut K::Seat) {
        while self.ahead.has_room()
            && self.engine.kind.may_take_ahead(seat, self.tasks + 1 + self.ahead.count())
        {
            if self.consumer.is_empty() {
                return;
            }
            self.hands().reach();
            let Some(entry) = self.consumer.pop() else { return self.hands().settle() };
            let left = if self.engine.lifecycle.is_open() {
                match entry.claim() {
                    Popped::Claimed(mut task) => {
                        if task.announce(seat) {
                            self.ahead.append(task);
                            continue;
                        }
                        task.give_back()
                    }
                    Popped::CancelRequested(entry) => entry,
                    Popped::Stub => {
                        self.hands().settle();
                        continue;
                    }
                }
            } else {
                entry
            };
            // D7.
            self.engine.store.put_back(left);
            return self.hands().call();
        }
    }

    /// The worker leaves: what its seat has not begun goes to others, and the rest to its end.
    fn give_up_ahead(&mut self, seat: &mut K::Seat) {
        if self.ahead.count() == 0 {
            return;
        }
        let begun = self.engine.kind.recall(seat);
        self.hands().give_back(self.ahead.count().saturating_sub(begun));
        while let Some(task) = self.hands().next() {
            self.run(task, seat);
        }
        self.ticks().set_leaving();
    }

    fn tally(&self) -> &Tally {
        &self.engine.seats()[self.slot].tally
    }

    /// C9.
    fn depart(self, why: Departure) {
        let engine = self.engine;
        self.tally().count(Item::Left(why));
        // Not busy for its successor; whoever counts on this worker meanwhile is seen below, F3.
        self.ticks().set_looking();
        engine.census.leave(self.slot);
        if !engine.lifecycle.is_open() {
            // Nobody may be left to meet what a late submit pushed.
            engine.drain(None);
        } else if engine.pending() > 0 {
            // The accounts are asked, not the queue: stubs need nobody.
            Engine::<K>::call_or_settle(engine);
        }
    }

    fn ticks(&self) -> &Ticks {
        &self.engine.seats()[self.slot].ticks
    }
}
