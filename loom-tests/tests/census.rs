//! Models of the census alone, with a queue that is two numbers.
//!
//! # Claims
//! - **I2**: no task is left behind while its worker goes idle (C2, C3), retires (C5), leaves (C9)
//!   or could not be spawned (C6). A task that is left behind is reported as a deadlock.
//! - **F1 ↔ F2**, **F1 ↔ F3**: the numbers are Relaxed, so nothing but the fences orders them against
//!   the word.
//! - **I3**: a wake that is owed to a worker which retires is not lost.
//! - **I5**, **F1 ↔ F4**: a task whose submitter relied on a worker that is about to look is not stuck behind
//!   the task which that look finds.
//! - **C8**: who counts a worker counts the task for which it was called.
//! - **I4**, **C7**: a slot's fields are its worker's alone, and pass from worker to worker.
#![cfg(asyncpal_loom)]
#![expect(unreachable_pub, reason = "the modules of one test file see each other only")]

#[path = "executor/park.rs"]
mod park;

use asyncpal_core::census::{AfterPush, Bank, Census, Leaving};
use asyncpal_core::clock::Instant;
use asyncpal_core::park::{Park, Unparked};
use core::sync::atomic::AtomicUsize as Uncounted;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread::{self, JoinHandle};
use loom_tests::{model, model_bounded};
use park::ModelPark;
use std::sync::{Arc, Mutex, PoisonError};

/// A pool whose tasks are all alike. `std`'s atomics are not seen by the checker: they add no step
/// and order nothing.
struct Toy {
    census: Census<[Bank; 1]>,
    pushed: AtomicUsize,
    popped: AtomicUsize,
    seats: Vec<Seat>,
    /// Tasks that have not run.
    left: Uncounted,
    all_ran: ModelPark,
    /// Whether the task that starts first waits for the second, and where it does.
    first_waits: Option<ModelPark>,
    started: Uncounted,
    stop: AtomicUsize,
    timeouts: Uncounted,
    failing_spawns: Uncounted,
    looks_out: bool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Seat {
    parker: ModelPark,
    /// The checker reports two threads in it.
    fields: UnsafeCell<()>,
}

/// What a model varies.
#[derive(Clone, Copy)]
struct Setting {
    slots: usize,
    timeouts: usize,
    failing_spawns: usize,
    first_waits: bool,
    looks_out: bool,
}

const CALM: Setting =
    Setting { slots: 1, timeouts: 0, failing_spawns: 0, first_waits: false, looks_out: false };

impl Toy {
    fn live(&self) -> usize {
        (0..self.census.slots()).filter(|&slot| self.census.is_live(slot)).count()
    }

