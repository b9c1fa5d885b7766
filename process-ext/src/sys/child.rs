//! A child process, held by its pidfd: signalled without races, reaped exactly once.

#![expect(unsafe_code, reason = "it calls the C library")]

use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

use super::pipe::check;
use super::poll::{self, Watch};

/// How long a killed child may take to end. Only a child stuck inside the kernel takes longer; it is then left.
const KILLED_WITHIN: Duration = Duration::from_secs(10);

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// It ended, but somebody else (an ignored SIGCHLD, a `wait` of the host) took its status.
    Taken,
}

/// A child that leads its own process group. Dropped unreaped, it is killed and reaped.
#[derive(Debug)]
pub(crate) struct Child {
    pid: libc::pid_t,
    pidfd: Arc<OwnedFd>,
    status: Option<Status>,
}

impl Child {
    /// Takes charge of a child that was just spawned. On failure the child is killed and reaped.
    pub(super) fn adopt(pid: libc::pid_t) -> io::Result<Self> {
        match open_pidfd(pid) {
            Ok(pidfd) => Ok(Self { pid, pidfd: Arc::new(pidfd), status: None }),
            Err(error) => {
                // Where SIGCHLD is ignored, an ended child's number may be another process's by now.
                // SAFETY: waitpid accepts a null status.
                let runs = unsafe { libc::waitpid(pid, ptr::null_mut(), libc::WNOHANG) } == 0;
                if runs {
                    // SAFETY: kill touches no memory.
                    unsafe { libc::kill(pid, libc::SIGKILL) };
                    // SAFETY: as above.
                    unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
                }
                Err(error)
            }
        }
    }

    /// No child, but something that looks like one which has ended once the descriptor is raised.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn stand_in() -> io::Result<(Self, super::eventfd::EventFd)> {
        let end = super::eventfd::EventFd::new()?;
        let pidfd = Arc::new(end.as_fd().try_clone_to_owned()?);
        Ok((Self { pid: 1, pidfd, status: Some(Status::Exited(0)) }, end))
    }

    /// The process id. It may belong to another process once the child was reaped.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Readable once the child has ended.
    pub(crate) fn exit_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The same, for as long as somebody watches.
    pub(crate) fn shared_exit_fd(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.pidfd)
    }

    /// Sends a signal to the child and to the rest of its process group.
    fn signal_group(&self, signal: i32) {
        // The child itself first: it may have left its group.
        let _ = self.pidfd_signal(signal, 0);
        let sent = self.pidfd_signal(signal, libc::PIDFD_SIGNAL_PROCESS_GROUP);
        let unknown = sent.is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL));
        if unknown && self.holds_its_number() {
            // Before Linux 6.9.
            // SAFETY: kill touches no memory; the group's number is not in use by others.
            unsafe { libc::kill(-self.pid, signal) };
        }
    }

    /// Whether the child is unreaped, so that its number, and its group's, cannot belong to others.
    fn holds_its_number(&self) -> bool {
        self.status.is_none() && wait_now(&self.pidfd, libc::WNOWAIT) != Err(NotOurs)
    }

    fn pidfd_signal(&self, signal: i32, flags: libc::c_uint) -> io::Result<()> {
        let (fd, info) = (self.pidfd.as_raw_fd(), ptr::null::<libc::siginfo_t>());
        // SAFETY: the descriptor is open; a null siginfo asks the kernel to fill it as kill does.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, info, flags) };
        check(sent as libc::c_int)?;
        Ok(())
    }

    /// Reaps the child if it has ended, and says how it ended; `None` while it runs.
    fn try_reap(&mut self) -> Option<Status> {
        if self.status.is_none() {
            self.status = wait_now(&self.pidfd, 0).unwrap_or_else(|NotOurs| {
                Some(status_from_kernel(&self.pidfd).unwrap_or(Status::Taken))
            });
        }
        self.status
    }

    /// Waits for the child to end, until the deadline, without reaping it.
    pub(crate) fn ends_by(&self, deadline: Instant) -> bool {
        // A failed poll (no memory) shortens the wait.
        poll::wait(&mut [Watch::readable(self.pidfd.as_fd())], Some(deadline)).unwrap_or(false)
    }

    /// Waits for the child to end, until the deadline, and reaps it.
    pub(crate) fn reap_by(&mut self, deadline: Instant) -> Option<Status> {
        if self.status.is_none() {
            self.ends_by(deadline);
        }
        self.try_reap()
    }

    /// Asks the child and its process group to end.
    pub(crate) fn terminate(&self) {
        self.signal_group(libc::SIGTERM);
    }

    /// Kills the child with its process group, and reaps it.
    pub(crate) fn kill(&mut self) -> Option<Status> {
        if self.status.is_none() {
            self.signal_group(libc::SIGKILL);
        }
        self.reap_by(Instant::now() + KILLED_WITHIN)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn open_pidfd(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two ints and touches no memory of ours. The kernel makes it close-on-exec.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(fd as RawFd)?;
    // SAFETY: pidfd_open has just returned this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The child was reaped by somebody else.
#[derive(Debug, PartialEq, Eq)]
struct NotOurs;

fn wait_now(pidfd: &OwnedFd, flags: libc::c_int) -> Result<Option<Status>, NotOurs> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = pidfd.as_raw_fd() as libc::id_t;
    let flags = libc::WEXITED | libc::WNOHANG | flags;
    // SAFETY: waitid writes one siginfo_t to the place given.
    if unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), flags) } == -1 {
        return Err(NotOurs);
    }
    // SAFETY: it was zeroed, which is a value of this type, and perhaps overwritten by waitid.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills the child fields, or leaves them zero.
    if unsafe { info.si_pid() } == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Ok(Some(if info.si_code == libc::CLD_EXITED {
        Status::Exited(status)
    } else {
        Status::Killed(status)
    }))
}

/// What Linux 6.15 remembers of a process for as long as a pidfd of it is open, whoever reaped it.
fn status_from_kernel(pidfd: &OwnedFd) -> Option<Status> {
    // SAFETY: pidfd_info is plain integers, for which zero is a value.
    let mut info: libc::pidfd_info = unsafe { core::mem::zeroed() };
    info.mask = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the request's number carries the size of the struct, and the struct is ours.
    let returned = unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) };
    if returned != 0 || info.mask & u64::from(libc::PIDFD_INFO_EXIT) == 0 {
        return None;
    }
    let wait_status = info.exit_code;
    Some(if libc::WIFSIGNALED(wait_status) {
        Status::Killed(libc::WTERMSIG(wait_status))
    } else {
        Status::Exited(libc::WEXITSTATUS(wait_status))
    })
}
