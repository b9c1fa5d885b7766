//! Each operation is done to the pool and to the reference, and afterwards they are compared.
//!
//! Everything happens on one thread; the locks are there because jobs must be `Send`, and none is
//! held while the pool is called.

use super::kind::{Errand, Kind, Seat, Value, Wakes};
use super::reference::{Callback, Reference, Slot, Submit};
use super::{Inner, Op, Opening};
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{Executor, Rejection, Shared, work};
use asyncpal_core::task::{Handle, ObserverId, Registered, Registration, Status};
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type TaskHandle = Handle<Value, Value>;

/// How far back a number reaches that chooses a task.
const LATEST: usize = 3;

/// A pool and its reference.
#[derive(Clone)]
pub struct Scene(Arc<Stage>);

struct Stage {
    executor: Mutex<Option<Arc<Executor<Kind>>>>,
    state: Mutex<State>,
    values: Arc<AtomicUsize>,
}

struct State {
    reference: Reference,
    seen: Seen,
    /// By task.
    handles: Vec<Option<Arc<TaskHandle>>>,
    registrations: Vec<(usize, Kept)>,
    observers: Vec<(usize, ObserverId)>,
    wakers: Vec<Arc<Wakes>>,
    spawned: VecDeque<(Shared<Kind>, usize)>,
    /// The task that a waiter is about to run.
    inline: Option<usize>,
    /// How the worker that begins next shall fare.
    plan: (Opening, Seat),
    /// The worker that is on its way out, and the attempts to spawn there had been.
    leaving: Option<(Seat, usize)>,
}

impl State {
    fn status(&self, task: usize) -> Status {
        self.reference.tasks[task].status
    }

    /// Each callback was called once, oldest first, unless it waits or was removed.
    fn compare_observers(&self, task: usize) {
        let callbacks = &self.reference.tasks[task].callbacks;
        let called = callbacks.iter().enumerate().filter_map(|(number, callback)| match callback {
            Callback::Called(status) => Some((number, *status)),
            _ => None,
        });
        assert!(self.seen.calls[task].iter().copied().eq(called), "callbacks of task {task}");
        let over = callbacks.iter().filter(|&&callback| callback != Callback::Armed).count();
        assert_eq!(self.seen.dropped_callbacks[task], over, "callbacks of task {task}");
    }

    /// A waker in a slot was not called, one that was called is gone.
    fn compare_wakers(&self) {
        let mut expected = vec![(0, 1); self.wakers.len()];
        for task in &self.reference.tasks {
            match task.slot {
                Slot::Free => {}
                Slot::Polled(waker) | Slot::Registered(waker) => expected[waker].1 = 2,
                Slot::Woke(waker) => expected[waker].0 = 1,
            }
        }
        for (waker, (wakes, expected)) in self.wakers.iter().zip(expected).enumerate() {
            assert_eq!((wakes.count(), Arc::strong_count(wakes)), expected, "waker {waker}");
        }
    }
}

/// What really happened.
#[derive(Default)]
struct Seen {
    attempts: usize,
    failing_spawns: usize,
    engine_gone: bool,
    /// By task.
    runs: Vec<usize>,
    dropped_jobs: Vec<usize>,
    calls: Vec<Vec<(usize, Status)>>,
    dropped_callbacks: Vec<usize>,
}

/// A registration beside the handle that it borrows; dropped before it.
struct Kept {
    _registered: Registered<'static, Value, Value>,
    _handle: Arc<TaskHandle>,
}

