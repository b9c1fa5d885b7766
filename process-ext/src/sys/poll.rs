//! Waiting for one of a few descriptors.

#![expect(unsafe_code, reason = "it calls the C library")]

use core::marker::PhantomData;
use core::ptr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

/// A descriptor, what to wait for, and whether it has come.
#[derive(Debug)]
pub(crate) struct Watch<'fd> {
    entry: libc::pollfd,
    borrowed: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> Watch<'fd> {
    /// Until there is something to read, or the other side has hung up.
    pub(crate) fn readable(fd: BorrowedFd<'fd>) -> Self {
        Self::new(fd.as_raw_fd(), libc::POLLIN)
    }

    /// Until there is room to write.
    pub(crate) fn writable(fd: BorrowedFd<'fd>) -> Self {
        Self::new(fd.as_raw_fd(), libc::POLLOUT)
    }

    /// Until the other side has hung up; data does not count.
    pub(crate) fn hung_up(fd: BorrowedFd<'fd>) -> Self {
        Self::new(fd.as_raw_fd(), 0)
    }

    /// Never.
    pub(crate) fn never() -> Self {
        Self::new(NOTHING, 0)
    }

    /// Whether the last [`wait`] found it ready, hung up or in error.
    pub(crate) fn is_ready(&self) -> bool {
        self.entry.revents != 0
    }

    fn new(fd: libc::c_int, events: libc::c_short) -> Self {
        Self { entry: libc::pollfd { fd, events, revents: 0 }, borrowed: PhantomData }
    }
}

/// No descriptor. The kernel would skip it.
const NOTHING: libc::c_int = -1;

/// Waits until a watch is ready or the deadline has passed, and says whether one is.
///
/// # Errors
///
/// There is no memory, or more watches than `RLIMIT_NOFILE` allows descriptors, which may be none.
pub(crate) fn wait<const N: usize>(
    watches: &mut [Watch<'_>; N],
    deadline: Option<Instant>,
) -> io::Result<bool> {
    // Entries that the kernel would skip count, too, when it compares their number with that limit.
    let mut live = [libc::pollfd { fd: NOTHING, events: 0, revents: 0 }; N];
    let mut count = 0;
    for watch in watches.iter().filter(|watch| watch.entry.fd != NOTHING) {
        live[count] = watch.entry;
        count += 1;
    }
    let ready = wait_for(&mut live[..count], deadline)?;
    let waited = watches.iter_mut().filter(|watch| watch.entry.fd != NOTHING);
    waited.zip(live).for_each(|(watch, entry)| watch.entry = entry);
    Ok(ready)
}

fn wait_for(entries: &mut [libc::pollfd], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let timeout = deadline.map(remaining);
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the slice is ours, the timeout lives, no mask is given.
        let ready = unsafe {
            libc::ppoll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, timeout, ptr::null())
        };
        match ready {
            0 => return Ok(false),
            1.. => return Ok(true),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

fn remaining(deadline: Instant) -> libc::timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    // SAFETY: a timespec is plain integers (and padding on some targets), for which zero is a value.
    let mut timeout: libc::timespec = unsafe { core::mem::zeroed() };
    timeout.tv_sec = left.as_secs().try_into().unwrap_or(i32::MAX.into());
    timeout.tv_nsec = left.subsec_nanos() as _;
    timeout
}
