//! Scenes that are played on the heap and in a `static`.
#![allow(dead_code, reason = "each of two test files uses a part")]

use crate::kind::{Script, TaskHandle};
use crate::observed::{Ended, Fate, Pool, Refusal, fate, wait};
use crate::owner::Owner;
use crate::park::ModelPark;
use asyncpal_core::lifecycle::Phase;
use asyncpal_core::park::Park as _;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

/// What one thread does and another one waits for. Cheaper than the checker's `Notify`, which may wake too
/// early, so that every wait has two ends.
#[derive(Clone)]
pub struct Signal(Arc<(ModelPark, AtomicBool)>);

impl Signal {
    pub fn new() -> Self {
        Self(Arc::new((ModelPark::new(), AtomicBool::new(false))))
    }

    pub fn give(&self) {
        self.0.1.store(true, Relaxed);
        self.0.0.unpark();
    }

    /// For one thread, once.
    pub fn wait(&self) {
        self.0.0.wait();
    }

    /// To the checker that is no step, and orders nothing.
    pub fn is_given(&self) -> bool {
        self.0.1.load(Relaxed)
    }
}

/// Calls what it was made with when it is dropped: what a job has in its hands may do anything.
pub struct WhenDropped(Option<Box<dyn FnOnce() + Send>>);

impl WhenDropped {
    pub fn new(call: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(call)))
    }

    /// Waits for a task.
    pub fn waits_for(task: TaskHandle) -> Self {
        Self::new(move || {
            let _ = wait(task);
        })
    }
}

impl Drop for WhenDropped {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}

/// Calls `f` with the pool, on another thread.
pub fn beside<O: Owner, T: 'static>(
    pool: &Arc<Pool<O>>,
    f: impl FnOnce(&Pool<O>) -> T + 'static,
) -> JoinHandle<T> {
    let pool = Arc::clone(pool);
    thread::spawn(move || f(&pool))
}

pub fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no caller panics")
}

/// What was submitted, which must have been taken.
pub fn taken(submitted: Result<TaskHandle, Refusal>) -> TaskHandle {
    submitted.unwrap_or_else(|refusal| panic!("refused: {refusal:?}"))
}

/// Lets the others run until they wait, have stopped or ended.
pub fn let_others_run() {
    for _ in 0..4 {
        thread::yield_now();
    }
}

/// Ends a pool that all other threads have left.
pub fn end<O: Owner>(pool: Arc<Pool<O>>) -> Ended {
    Arc::into_inner(pool).expect("the other callers were joined").end()
}

/// Two tasks of one caller, the second while the worker may be at any step.
pub fn two_submits<O: Owner>(max_workers: usize, script: Script) -> Ended {
    let pool = Pool::<O>::new(max_workers, script);

    let tasks = [pool.submit(), pool.submit()];

    let fates = tasks.map(fate);
    assert_eq!(fates, [Fate::Ran; 2]);
    let ended = pool.end();
    ended.with_fates(&fates);
    ended
}

/// Two callers with a task each.
pub fn two_submitters<O: Owner>(max_workers: usize, script: Script) -> ([Fate; 2], Phase) {
    let pool = Arc::new(Pool::<O>::new(max_workers, script));
    let other = beside(&pool, |pool| fate(pool.submit()));

    let mine = fate(pool.submit());

    let fates = [mine, join(other)];
    let phase = pool.executor.phase();
    end(pool).with_fates(&fates);
    (fates, phase)
}

/// A caller with a task against `close`: what became of the task.
pub fn a_submit_against_close<O: Owner>(script: Script) -> Fate {
    let pool = Arc::new(Pool::<O>::new(1, script));
    let other = beside(&pool, |pool| fate(pool.submit()));

    pool.executor.close();

    let fate = join(other);
    end(pool).with_fates(&[fate]);
    fate
}
