//! A parker on shuttle's threads.
//!
//! There is no time: whether a deadline passes before a token comes is a random choice.

use asyncpal_core::clock::Instant;
use asyncpal_core::park::{Park, Unparked};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::{Condvar, Mutex};
use std::sync::Arc;
use std::task::Wake;

/// One token.
pub struct SchedulePark {
    token: Mutex<bool>,
    came: Condvar,
}

impl SchedulePark {
    pub fn new() -> Self {
        Self { token: Mutex::new(false), came: Condvar::new() }
    }

    /// Waits for a token.
    pub fn wait(&self) {
        let mut token = self.token.lock().expect("nobody panics");
        while !*token {
            token = self.came.wait(token).expect("nobody panics");
        }
        *token = false;
    }
}

impl Park for SchedulePark {
    fn park(&self, deadline: Option<Instant>) -> Unparked {
        // How long the deadline is away, in steps of the others.
        let mut patience = deadline.map(|_| thread_rng().gen_range(0..20));
        loop {
            match patience {
                None => {
                    self.wait();
                    return Unparked::Woken;
                }
                Some(steps) => {
                    if core::mem::take(&mut *self.token.lock().expect("nobody panics")) {
                        return Unparked::Woken;
                    }
                    if steps == 0 {
                        return Unparked::TimedOut;
                    }
                    patience = Some(steps - 1);
                    shuttle::thread::yield_now();
                }
            }
        }
    }

    fn unpark(&self) {
        *self.token.lock().expect("nobody panics") = true;
        self.came.notify_one();
    }
}

impl Wake for SchedulePark {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }
}
