//! A toy of a pool: the census, workers that treat it as the engine's do, and two numbers for a queue.

use super::park::ModelPark;
use asyncpal_core::census::{AfterPush, Bank, Census, Leaving};
use asyncpal_core::clock::Instant;
use asyncpal_core::park::{Park, Unparked};
use core::sync::atomic::AtomicUsize as Uncounted;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread::{self, JoinHandle};
use std::sync::{Arc, Mutex, PoisonError};

/// A pool whose tasks are all alike. `std`'s atomics are not seen by the checker: they add no step
/// and order nothing.
pub struct Toy {
    pub census: Census<[Bank; 1]>,
    pub pushed: AtomicUsize,
    popped: AtomicUsize,
    pub seats: Vec<Seat>,
    /// Tasks that have not run.
    left: Uncounted,
    all_ran: ModelPark,
    /// Whether the task that starts first waits for the second, and where it does.
    first_waits: Option<ModelPark>,
    started: Uncounted,
    stop: AtomicUsize,
    timeouts: Uncounted,
    failing_spawns: Uncounted,
    pub looks_out: bool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

pub struct Seat {
    parker: ModelPark,
    /// The checker reports two threads in it.
    pub fields: UnsafeCell<()>,
}

/// What a model varies.
#[derive(Clone, Copy)]
pub struct Setting {
    pub slots: usize,
    pub timeouts: usize,
    pub failing_spawns: usize,
    pub first_waits: bool,
    pub looks_out: bool,
}

pub const CALM: Setting =
    Setting { slots: 1, timeouts: 0, failing_spawns: 0, first_waits: false, looks_out: false };

impl Toy {
    pub fn live(&self) -> usize {
        (0..self.census.slots()).filter(|&slot| self.census.is_live(slot)).count()
    }

    #[expect(
        clippy::arc_with_non_send_sync,
        reason = "loom's cells are not Sync, and its threads do not ask for it"
    )]
    pub fn new(setting: Setting, tasks: usize) -> Arc<Self> {
        let bank = Bank::new(asyncpal_core::sync::AtomicUsize::new(0));
        let seat = || Seat { parker: ModelPark::new(), fields: UnsafeCell::new(()) };
        Arc::new(Self {
            census: Census::new([bank], setting.slots),
            pushed: AtomicUsize::new(0),
            popped: AtomicUsize::new(0),
            seats: (0..setting.slots).map(|_| seat()).collect(),
            left: Uncounted::new(tasks),
            all_ran: ModelPark::new(),
            first_waits: setting.first_waits.then(ModelPark::new),
            started: Uncounted::new(0),
            looks_out: setting.looks_out,
            stop: AtomicUsize::new(0),
            timeouts: Uncounted::new(setting.timeouts),
            failing_spawns: Uncounted::new(setting.failing_spawns),
            threads: Mutex::default(),
        })
    }

    pub fn submit(self: &Arc<Self>) {
        self.pushed.fetch_add(1, Relaxed);
        self.follow(self.census.after_push(|| self.wants_worker()));
    }

    fn call_for_worker(self: &Arc<Self>) {
        self.follow(self.census.call(|| self.wants_worker()));
    }

    fn wants_worker(&self) -> bool {
        self.pending() > self.live()
    }

    /// As the engine's; a submitter here never gives up.
    fn follow(self: &Arc<Self>, mut called: AfterPush) {
        loop {
            match called {
                AfterPush::Leave => return,
                AfterPush::Wake(slot) => return self.seats[slot].parker.unpark(),
                AfterPush::Spawn(slot) if spend(&self.failing_spawns) => {
                    self.census.leave(slot);
                    if self.pending() == 0 {
                        return;
                    }
                }
                AfterPush::Spawn(slot) => {
                    let toy = Arc::clone(self);
                    let thread = thread::spawn(move || toy.work(slot));
                    self.threads().push(thread);
                    return;
                }
            }
            called = self.census.call(|| self.wants_worker());
        }
    }

    fn work(self: &Arc<Self>, slot: usize) {
        self.seats[slot].fields.with_mut(|_| ());
        self.serve(slot, false);
        self.seats[slot].fields.with_mut(|_| ());
        self.census.leave(slot);
        if self.pending() > 0 {
            self.call_for_worker();
        }
    }

    /// As the engine's worker.
    pub fn serve(self: &Arc<Self>, slot: usize, mut relied_upon: bool) {
        loop {
            if self.take_one() {
                self.run(&mut relied_upon);
                continue;
            }
            if self.looks_out && self.census.look_out(slot) {
                let took = self.take_one();
                self.answer(slot, &mut relied_upon);
                if took {
                    self.run(&mut relied_upon);
                    continue;
                }
            }
            if self.stop.load(Relaxed) > 0 {
                return;
            }
            self.census.go_idle(slot);
            if self.take_one() {
                if self.census.leave_idle(slot) == Leaving::Claimed {
                    self.answer(slot, &mut relied_upon);
                }
                self.run(&mut relied_upon);
                continue;
            }
            if !self.sleep(slot) {
                return;
            }
            self.answer(slot, &mut relied_upon);
        }
    }

    fn answer(&self, slot: usize, relied_upon: &mut bool) {
        self.census.answer(slot);
        *relied_upon = true;
    }

    /// False if the worker leaves.
    pub fn sleep(&self, slot: usize) -> bool {
        loop {
            let deadline = spend(&self.timeouts).then_some(Instant::from_nanos(0));
            match self.seats[slot].parker.park(deadline) {
                Unparked::Woken if !self.census.is_idle(slot) => return true,
                Unparked::Woken if self.stop.load(Relaxed) == 0 => {}
                _ => return self.census.leave_idle(slot) == Leaving::Claimed,
            }
        }
    }

    fn take_one(&self) -> bool {
        let mut popped = self.popped.load(Relaxed);
        while popped < self.pushed.load(Relaxed) {
            match self.popped.compare_exchange(popped, popped + 1, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => popped = now,
            }
        }
        false
    }

    pub fn pending(&self) -> usize {
        let popped = self.popped.load(Relaxed);
        self.pushed.load(Relaxed).saturating_sub(popped)
    }

    fn run(self: &Arc<Self>, relied_upon: &mut bool) {
        if core::mem::take(relied_upon) && self.pending() > 0 {
            self.call_for_worker();
        }
        if let Some(second) = &self.first_waits {
            match self.started.fetch_add(1, Relaxed) {
                0 => second.wait(),
                _ => second.unpark(),
            }
        }
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.all_ran.unpark();
        }
    }

    pub fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every task has run, then sends the workers home.
    pub fn end(&self) {
        self.all_ran.wait();
        self.stop.store(1, Relaxed);
        for seat in &self.seats {
            seat.parker.unpark();
        }
        loop {
            let thread = self.threads().pop();
            let Some(thread) = thread else { break };
            thread.join().expect("no worker panics");
        }
        assert_eq!(self.census.live(), 0);
        assert_eq!(self.census.idle(), 0);
    }
}

/// Takes one from what the model may spend.
fn spend(budget: &Uncounted) -> bool {
    budget.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
}
