//! What wakes the owner of a busy worker: somebody has cancelled a task that runs, perhaps the worker's.
//!
//! # Edges
//! - **B1** the kernel's eventfd: who finds the bell rung and silences it, and then looks at the task, sees the cancel
//!   that came before the ring. A cancel that comes after the silencing rings again.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};

use asyncpal_std::kind::{CancelBell, hear_cancels};

use crate::sys::eventfd::EventFd;

/// An eventfd that is raised by every cancel of a running task.
#[derive(Debug)]
pub(crate) struct Bell(EventFd);

impl Bell {
    /// A bell that rings for as long as it is there.
    pub(crate) fn hang() -> io::Result<Arc<Self>> {
        let bell = Arc::new(Self(EventFd::new()?));
        let weak: Weak<Self> = Arc::downgrade(&bell);
        hear_cancels(weak);
        Ok(bell)
    }

    /// A bell that somebody else rings.
    pub(crate) fn still() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self(EventFd::new()?)))
    }

    pub(crate) fn sound(&self) {
        self.0.raise();
    }

    pub(crate) fn silence(&self) {
        self.0.clear();
    }
}

impl CancelBell for Bell {
    fn ring(&self) {
        self.sound();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