    #[expect(
        clippy::arc_with_non_send_sync,
        reason = "loom's cells are not Sync, and its threads do not ask for it"
    )]
    fn new(setting: Setting, tasks: usize) -> Arc<Self> {
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

    fn submit(self: &Arc<Self>) {
        self.pushed.fetch_add(1, Relaxed);
        self.call_for_worker();
    }

    /// As the engine's; a submitter here never gives up.
    fn call_for_worker(self: &Arc<Self>) {
        loop {
            let wanted = || self.pending() > self.live();
            match self.census.after_push(wanted) {
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
    fn serve(self: &Arc<Self>, slot: usize, mut relied_upon: bool) {
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
    fn sleep(&self, slot: usize) -> bool {
        loop {
            let deadline = spend(&self.timeouts).then_some(Instant::from_nanos(0));
            match self.seats[slot].parker.park(deadline) {
                Unparked::Woken if !self.census.is_idle(slot) => return true,
                Unparked::Woken if self.stop.load(Relaxed) == 0 => {}
                _ => return self.census.after_timeout(slot) == Leaving::Claimed,
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

    fn pending(&self) -> usize {
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

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every task has run, then sends the workers home.
    fn end(&self) {
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

/// One thread submits two tasks.
fn one_submitter(setting: Setting) {
    let toy = Toy::new(setting, 2);

    toy.submit();
    toy.submit();

    toy.end();
}

/// Two threads submit a task each.
fn two_submitters(setting: Setting) {
    let toy = Toy::new(setting, 2);
    let other = {
        let toy = Arc::clone(&toy);
        thread::spawn(move || toy.submit())
    };

    toy.submit();

    other.join().expect("no submitter panics");
    toy.end();
}

#[test]
fn no_task_is_left_behind_by_a_worker_that_goes_idle() {
    model("no_task_is_left_behind_by_a_worker_that_goes_idle", || one_submitter(CALM));
}

#[test]
fn no_task_of_two_submitters_is_left_behind_by_one_worker() {
    model("no_task_of_two_submitters_is_left_behind_by_one_worker", || two_submitters(CALM));
}

#[test]
fn no_task_of_two_submitters_is_left_behind_by_two_workers() {
    model("no_task_of_two_submitters_is_left_behind_by_two_workers", || {
        two_submitters(Setting { slots: 2, ..CALM });
    });
}

/// Two workers sleep, or the first is awake and looks out; the task that starts first waits for the second,
/// whose submitter may find somebody called.
fn a_task_waits_for_another_submitters(looks_out: bool) {
    let toy = Toy::new(Setting { slots: 2, first_waits: true, looks_out, ..CALM }, 2);
    for slot in 0..2 {
        assert_eq!(toy.census.hire(), Some(slot));
        let sleeps = slot > 0 || !looks_out;
        if sleeps {
            toy.census.go_idle(slot);
        }
        let worker = Arc::clone(&toy);
        let thread = thread::spawn(move || {
            if !sleeps || worker.sleep(slot) {
                worker.census.answer(slot);
                worker.serve(slot, true);
            }
            worker.census.leave(slot);
        });
        toy.threads().push(thread);
    }
    let other = {
        let toy = Arc::clone(&toy);
        thread::spawn(move || toy.submit())
    };

    toy.submit();

    other.join().expect("no submitter panics");
    toy.end();
}

#[test]
fn no_task_is_left_behind_one_that_waits_for_it() {
    model_bounded("no_task_is_left_behind_one_that_waits_for_it", Some(2), || {
        a_task_waits_for_another_submitters(false);
    });
}

#[test]
fn no_task_that_a_worker_finds_while_it_looks_out_leaves_another_behind() {
    let name = "no_task_that_a_worker_finds_while_it_looks_out_leaves_another_behind";
    model_bounded(name, Some(1), || a_task_waits_for_another_submitters(true));
}

#[test]
fn a_retiring_worker_takes_the_wake_it_is_owed_or_leaves_its_slot_to_another() {
    model("a_retiring_worker_takes_the_wake_it_is_owed_or_leaves_its_slot_to_another", || {
        one_submitter(Setting { timeouts: 1, ..CALM });
    });
}

#[test]
fn a_worker_that_retires_against_two_submitters_leaves_no_task_behind() {
    model("a_worker_that_retires_against_two_submitters_leaves_no_task_behind", || {
        two_submitters(Setting { timeouts: 1, ..CALM });
    });
}

#[test]
fn a_spawner_that_fails_looks_after_who_relied_on_it() {
    model("a_spawner_that_fails_looks_after_who_relied_on_it", || {
        two_submitters(Setting { failing_spawns: 1, ..CALM });
    });
}

#[test]
fn a_slot_that_was_left_is_hired_with_its_fields() {
    model_bounded("a_slot_that_was_left_is_hired_with_its_fields", None, || {
        let toy = Toy::new(CALM, 0);
        assert_eq!(toy.census.hire(), Some(0));
        let leaver = {
            let toy = Arc::clone(&toy);
            thread::spawn(move || {
                toy.seats[0].fields.with_mut(|_| ());
                toy.census.leave(0);
            })
        };

        if let Some(slot) = toy.census.hire() {
            toy.seats[slot].fields.with_mut(|_| ());
        }

        leaver.join().expect("it does not panic");
    });
}

/// One thread numbers a task and calls for a worker, the other finds nobody idle and counts.
fn a_count_beside_a_call(was_idle: bool) {
    let toy = Toy::new(CALM, 0);
    if was_idle {
        assert_eq!(toy.census.after_push(|| true), AfterPush::Spawn(0));
        toy.census.go_idle(0);
    }
    let caller = {
        let toy = Arc::clone(&toy);
        thread::spawn(move || {
            toy.pushed.fetch_add(1, Relaxed);
            toy.census.after_push(|| true)
        })
    };

    if toy.census.idle() == 0 && toy.census.is_live(0) {
        assert_eq!(toy.pending(), 1, "the worker is counted and its task is not");
    }

    let called = if was_idle { AfterPush::Wake(0) } else { AfterPush::Spawn(0) };
    assert_eq!(caller.join().expect("no caller panics"), called);
}

#[test]
fn who_counts_a_worker_counts_the_task_for_which_it_was_called() {
    for was_idle in [false, true] {
        let name = "who_counts_a_worker_counts_the_task_for_which_it_was_called";
        model_bounded(name, None, move || a_count_beside_a_call(was_idle));
    }
}

/// Went wrong: the submitter took the worker for one that does not look, since it was idle when it was
/// counted, and spawned another, since its word was the same before and after.
#[test]
fn a_worker_that_goes_idle_and_comes_back_is_reckoned_with() {
    let name = "a_worker_that_goes_idle_and_comes_back_is_reckoned_with";
    model_bounded(name, None, || {
        let toy = Toy::new(Setting { slots: 2, ..CALM }, 0);
        assert_eq!(toy.census.after_push(|| true), AfterPush::Spawn(0));
        let worker = {
            let toy = Arc::clone(&toy);
            thread::spawn(move || {
                toy.census.go_idle(0);
                let found = toy.pending() > 0;
                let _ = if found { Some(toy.census.leave_idle(0)) } else { None };
            })
        };

        toy.pushed.fetch_add(1, Relaxed);
        let called = toy.census.after_push(|| toy.pending() > toy.live());
        worker.join().expect("no worker panics");

        assert_ne!(called, AfterPush::Spawn(1), "the only worker looks, or is woken");
    });
}
