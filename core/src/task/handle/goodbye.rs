//! The end of a handle.

#![forbid(unsafe_code)]

use super::Handle;
use crate::task::finally::Finally;
use crate::task::state::Snapshot;

impl<T, E> Handle<T, E> {
    /// The handle's goodbye to a task that is over, of which it has taken the outcome out, or left nothing.
    fn leave(&self, seen: Snapshot) {
        if seen.is_all_the_handles() {
            self.task.free();
        } else {
            self.task.after(self.task.header().state.release_handle());
        }
    }

    /// The same, with the outcome in its place.
    fn leave_outcome(&self, seen: Snapshot) {
        let end = seen.end().expect("it is over");
        let _gone = Finally(|| self.leave(seen));
        self.task.drop_outcome(end);
    }

    /// The handle's goodbye to a task that wakes somebody when it is over.
    #[cold]
    fn leave_waker(&self) {
        // It is the user's, so it is dropped last.
        let _waker = self.disarm();
        // A handle that is dropped is not waited for again.
        let Err(seen) = self.task.header().state.abandon() else { return };
        self.leave_outcome(seen);
    }
}

impl<T, E> Drop for Handle<T, E> {
    fn drop(&mut self) {
        match self.task.header().state.abandon() {
            Ok(()) => {}
            Err(seen) if seen.is_taken() => self.leave(seen),
            Err(seen) if seen.end().is_some() => self.leave_outcome(seen),
            Err(_) => self.leave_waker(),
        }
    }
}
