//! Models of the thread pool as its users see it: the whole of `ThreadPool`, its threads, its
//! parkers and its waits, on the checker's threads.
//!
//! # Claims
//! - What is submitted runs once and is collected, by whichever way of waiting, whatever the workers
//!   are about to do: go idle, retire, be renewed (`work`).
//! - A failure that nobody collects is reported, once (`work`).
//! - `join`, `shutdown` and the drop wait for the threads, and every handle is settled (`ending`).
//! - **N1** to **N3** of the completion filter: each handle is got once, and nobody waits for nothing
//!   (`filter`).
//! - **P2**, **P3** of the parker: no token is lost, and what the waker did is seen (`parker`).
//! - **M2** of a pool's room: who waits for room is let in (`room`).
//! - A scope ends after everything that borrows is gone (`scope`).
//! - What the checker finds in a task is the model's failure and not the task's (`verdict`).
//!
//! Each is small: the protocols have models of their own, with more preemptions.
#![cfg(asyncpal_loom)]

#[path = "pool/ending.rs"]
mod ending;
#[path = "pool/filter.rs"]
mod filter;
#[path = "pool/parker.rs"]
mod parker;
#[path = "pool/room.rs"]
mod room;
#[path = "pool/scope.rs"]
mod scope;
#[path = "pool/verdict.rs"]
mod verdict;
#[path = "pool/work.rs"]
mod work;

use asyncpal::ThreadPool;
use core::time::Duration;
use loom::sync::{Condvar, Mutex};

/// How long an idle worker stays, if it is told.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A pool whose idle workers stay.
fn pool(max_workers: usize) -> ThreadPool {
    retiring_pool(max_workers, None)
}

fn retiring_pool(max_workers: usize, idle_timeout: Option<Duration>) -> ThreadPool {
    ThreadPool::builder()
        .max_workers(max_workers)
        .idle_timeout(idle_timeout)
        .build()
        .expect("the settings are valid")
}

/// Something that a task waits for.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().expect("no panic") = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut is_open = self.is_open.lock().expect("no panic");
        while !*is_open {
            is_open = self.opened.wait(is_open).expect("no panic");
        }
    }
}
