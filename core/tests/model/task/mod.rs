//! Tasks, one operation after the other, against a state machine: what every call answers, when
//! closures and outcomes are dropped, callbacks called and wakers woken, what is counted. Each
//! exactly once, and at the end nothing is left.
//!
//! The production worker loop runs on the calling thread, when an operation says so, for as many
//! tasks as it says; a worker without a task retires at once. A task may do an operation itself,
//! in the middle of its run. So nothing is left to chance, and the reference says it all.
//!
//! `kind` is the worker kind and what is counted, `reference` the state machine, `scene` the pool
//! beside it, and `acts` does each operation to both.

mod acts;
mod kind;
mod reference;
mod scene;

use super::Code;

/// What is done to tasks. A number chooses one of the latest tasks.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Submits a task that does this, and then returns or fails.
    Submit {
        inner: Inner,
        task: u8,
        fails: bool,
    },
    /// The oldest worker that was spawned works, for at most so many tasks.
    Work {
        tasks: u8,
        opening: Opening,
        finalizer_fails: bool,
    },
    /// So many spawns from here on fail.
    FailSpawns(u8),
    Close,
    Renew,
    /// What tasks may do, too.
    Do(Inner, u8),
}

/// What may be done from within a task.
#[derive(Clone, Copy, Debug)]
pub enum Inner {
    Nothing,
    SubmitPlain,
    Cancel,
    /// Claims the task and runs it here.
    RunInline,
    /// Drops the handle.
    Detach,
    Take,
    Poll,
    /// Adds a callback.
    Observe,
    /// Removes the latest callback.
    RemoveObserver,
    /// Registers a waker and keeps the registration.
    Register,
    /// Drops the latest registration.
    Deregister,
    /// Another worker works.
    Work,
}

/// How a worker's initializer ends.
#[derive(Clone, Copy, Debug)]
pub enum Opening {
    Fine,
    NoWorker,
    Broken,
}

impl From<Code> for Op {
    fn from([which, a, b, c]: Code) -> Self {
        match which % 32 {
            0..=5 => Self::Submit { inner: Inner::from(a), task: b, fails: c % 4 == 0 },
            6..=8 => Self::Work {
                tasks: 1 + a % 6,
                opening: match b {
                    0..=219 => Opening::Fine,
                    220..=249 => Opening::NoWorker,
                    _ => Opening::Broken,
                },
                finalizer_fails: c > 250,
            },
            9 => Self::FailSpawns(a % 6),
            10 if a > 200 => Self::Close,
            10 | 11 => Self::Renew,
            _ => Self::Do(Inner::from(a), b),
        }
    }
}

impl From<u8> for Inner {
    fn from(number: u8) -> Self {
        match number % 16 {
            1 => Self::SubmitPlain,
            2 => Self::Cancel,
            3 => Self::RunInline,
            4 => Self::Detach,
            5 => Self::Take,
            6 | 7 => Self::Poll,
            8 => Self::Observe,
            9 => Self::RemoveObserver,
            10 | 11 => Self::Register,
            12 | 13 => Self::Deregister,
            14 => Self::Work,
            _ => Self::Nothing,
        }
    }
}

/// Checks the tasks of a pool with at most `workers` workers.
pub fn check(workers: usize, ops: &[Op]) {
    let scene = scene::Scene::new(workers);

    for &op in ops {
        scene.apply(op);
    }

    scene.end(ops.len() % 2 == 0);
}
