//! Each operation is done to the pool and to the reference, and afterwards they are compared.

use super::kind::{Errand, Kind, Seat, Value, Wakes};
use super::reference::{Callback, Slot, Submit};
use super::scene::{Kept, Observer, Scene, TaskHandle};
use super::{Inner, Op, Opening};
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{Rejection, work};
use asyncpal_core::task::{Registered, Registration, Status};
use core::mem::transmute;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

/// Several operations fit into the shortest pause after a failed spawn, and not into the longer ones.
const NANOS_PER_OP: u64 = 400_000;

/// How far back a number reaches that chooses a task.
const LATEST: usize = 3;

impl Scene {
    /// Does `op`, and compares.
    pub fn apply(&self, op: Op) {
        self.state().reference.now += NANOS_PER_OP;
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
                let mut seat = Seat { tasks: 0, finalizer_fails: false };
                // SAFETY: the engine lives as long as its owner, and `Seat` is its kind's.
                let ran = unsafe { handle.run_inline(&mut seat) };
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
                expected.detach();
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
