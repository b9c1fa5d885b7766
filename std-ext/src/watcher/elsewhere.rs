//! What the end of the program does on threads of its own, since it may never come to its end: calls of what users
//! brought, output.

use core::time::Duration;
use std::io::Write as _;
use std::sync::Condvar;
use std::thread;

use crate::clock::Deadline;
use crate::contain::made;
use crate::sync::Arc;
use crate::sync::program::{Mutex, PoisonError, lock};

/// How long the end of the program waits for an output.
pub(super) const OUTPUT_TIME: Duration = Duration::from_secs(3);

/// Whether something is done, which another thread does.
#[derive(Default)]
pub(super) struct Done {
    is_done: Mutex<bool>,
    changed: Condvar,
}

impl Done {
    fn tell(&self) {
        *lock(&self.is_done) = true;
        self.changed.notify_one();
    }

    /// Whether it is done by then.
    pub(super) fn wait(&self, deadline: Deadline) -> bool {
        let mut is_done = lock(&self.is_done);
        while !*is_done && !deadline.is_past() {
            // One that never comes lies a year ahead.
            let left = deadline.left().unwrap_or(Duration::from_secs(365 * 24 * 3600));
            let woken = self.changed.wait_timeout(is_done, left);
            is_done = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        *is_done
    }
}

/// Does on another thread what may never come to its end. `None` if there is no thread to be had.
pub(super) fn elsewhere(step: Box<dyn FnOnce() + Send>) -> Option<Arc<Done>> {
    let done = Arc::new(Done::default());
    let theirs = done.clone();
    let run = move || {
        step();
        theirs.tell();
    };
    let builder = thread::Builder::new().name(String::from("asyncpal-exit"));
    made(|| builder.spawn(run)).is_ok().then_some(done)
}

/// Begins to say it on the standard error output, which may not take it: a task may hold its lock, or nobody read it.
pub(super) fn report(text: String) -> Option<Arc<Done>> {
    // Without such an output nobody hears of it.
    let say = |text: &str| drop(std::io::stderr().write_all(text.as_bytes()));
    let theirs = text.clone();
    let said = elsewhere(Box::new(move || say(&theirs)));
    if said.is_none() {
        say(&text);
    }
    said
}
