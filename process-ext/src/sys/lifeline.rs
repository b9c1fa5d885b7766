//! Ends of pipes whose closing ends a worker, its lifeline's or, for a command, those of both its pipes: closed in a
//! child that the host forks, so that workers end with the process whose they are and not with the last of its
//! children.
//!
//! # State
//! | what | meaning |
//! |---|---|
//! | `TABLE[i]` | a descriptor that is open and such an end, or 0: free |
//! | `USED` | no entry from here on was ever taken |
//!
//! # Invariants
//! - **I1** A descriptor in the table is open in the process that put it there: it is put in after it was
//!   opened, and taken out before it is closed. So a child never closes what is not such an end of its parent's.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | W1 | 0 → descriptor | who opens the pipe | it is open |
//! | W2 | descriptor → 0 | who took the place | before it closes it |
//! | W3 | all → 0 | the fork handler, in the child | before `fork` returns there |
//!
//! # Edges
//! None: a place is its taker's alone, and at W3 the child has one thread.
//!
//! # Progress
//! Lock-free: who loses a place to another looks for the next one. The handler may not wait for anybody,
//! and does not.
//!
//! # Not covered
//! A fork on another thread between the opening of the pipe and W1, a few microseconds at each start of a
//! worker; more than `PLACES` ends at once; `vfork` without `exec`, and raw `clone`, which call no handlers.
//! There a worker whose parent is killed, and which is busy or a command, goes on until the child has ended, too.

#![expect(unsafe_code, reason = "it calls the C library")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use super::pipe::Pipe;
use crate::sync::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

/// Descriptors that most hosts are allowed, of which each worker has more than are listed of it.
const PLACES: usize = 4096;
const FREE: RawFd = 0;

static TABLE: [AtomicI32; PLACES] = [const { AtomicI32::new(FREE) }; PLACES];
static USED: AtomicUsize = AtomicUsize::new(0);

/// An end of the parent's.
#[derive(Debug)]
pub(crate) struct End {
    place: Option<usize>,
    // Closed after `drop` has freed the place.
    file: File,
}

impl End {
    /// One on which no life depends.
    pub(crate) fn new(end: OwnedFd) -> Self {
        Self { place: None, file: File::from(end) }
    }

    /// One whose closing ends a worker.
    pub(crate) fn vital(end: OwnedFd) -> Self {
        register();
        Self { place: take_place(end.as_raw_fd()), file: File::from(end) }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// Opens a lifeline: when the parent's end, the first, is closed, the kernel kills who has the other.
pub(crate) fn open() -> io::Result<(End, OwnedFd)> {
    let Pipe { reader, writer } = Pipe::open()?;
    Ok((End::vital(writer), reader))
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            // In a child the place is free already, or another's.
            let descriptor = self.file.as_raw_fd();
            // ORDERING: Relaxed, W2: nothing is read by it.
            let _ = TABLE[place].compare_exchange(
                descriptor,
                FREE,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }
}

fn take_place(descriptor: RawFd) -> Option<usize> {
    let place = TABLE.iter().position(|place| {
        // ORDERING: Relaxed, W1: the number is all there is.
        place.compare_exchange(FREE, descriptor, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    })?;
    // ORDERING: Relaxed: as above. A fork before it is one before W1.
    USED.fetch_max(place + 1, Ordering::Relaxed);
    Some(place)
}

/// Not a `Once`: a child that was forked while another thread was in it would wait for ever. A handler that is
/// registered twice finds nothing the second time.
fn register() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    // ORDERING: Relaxed, here and below: nothing is read by it.
    if !REGISTERED.load(Ordering::Relaxed) {
        // SAFETY: the handler makes atomic accesses and closes descriptors, which a child of a process with
        // threads may do.
        let refused = unsafe { libc::pthread_atfork(None, None, Some(close_all)) };
        debug_assert_eq!(refused, 0, "pthread_atfork refused the handler");
        REGISTERED.store(true, Ordering::Relaxed);
    }
}

/// W3.
unsafe extern "C" fn close_all() {
    // ORDERING: Relaxed, here and below: one thread.
    let used = USED.swap(0, Ordering::Relaxed);
    for place in &TABLE[..used] {
        let descriptor = place.swap(FREE, Ordering::Relaxed);
        if descriptor != FREE {
            // SAFETY: I1. Whoever owns it is not here: the parent's threads are not, and what the forking
            // thread has of a pool is not used in the child.
            unsafe { libc::close(descriptor) };
        }
    }
}
