//! A parker of the checker.
//!
//! loom's own `unpark` synchronises even with a thread that never parks, and is no step at which
//! threads change; so the word carries all that counts and loom's parking only blocks.

use asyncpal_core::clock::Instant;
use asyncpal_core::park::{Park, Unparked};
use loom::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use loom::thread::{self, Thread};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

const EMPTY: usize = 0;
const PARKED: usize = 1;
const TOKEN: usize = 2;

/// A one-token semaphore. There is no time under the checker: a deadline has passed already, and
/// what it is late for is for the checker to try.
pub struct ModelPark {
    word: AtomicUsize,
    /// Set before the word says `PARKED`, read after.
    sleeper: Mutex<Option<Thread>>,
}

impl ModelPark {
    pub fn new() -> Self {
        Self { word: AtomicUsize::new(EMPTY), sleeper: Mutex::new(None) }
    }

    /// Waits for a token.
    pub fn wait(&self) {
        let _ = self.park(None);
    }
}

impl Park for ModelPark {
    fn park(&self, deadline: Option<Instant>) -> Unparked {
        if deadline.is_none() {
            *self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
            if self.word.compare_exchange(EMPTY, PARKED, Relaxed, Relaxed).is_ok() {
                while self.word.load(Relaxed) == PARKED {
                    thread::park();
                }
            }
        }
        match self.word.swap(EMPTY, Acquire) {
            TOKEN => Unparked::Woken,
            _ => Unparked::TimedOut,
        }
    }

    fn unpark(&self) {
        if self.word.swap(TOKEN, AcqRel) == PARKED {
            if let Some(sleeper) = &*self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) {
                sleeper.unpark();
            }
        }
    }
}

impl Wake for ModelPark {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }
}
