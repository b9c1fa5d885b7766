//! Pools, used by many threads at random.

use super::explore::explore;
use super::kind::{CALM, Cause, Chances, Errand, Record, ScheduleKind, Work, chance};
use super::park::SchedulePark;
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{Executor, Rejection};
use asyncpal_core::lifecycle::Phase;
use asyncpal_core::park::Park;
use asyncpal_core::task::{Handle, Registration, Status};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::task::{Context, Poll, Waker};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SCHEDULES: usize = 1000;

type TaskHandle = Handle<Arc<AtomicUsize>, Cause>;

/// How an execution goes.
#[derive(Clone, Copy)]
pub struct Setting {
    pub workers: usize,
    pub submitters: usize,
    pub tasks: usize,
    pub chances: Chances,
    /// Somebody closes the pool, after less than so many steps.
    pub closes: Option<usize>,
    pub renewals: usize,
}

pub const MANY: Setting =
    Setting { workers: 6, submitters: 4, tasks: 4, chances: CALM, closes: None, renewals: 0 };

/// A task, as its submitter knows it.
struct Ticket {
    runs: Arc<AtomicUsize>,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Ran,
    Cancelled(Option<Cause>),
    GivenBack(Rejection<Cause>),
    /// The handle was dropped before the end.
    Unknown,
}

