//! Whether the kernel has what children are held by: `pidfd_open` is of Linux 5.3, and `waitid` knows pidfds from 5.4 on.
//! A filter of system calls (seccomp) may deny them to this program on any Linux.

#![forbid(unsafe_code)]

use std::io;

use super::child::{open_pidfd, send_signal, wait_for};
use crate::sync::{AtomicBool, Ordering};

/// A call that is not to be had, and what the system says to it.
pub(crate) type Missing = (&'static str, io::Error);

/// Looks until it has found all once.
pub(crate) fn check() -> Result<(), Missing> {
    static FOUND: AtomicBool = AtomicBool::new(false);
    // ORDERING: Relaxed, both: nothing else is read by it; who comes meanwhile looks, too.
    if !FOUND.load(Ordering::Relaxed) {
        look()?;
        FOUND.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Holds this process, which is no child of its own.
fn look() -> Result<(), Missing> {
    let own = match open_pidfd(std::process::id() as libc::pid_t) {
        // There may be descriptors later, and a start without them says so.
        Err(error) if is_about_room(&error) => return Ok(()),
        own => own.map_err(|error| ("pidfd_open", error))?,
    };
    match wait_for(&own, libc::WNOWAIT) {
        Err(error) if error.raw_os_error() != Some(libc::ECHILD) => return Err(("waitid", error)),
        _ => {}
    }
    send_signal(&own, 0, 0).map_err(|error| ("pidfd_send_signal", error))
}

fn is_about_room(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_has_all_is_told_as_such() {
        check().unwrap();
        check().unwrap();
    }
}