impl Scene {
    pub fn new(max_workers: usize) -> Self {
        let plan = (Opening::Fine, Seat { tasks: 1, finalizer_fails: false });
        let scene = Self(Arc::new(Stage {
            executor: Mutex::new(None),
            state: Mutex::new(State {
                reference: Reference::new(max_workers),
                seen: Seen::default(),
                handles: Vec::new(),
                registrations: Vec::new(),
                observers: Vec::new(),
                wakers: Vec::new(),
                spawned: VecDeque::new(),
                inline: None,
                plan,
                leaving: None,
            }),
            values: Arc::default(),
        }));
        let executor = Executor::new(Kind { scene: scene.clone() }, max_workers);
        *scene.executor_slot() = Some(Arc::new(executor));
        scene
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn executor_slot(&self) -> MutexGuard<'_, Option<Arc<Executor<Kind>>>> {
        self.0.executor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn executor(&self) -> Arc<Executor<Kind>> {
        self.executor_slot().clone().expect("the owner goes last")
    }

    pub fn value(&self) -> Value {
        Value::new(&self.0.values)
    }

    pub fn time(&self) -> u64 {
        self.state().reference.now
    }

    /// Does `op`, and compares.
    pub fn apply(&self, op: Op) {
        self.state().reference.now += 1;
        match op {
            Op::Submit { inner, task, fails } => self.submit(inner, task, fails),
            Op::Work { tasks, opening, finalizer_fails } => {
                let tasks = usize::from(tasks);
                self.work(opening, Seat { tasks, finalizer_fails });
            }
            Op::FailSpawns(number) => {
                let mut state = self.state();
                state.reference.failing_spawns = number.into();
                state.seen.failing_spawns = number.into();
            }
            Op::Close => {
                let first = self.state().reference.close();
                assert_eq!(self.executor().close(), first);
            }
            Op::Renew => self.executor().renew_workers(),
            Op::Do(inner, number) => self.apply_inner(inner, number),
        }
        self.compare();
    }

    fn apply_inner(&self, inner: Inner, number: u8) {
        match inner {
            Inner::Nothing => return,
            Inner::Deregister => return self.deregister(),
            Inner::SubmitPlain => return self.submit(Inner::Nothing, 0, false),
            Inner::Work => {
                let seat = Seat { tasks: usize::from(number % 4) + 1, finalizer_fails: false };
                return self.work(Opening::Fine, seat);
            }
            _ => {}
        }
        let Some(task) = self.latest(number) else { return };
        let Some(handle) = self.state().handles[task].clone() else { return };
        match inner {
            Inner::Cancel => {
                let cancels = self.state().reference.cancel(task, false);
                assert_eq!(handle.cancel(), cancels);
            }
            Inner::RunInline => {
                let mut state = self.state();
                let claims = state.reference.is_claimable(task);
                state.inline = claims.then_some(task);
                drop(state);
                let (clock, mut seat) = (self.clone(), Seat { tasks: 0, finalizer_fails: false });
                // SAFETY: the engine lives as long as its owner, and `Seat` is its kind's.
                let ran = unsafe { handle.run_inline(&mut seat, &clock) };
                assert_eq!(ran, claims);
            }
            Inner::Observe => self.observe(task, &handle),
            Inner::RemoveObserver => self.remove_observer(task, &handle),
            Inner::Register => self.register(task, handle),
            _ => {
                drop(handle);
                self.with_own_handle(task, inner);
            }
        }
    }

    /// One of the latest tasks.
    fn latest(&self, number: u8) -> Option<usize> {
        let tasks = self.state().handles.len();
        (tasks > 0).then(|| tasks - 1 - usize::from(number) % tasks.min(LATEST))
    }

    fn submit(&self, inner: Inner, target: u8, fails: bool) {
        let mut state = self.state();
        let task = state.handles.len();
        state.handles.push(None);
        state.seen.runs.push(0);
        state.seen.dropped_jobs.push(0);
        state.seen.calls.push(Vec::new());
        state.seen.dropped_callbacks.push(0);
        let verdict = state.reference.submit();
        drop(state);

        let errand = Errand { scene: self.clone(), task, inner, target, fails };
        let submitted = self.executor().submit(errand);

        let seen = match &submitted {
            Ok(_) => Submit::Taken,
            Err(rejected) => match rejected.reason {
                Rejection::Closed => Submit::Closed,
                Rejection::Broken => Submit::Broken,
                Rejection::Spawn(_) => Submit::Spawn,
                _ => unreachable!("the heap is not full"),
            },
        };
        assert_eq!(seen, verdict);
        if let Ok(handle) = submitted {
            let mut state = self.state();
            assert_eq!(handle.id(), state.reference.tasks[task].id);
            state.handles[task] = Some(Arc::new(handle));
        }
    }

    fn work(&self, opening: Opening, seat: Seat) {
        let mut state = self.state();
        let Some((engine, slot)) = state.spawned.pop_front() else { return };
        state.plan = (opening, seat);
        drop(state);

        work::<Kind>(&engine, slot);
    }

    fn observe(&self, task: usize, handle: &TaskHandle) {
        let mut state = self.state();
        let number = state.reference.tasks[task].callbacks.len();
        state.reference.observe(task);
        let armed = state.reference.tasks[task].callbacks[number] == Callback::Armed;
        drop(state);

        let observer = Observer { scene: self.clone(), task, number };
        let id = handle.on_done(Box::new(move |status| observer.called(status)));

        assert_eq!(id.is_some(), armed);
        if let Some(id) = id {
            let mut state = self.state();
            state.observers.push((task, id));
        }
    }

    /// Removes the latest callback that was armed when it was added.
    fn remove_observer(&self, task: usize, handle: &TaskHandle) {
        let mut state = self.state();
        let Some(at) = state.observers.iter().rposition(|&(of, _)| of == task) else { return };
        let (_, id) = state.observers.remove(at);
        let callbacks = &mut state.reference.tasks[task].callbacks;
        let latest = callbacks.iter_mut().rev().find(|callback| **callback == Callback::Armed);
        let expected = latest.is_some();
        if let Some(latest) = latest {
            *latest = Callback::Removed;
        }
        drop(state);

        assert_eq!(handle.remove_observer(id), expected);
        assert!(!handle.remove_observer(id), "a callback is removed once");
    }

    fn new_waker(&self) -> (usize, Waker) {
        let mut state = self.state();
        let wakes = Arc::new(Wakes::default());
        state.wakers.push(Arc::clone(&wakes));
        (state.wakers.len() - 1, Waker::from(wakes))
    }

    fn register(&self, task: usize, handle: Arc<TaskHandle>) {
        let (number, waker) = self.new_waker();
        let registration = handle.register(&waker);

        let mut state = self.state();
        let (status, slot) = (state.status(task), state.reference.tasks[task].slot);
        match registration {
            Registration::Armed(registered) => {
                assert!(!status.is_done() && slot == Slot::Free);
                state.reference.tasks[task].slot = Slot::Registered(number);
                // SAFETY: only the lifetime changes, and the handle is kept until the registration
                // is dropped.
                let _registered = unsafe {
                    transmute::<Registered<'_, Value, Value>, Registered<'static, Value, Value>>(
                        registered,
                    )
                };
                let registration = Kept { _registered, _handle: Arc::clone(&handle) };
                state.registrations.push((task, registration));
            }
            Registration::Done => assert!(status.is_done()),
            Registration::Busy => assert!(!status.is_done() && slot != Slot::Free),
        }
    }

    /// Drops the latest registration.
    fn deregister(&self) {
        let mut state = self.state();
        let Some((task, registration)) = state.registrations.pop() else { return };
        if !state.status(task).is_done() {
            state.reference.tasks[task].slot = Slot::Free;
        }
        drop(state);

        drop(registration);
    }

    /// What needs the handle for itself; nothing while somebody else uses it.
    fn with_own_handle(&self, task: usize, inner: Inner) {
        let mut state = self.state();
        let Some(mut handle) = state.handles[task].take() else { return };
        let Some(own) = Arc::get_mut(&mut handle) else {
            state.handles[task] = Some(handle);
            return;
        };
        let expected = &mut state.reference.tasks[task];
        let (status, has_value) = (expected.status, expected.has_value);
        match inner {
            Inner::Detach => {
                expected.handle = false;
                drop(state);
                drop(handle);
                return;
            }
            Inner::Take => {
                let due = status.is_done() && !expected.taken;
                expected.taken |= due;
                drop(state);
                let outcome = own.take();
                assert_eq!(outcome.is_some(), due);
                if let Some(outcome) = outcome {
                    agree(&outcome, status, has_value);
                }
            }
            // An outcome that was taken is not polled for.
            _ if expected.taken => drop(state),
            _ => {
                drop(state);
                let (number, waker) = self.new_waker();
                match own.poll_outcome(&mut Context::from_waker(&waker)) {
                    Poll::Pending => {
                        assert!(!status.is_done());
                        self.state().reference.tasks[task].slot = Slot::Polled(number);
                    }
                    Poll::Ready(outcome) => {
                        agree(&outcome, status, has_value);
                        self.state().reference.tasks[task].taken = true;
                    }
                }
            }
        }
        self.state().handles[task] = Some(handle);
    }

    /// The end: the owner goes before the handles, or after them.
    pub fn end(self, owner_first: bool) {
        if owner_first {
            self.drop_owner();
            self.compare();
            self.drop_handles();
        } else {
            self.drop_handles();
            self.drop_owner();
        }

        let state = self.state();
        assert!(state.seen.engine_gone, "the engine leaked");
        assert_eq!(self.0.values.load(Relaxed), 0, "an outcome leaked");
        for (task, dropped) in state.seen.dropped_jobs.iter().enumerate() {
            assert_eq!(*dropped, 1, "job of task {task}");
        }
        for task in 0..state.reference.tasks.len() {
            assert!(state.status(task).is_done(), "task {task} never ended");
            state.compare_observers(task);
        }
        state.compare_wakers();
        drop(state);
        assert_eq!(Arc::strong_count(&self.0), 1, "a job, a callback or the kind leaked");
    }

    fn drop_owner(&self) {
        self.state().reference.close();
        let executor = self.executor_slot().take();
        drop(executor);
        // Workers that never began.
        let spawned = core::mem::take(&mut self.state().spawned);
        drop(spawned);
    }

    fn drop_handles(&self) {
        let mut state = self.state();
        let registrations = core::mem::take(&mut state.registrations);
        for (task, _) in &registrations {
            if !state.status(*task).is_done() {
                state.reference.tasks[*task].slot = Slot::Free;
            }
        }
        let handles = core::mem::take(&mut state.handles);
        for task in &mut state.reference.tasks {
            task.handle = false;
        }
        drop(state);
        drop(registrations);
        drop(handles);
    }

    /// Pool and reference are alike.
    fn compare(&self) {
        let executor = self.executor_slot().clone();
        let values = self.0.values.load(Relaxed);
        let state = self.state();
        let State { reference, seen, .. } = &*state;
        if let Some(executor) = executor {
            let counts = executor.engine().counts();
            assert_eq!(executor.engine().phase(), reference.phase);
            assert_eq!(counts.workers, reference.live(), "workers");
            assert_eq!(counts.idle, 0, "nobody sleeps");
            assert_eq!(counts.submitted, reference.submitted, "submitted");
            assert_eq!(counts.pending, reference.pending(), "pending");
            assert_eq!(state.spawned.len(), reference.waiting, "workers that have not begun");
            assert_eq!(seen.attempts, reference.attempts, "attempts to spawn");
        }
        assert_eq!(values, reference.values(), "outcomes alive");
        for (task, expected) in reference.tasks.iter().enumerate() {
            assert_eq!(seen.runs[task], expected.runs, "runs of task {task}");
            let dropped = usize::from(!expected.job);
            assert_eq!(seen.dropped_jobs[task], dropped, "drops of the job of task {task}");
            state.compare_observers(task);
            if let Some(handle) = &state.handles[task] {
                assert_eq!(handle.status(), expected.status, "task {task}");
                assert_eq!(handle.is_done(), expected.status.is_done(), "task {task}");
                assert_eq!(handle.is_taken(), expected.taken, "task {task}");
                let durations = expected.status.is_done().then(|| {
                    let between = |from, to| Duration::from_nanos(to - from);
                    let pending = between(expected.submitted, expected.started);
                    (pending, between(expected.started, expected.ended))
                });
                let seen = handle.durations().map(|it| (it.pending, it.running));
                assert_eq!(seen, durations, "task {task}");
            }
        }
        state.compare_wakers();
    }

    /// A callback or a job says what happens to it.
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.state().seen);
    }

    pub fn begins(&self, task: usize) {
        let mut state = self.state();
        // Who waits for it says so; else it is the next in the queue.
        let inline = state.inline.take() == Some(task);
        state.reference.begin(task, inline);
        state.seen.runs[task] += 1;
    }

    pub fn ends(&self, task: usize, fails: bool) -> Result<Value, Value> {
        let value = self.value();
        let status = if fails { Status::Failed } else { Status::Completed };
        self.state().reference.end(task, status, true);
        if fails { Err(value) } else { Ok(value) }
    }

    pub fn job_dropped(&self, task: usize) {
        self.note(|seen| seen.dropped_jobs[task] += 1);
    }

    pub fn engine_gone(&self) {
        self.note(|seen| seen.engine_gone = true);
    }

    pub fn spawn(&self, engine: &Shared<Kind>, slot: usize) -> Result<(), Value> {
        let mut state = self.state();
        state.seen.attempts += 1;
        if state.seen.failing_spawns > 0 {
            state.seen.failing_spawns -= 1;
            return Err(self.value());
        }
        state.spawned.push_back((engine.clone(), slot));
        Ok(())
    }

    pub fn opens(&self) -> (Opening, Seat) {
        let mut state = self.state();
        let (opening, seat) = state.plan;
        state.reference.opens(opening, seat.tasks);
        (opening, seat)
    }

    pub fn stops_working(&self, seat: Seat) {
        let mut state = self.state();
        state.leaving = Some((seat, state.seen.attempts));
    }

    pub fn departed(&self) {
        let mut state = self.state();
        let Some((seat, before)) = state.leaving.take() else { return };
        let spawned = state.seen.attempts > before;
        state.reference.leaves(seat.finalizer_fails, spawned);
    }
}

/// A callback: says that it was called, and that it was dropped.
struct Observer {
    scene: Scene,
    task: usize,
    number: usize,
}

impl Observer {
    fn called(self, status: Status) {
        self.scene.note(|seen| seen.calls[self.task].push((self.number, status)));
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.scene.note(|seen| seen.dropped_callbacks[self.task] += 1);
    }
}

/// An outcome is of the kind that the status says.
fn agree(outcome: &Outcome<Value, Value>, status: Status, has_value: bool) {
    let (seen, value) = match outcome {
        Outcome::Completed(_) => (Status::Completed, true),
        Outcome::Failed(_) => (Status::Failed, true),
        Outcome::Cancelled(cause) => (Status::Cancelled, cause.is_some()),
    };
    assert_eq!((seen, value), (status, has_value));
}