/// A pool, of which a caller may borrow an idle worker's seat if its workers lend them.
pub struct Pool<const LENDS: bool> {
    executor: Executor<ScheduleKind<LENDS>>,
    record: Arc<Record>,
    tickets: Mutex<Vec<Ticket>>,
    /// What anybody may cancel.
    shared: Mutex<Vec<Arc<TaskHandle>>>,
    /// Calls of each callback.
    calls: Mutex<Vec<Arc<AtomicUsize>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<const LENDS: bool> Pool<LENDS> {
    pub fn new(setting: Setting) -> Self {
        let record = Arc::new(Record::default());
        let kind = ScheduleKind::new(setting.workers, setting.chances, &record);
        Self {
            executor: Executor::new(kind, setting.workers),
            record,
            tickets: Mutex::default(),
            shared: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    fn submit(
        &self,
        work: Option<Work>,
    ) -> (Arc<AtomicUsize>, Result<TaskHandle, Rejection<Cause>>) {
        self.record.jobs.fetch_add(1, Relaxed);
        let runs = Arc::new(AtomicUsize::new(0));
        let errand = Errand { record: Arc::clone(&self.record), runs: Arc::clone(&runs), work };
        let ran = match LENDS && chance(60) {
            true => self.executor.run_on_idle(errand),
            false => Err(errand),
        };
        let submitted = ran.unwrap_or_else(|errand| self.executor.submit(errand));
        (runs, submitted.map_err(|rejected| rejected.reason))
    }

    /// Submits a task and does something with its handle.
    fn use_one(self: &Arc<Self>) {
        let work: Option<Work> = match thread_rng().gen_range(0..4) {
            0 => Some(Box::new(|_| thread::yield_now())),
            1 => {
                let pool = Arc::clone(self);
                Some(Box::new(move |seat| pool.nest(seat)))
            }
            _ => None,
        };
        let (runs, submitted) = self.submit(work);
        let fate = match submitted {
            Ok(handle) => self.use_handle(handle),
            Err(reason) => Fate::GivenBack(reason),
        };
        lock(&self.tickets).push(Ticket { runs, fate });
    }

    fn use_handle(&self, handle: TaskHandle) -> Fate {
        match thread_rng().gen_range(0..6) {
            0 => {
                drop(handle);
                Fate::Unknown
            }
            1 => {
                let calls = Arc::new(AtomicUsize::new(0));
                lock(&self.calls).push(Arc::clone(&calls));
                let called = move |status: Status| {
                    assert!(status.is_done());
                    calls.fetch_add(1, Relaxed);
                };
                let _ = handle.on_done(Box::new(called));
                Fate::Unknown
            }
            2 => {
                handle.cancel();
                poll(handle)
            }
            3 => {
                let handle = Arc::new(handle);
                lock(&self.shared).push(Arc::clone(&handle));
                wait(&handle);
                let fate = match handle.status() {
                    Status::Completed => Fate::Ran,
                    Status::Cancelled => Fate::Unknown,
                    status => panic!("a task that is over is {status}"),
                };
                lock(&self.shared).retain(|other| !Arc::ptr_eq(other, &handle));
                fate
            }
            4 => {
                wait(&handle);
                poll(handle)
            }
            _ => poll(handle),
        }
    }

    /// A task in the middle of its run needs another one: it claims it, or waits for who runs it.
    fn nest(&self, seat: &mut ()) {
        let (runs, submitted) = self.submit(None);
        let fate = match submitted {
            Ok(handle) => {
                // SAFETY: the caller is a task that a worker of this engine runs on its seat.
                unsafe { handle.run_inline(seat) };
                poll(handle)
            }
            Err(reason) => Fate::GivenBack(reason),
        };
        lock(&self.tickets).push(Ticket { runs, fate });
    }

    /// Waits for a task that is taken and runs.
    pub fn run_to_its_end(&self, work: Work) {
        let (runs, submitted) = self.submit(Some(work));
        let fate = poll(submitted.expect("the pool is open, and spawns succeed"));
        assert_eq!(fate, Fate::Ran);
        lock(&self.tickets).push(Ticket { runs, fate });
    }

    /// Cancels some of what is there to be cancelled.
    fn cancel_some(&self) {
        for _ in 0..4 {
            let handle = lock(&self.shared).last().cloned();
            if let Some(handle) = handle {
                handle.cancel();
            }
            thread::yield_now();
        }
    }

    /// The pool is left alone until nobody lives.
    pub fn wait_until_all_retire(&self) {
        self.record.all_retire.store(true, Relaxed);
        self.executor.rouse_workers();
        self.record.join_workers();

        let counts = self.executor.engine().counts();
        assert_eq!((counts.workers, counts.idle, counts.pending), (0, 0, 0));
    }

    /// The owner goes; what it leaves is checked.
    pub fn end(self: Arc<Self>, breaks: bool) {
        self.executor.close();
        self.record.join_workers();
        let this = Arc::into_inner(self).expect("tasks and callers are gone");
        drop(this.executor);

        let record = &*this.record;
        assert!(record.engine_gone.load(Relaxed), "the engine leaked");
        let (spawned, departed) = (record.spawned.load(Relaxed), record.departed.load(Relaxed));
        assert_eq!(spawned, departed, "workers that came, and went");
        let (jobs, dropped) = (record.jobs.load(Relaxed), record.dropped_jobs.load(Relaxed));
        assert_eq!(dropped, jobs, "jobs dropped, of those submitted");
        for Ticket { runs, fate } in lock(&this.tickets).iter() {
            let runs = runs.load(Relaxed);
            match fate {
                Fate::Ran => assert_eq!(runs, 1, "a task ran once"),
                Fate::Unknown => assert!(runs <= 1, "a task ran {runs} times"),
                Fate::GivenBack(Rejection::Broken) => assert!(breaks && runs == 0),
                Fate::Cancelled(_) | Fate::GivenBack(_) => assert_eq!(runs, 0, "{fate:?}"),
            }
        }
        for calls in lock(&this.calls).iter() {
            assert_eq!(calls.load(Relaxed), 1, "a callback is called once");
        }
    }
}

/// Each of two callers has pairs of tasks run, of which the first waits for the second. There are more slots than
/// tasks that wait: nobody is in the way of anybody.
pub fn play_with_pairs<const LENDS: bool>(
    chances: Chances,
    have_run: fn(&Arc<Pool<LENDS>>, [Work; 2]),
) {
    let pool = Arc::new(Pool::<LENDS>::new(Setting { workers: 3, chances, ..MANY }));
    let callers = [(); 2].map(|()| {
        let pool = Arc::clone(&pool);
        thread::spawn(move || {
            for _ in 0..3 {
                let later = Arc::new(SchedulePark::new());
                let earlier = Arc::clone(&later);
                have_run(
                    &pool,
                    [Box::new(move |()| earlier.wait()), Box::new(move |()| later.unpark())],
                );
            }
        })
    });
    for caller in callers {
        caller.join().expect("no caller panics");
    }
    pool.wait_until_all_retire();
    pool.end(false);
}

fn play_with_tasks_that_wait(chances: Chances) {
    play_with_pairs::<false>(chances, |pool, works| {
        for (runs, handle) in works.map(|work| pool.submit(Some(work))) {
            let fate = poll(handle.expect("the pool is open, and spawns succeed"));
            assert_eq!(fate, Fate::Ran);
            lock(&pool.tickets).push(Ticket { runs, fate });
        }
    });
}

/// Waits as one does who has the handle to himself.
fn poll(mut handle: TaskHandle) -> Fate {
    let parker = Arc::new(SchedulePark::new());
    let waker = Waker::from(Arc::clone(&parker));
    loop {
        match handle.poll_outcome(&mut Context::from_waker(&waker)) {
            Poll::Ready(Outcome::Completed(_)) => return Fate::Ran,
            Poll::Ready(Outcome::Cancelled(cause)) => return Fate::Cancelled(cause),
            Poll::Ready(Outcome::Failed(cause)) => panic!("no errand fails: {cause:?}"),
            Poll::Pending => parker.wait(),
        }
    }
}

/// Waits as one does who shares the handle.
fn wait(handle: &TaskHandle) {
    let parker = Arc::new(SchedulePark::new());
    match handle.register(&Waker::from(Arc::clone(&parker))) {
        Registration::Armed(_registered) => parker.wait(),
        Registration::Done => {}
        Registration::Busy => panic!("nobody else waits"),
    }
    assert!(handle.is_done(), "woken before the end");
}

fn play(setting: Setting) {
    play_on::<false>(setting);
}

pub fn play_on<const LENDS: bool>(setting: Setting) {
    let pool = Arc::new(Pool::<LENDS>::new(setting));
    let beside = |f: fn(&Arc<Pool<LENDS>>, Setting)| {
        let pool = Arc::clone(&pool);
        thread::spawn(move || f(&pool, setting))
    };
    let mut callers = Vec::new();
    for _ in 0..setting.submitters {
        callers.push(beside(|pool, setting| (0..setting.tasks).for_each(|_| pool.use_one())));
    }
    callers.push(beside(|pool, _| pool.cancel_some()));
    if setting.renewals > 0 {
        callers.push(beside(|pool, setting| {
            for _ in 0..setting.renewals {
                pool.executor.renew_workers();
                thread::yield_now();
            }
        }));
    }
    if setting.closes.is_some() {
        callers.push(beside(|pool, setting| {
            let steps = thread_rng().gen_range(0..setting.closes.unwrap_or(1));
            (0..steps).for_each(|_| thread::yield_now());
            pool.executor.close();
        }));
    }
    for caller in callers {
        caller.join().expect("no caller panics");
    }

    // Every caller's handle has resolved. Some leave the rest to the workers, others to the owner.
    if chance(70) {
        pool.wait_until_all_retire();
    }
    let breaks = setting.chances.initializer_fails > 0;
    if !breaks && setting.closes.is_none() {
        assert_eq!(pool.executor.engine().phase(), Phase::Open);
    }
    pool.end(breaks);
}

#[test]
fn every_task_of_a_calm_pool_is_settled() {
    explore(SCHEDULES, || play(MANY));
}

#[test]
fn every_task_is_settled_while_workers_come_and_go() {
    explore(SCHEDULES, || {
        play(Setting {
            chances: Chances { keep_alive: 60, recycled: 20, ..CALM },
            renewals: 3,
            ..MANY
        });
    });
}

#[test]
fn every_task_is_settled_when_spawns_fail() {
    explore(SCHEDULES, || {
        let chances =
            Chances { spawn_fails: 50, no_worker: 20, keep_alive: 50, recycled: 20, ..CALM };
        play(Setting { chances, ..MANY });
    });
}

#[test]
fn every_task_is_settled_when_the_pool_breaks() {
    explore(SCHEDULES, || {
        let chances = Chances { initializer_fails: 15, keep_alive: 50, recycled: 20, ..CALM };
        play(Setting { chances, ..MANY });
    });
}

#[test]
fn every_task_is_settled_when_the_pool_is_closed() {
    explore(SCHEDULES, || {
        let chances = Chances { spawn_fails: 20, keep_alive: 30, recycled: 10, ..CALM };
        play(Setting { chances, closes: Some(40), renewals: 1, ..MANY });
    });
}

/// Nobody lives who would look after a task that comes too late.
#[test]
fn a_first_submit_against_close_is_settled() {
    explore(2 * SCHEDULES, || {
        play(Setting { submitters: 2, tasks: 1, closes: Some(3), ..MANY });
    });
}

#[test]
fn one_worker_is_enough_for_tasks_that_wait_for_tasks() {
    explore(SCHEDULES, || {
        let chances = Chances { keep_alive: 50, recycled: 10, ..CALM };
        play(Setting { workers: 1, submitters: 3, chances, renewals: 2, ..MANY });
    });
}

#[test]
fn a_task_that_waits_for_a_later_one_is_not_in_its_way() {
    explore(2 * SCHEDULES, || play_with_tasks_that_wait(CALM));
    explore(2 * SCHEDULES, || {
        play_with_tasks_that_wait(Chances { keep_alive: 60, recycled: 20, ..CALM });
    });
}
