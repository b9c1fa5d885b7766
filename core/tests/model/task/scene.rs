//! A pool beside its reference: what really happened, and whether it is the same.
//!
//! Everything happens on one thread; the locks are there because jobs must be `Send`, and none is
//! held while the pool is called.

use super::Opening;
use super::kind::{Kind, Seat, Value, Wakes};
use super::reference::{Callback, Reference, Slot, Task};
use asyncpal_core::executor::{Executor, Shared};
use asyncpal_core::task::{Handle, ObserverId, Registered, Status};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub type TaskHandle = Handle<Value, Value>;

/// A pool and its reference.
#[derive(Clone)]
pub struct Scene(Arc<Stage>);

struct Stage {
    executor: Mutex<Option<Arc<Executor<Kind>>>>,
    state: Mutex<State>,
    values: Arc<AtomicUsize>,
}

pub struct State {
    pub reference: Reference,
    pub seen: Seen,
    /// By task.
    pub handles: Vec<Option<Arc<TaskHandle>>>,
    pub registrations: Vec<(usize, Kept)>,
    pub observers: Vec<(usize, ObserverId)>,
    pub wakers: Vec<Arc<Wakes>>,
    pub spawned: VecDeque<(Shared<Kind>, usize)>,
    /// The task that a waiter is about to run.
    pub inline: Option<usize>,
    /// How the worker that begins next shall fare.
    pub plan: (Opening, Seat),
    /// The worker that is on its way out, and the attempts to spawn there had been.
    pub leaving: Option<(Seat, usize)>,
}

impl State {
    pub fn status(&self, task: usize) -> Status {
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
pub struct Seen {
    pub attempts: usize,
    pub failing_spawns: usize,
    pub engine_gone: bool,
    /// By task.
    pub runs: Vec<usize>,
    pub dropped_jobs: Vec<usize>,
    pub calls: Vec<Vec<(usize, Status)>>,
    pub dropped_callbacks: Vec<usize>,
}

/// A registration beside the handle that it borrows; dropped before it.
pub struct Kept {
    pub _registered: Registered<'static, Value, Value>,
    pub _handle: Arc<TaskHandle>,
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

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn executor_slot(&self) -> MutexGuard<'_, Option<Arc<Executor<Kind>>>> {
        self.0.executor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn executor(&self) -> Arc<Executor<Kind>> {
        self.executor_slot().clone().expect("the owner goes last")
    }

    pub fn value(&self) -> Value {
        Value::new(&self.0.values)
    }

    pub fn time(&self) -> u64 {
        self.state().reference.now
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
        state.reference.tasks.iter_mut().for_each(Task::detach);
        drop(state);
        drop(registrations);
        drop(handles);
    }

    /// Pool and reference are alike.
    pub fn compare(&self) {
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

    pub fn goes_on(&self) {
        self.state().reference.resumes_growth();
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
pub struct Observer {
    pub scene: Scene,
    pub task: usize,
    pub number: usize,
}

impl Observer {
    pub fn called(self, status: Status) {
        self.scene.note(|seen| seen.calls[self.task].push((self.number, status)));
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.scene.note(|seen| seen.dropped_callbacks[self.task] += 1);
    }
}
