//! A child process, held by its pidfd: signalled without races, reaped exactly once.

#![expect(unsafe_code, reason = "it calls the C library")]

use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Instant;

use super::eventfd::EventFd;
use super::lifeline::End;
use super::pipe::check;
use super::poll::{self, Watch};

/// How long a killed child may take to end. Only a child stuck inside the kernel takes longer; it is then left.
const KILLED_WITHIN: Duration = Duration::from_secs(10);

/// How long a child may take to end by its lifeline alone.
const SEVERED_WITHIN: Duration = Duration::from_secs(1);

/// Between two looks at a child, where the kernel refuses to wait, or somebody traces it.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Children that could not be killed: each is reaped by a later start, once it has ended by itself.
static LEFT: Mutex<Vec<Arc<OwnedFd>>> = Mutex::new(Vec::new());

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

/// Why a child lives on although it was to be killed.
#[derive(Debug)]
pub(crate) enum Survives {
    /// It is stuck inside the kernel.
    Stuck,
    /// The system refused the signal: the child has privileges that this program does not have, or not any more.
    Refused(io::Error),
}

/// A child that leads its own process group. Dropped unreaped, it is killed and reaped.
#[derive(Debug)]
pub(crate) struct Child {
    pid: libc::pid_t,
    pidfd: Arc<OwnedFd>,
    status: Option<Status>,
    /// What kills it when it is dropped, whatever this program may do by then.
    lifeline: Option<End>,
}

impl Child {
    /// Takes charge of a child that was just spawned. On failure the child is killed and reaped.
    ///
    /// One that has ended, and whose status somebody has taken, is a child all the same: its death is told as any.
    pub(super) fn adopt(pid: libc::pid_t) -> io::Result<Self> {
        bury_those_left();
        match open_pidfd(pid) {
            Ok(pidfd) if is_strangers(&pidfd) => Self::gone(pid),
            Ok(pidfd) => Ok(Self { pid, pidfd: Arc::new(pidfd), status: None, lifeline: None }),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Self::gone(pid),
            Err(error) => {
                // Where SIGCHLD is ignored, an ended child's number may be another process's by now.
                // SAFETY: waitpid accepts a null status.
                let runs = unsafe { libc::waitpid(pid, ptr::null_mut(), libc::WNOHANG) } == 0;
                // SAFETY: kill touches no memory.
                if runs && unsafe { libc::kill(pid, libc::SIGKILL) } == 0 {
                    bury(pid);
                }
                Err(error)
            }
        }
    }

    /// A child that ended before anything could hold it, and that somebody else has reaped.
    fn gone(pid: libc::pid_t) -> io::Result<Self> {
        let ended = EventFd::new()?;
        ended.raise();
        let pidfd = Arc::new(ended.as_fd().try_clone_to_owned()?);
        Ok(Self { pid, pidfd, status: Some(Status::Taken), lifeline: None })
    }

    /// No child, but something that looks like one which has ended once the descriptor is raised. No process has its
    /// number.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn stand_in() -> io::Result<(Self, EventFd)> {
        let end = EventFd::new()?;
        let pidfd = Arc::new(end.as_fd().try_clone_to_owned()?);
        let pid = libc::pid_t::MAX;
        Ok((Self { pid, pidfd, status: Some(Status::Exited(0)), lifeline: None }, end))
    }

    /// From now on the child lives no longer than this. It is the other end of what the child was given.
    pub(crate) fn tied_to(mut self, lifeline: End) -> Self {
        self.lifeline = Some(lifeline);
        self
    }

    /// The process id. It may belong to another process once the child was reaped.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Readable once the child has ended.
    pub(crate) fn exit_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The same, to share with who watches.
    pub(crate) fn shared_exit_fd(&self) -> &Arc<OwnedFd> {
        &self.pidfd
    }

    /// Sends a signal to the child and to the rest of its process group. `Err` if the child may not be sent one.
    fn signal_group(&self, signal: i32) -> io::Result<()> {
        // The group first: where somebody else reaps the child, its number is free as soon as it has ended.
        let sent = send_signal(&self.pidfd, signal, libc::PIDFD_SIGNAL_PROCESS_GROUP);
        let unknown = sent.is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL));
        if unknown && self.holds_its_number() {
            // Before Linux 6.9.
            // SAFETY: kill touches no memory; the group's number is not in use by others.
            unsafe { libc::kill(-self.pid, signal) };
        }
        // The child may have left its group.
        match send_signal(&self.pidfd, signal, 0) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(error),
            // One that has ended already has no use for a signal.
            _ => Ok(()),
        }
    }

    /// Whether the child is unreaped, so that its number, and its group's, cannot belong to others.
    fn holds_its_number(&self) -> bool {
        self.status.is_none() && wait_now(&self.pidfd, libc::WNOWAIT) != Err(NotOurs)
    }

    /// How the child ended, by the deadline. It stays unreaped, so that what is left of its group can be killed.
    pub(crate) fn ending_by(&self, deadline: Instant) -> Option<Status> {
        self.status.or_else(|| self.look_until(deadline, libc::WNOWAIT))
    }

    /// The status of one that has ended and is traced by somebody is the tracer's first, and ours when the tracer has
    /// taken it, or gone.
    fn look_until(&self, deadline: Instant, flags: libc::c_int) -> Option<Status> {
        self.ends_by(deadline);
        loop {
            let status = self.look(flags);
            if status.is_some() || deadline <= Instant::now() {
                return status;
            }
            sleep(BETWEEN_LOOKS);
        }
    }

    fn look(&self, flags: libc::c_int) -> Option<Status> {
        wait_now(&self.pidfd, flags).unwrap_or_else(|NotOurs| {
            Some(status_from_kernel(&self.pidfd).unwrap_or(Status::Taken))
        })
    }

    /// Waits for the child to end, until the deadline, without reaping it.
    pub(crate) fn ends_by(&self, deadline: Instant) -> bool {
        if self.status.is_some() {
            return true;
        }
        loop {
            match poll::wait(&mut [Watch::readable(self.pidfd.as_fd())], Some(deadline)) {
                Ok(ended) => return ended,
                // No memory, or no descriptor allowed at all.
                Err(_) if wait_now(&self.pidfd, libc::WNOWAIT) != Ok(None) => return true,
                Err(_) if deadline <= Instant::now() => return false,
                Err(_) => sleep(BETWEEN_LOOKS),
            }
        }
    }

    /// Waits for the child to end, until the deadline, and reaps it.
    pub(crate) fn reap_by(&mut self, deadline: Instant) -> Option<Status> {
        if self.status.is_none() {
            self.status = self.look_until(deadline, 0);
        }
        self.status
    }

    /// Asks the child and its process group to end; false if it may not be asked, so that nobody waits for an answer.
    #[must_use]
    pub(crate) fn terminate(&self) -> bool {
        self.signal_group(libc::SIGTERM).is_ok()
    }

    /// Kills the child with its process group, and reaps it.
    pub(crate) fn kill(&mut self) -> Result<Status, Survives> {
        let sent = match self.status {
            None => self.signal_group(libc::SIGKILL),
            Some(_) => Ok(()),
        };
        // It needs nobody's permission, and ends the child alone: so after the group.
        let is_severed = self.lifeline.take().is_some();
        let patience = match &sent {
            Ok(()) => KILLED_WITHIN,
            Err(_) if is_severed => SEVERED_WITHIN,
            Err(_) => Duration::ZERO,
        };
        let status = self.reap_by(Instant::now() + patience);
        status.ok_or_else(|| sent.err().map_or(Survives::Stuck, Survives::Refused))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill().is_err() {
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&self.pidfd));
        }
    }
}

/// Waits for the end of a child that nothing holds, and reaps it, whatever signals this thread gets meanwhile.
fn bury(pid: libc::pid_t) {
    // SAFETY: waitpid accepts a null status.
    while check(unsafe { libc::waitpid(pid, ptr::null_mut(), 0) })
        .is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
    {}
}

/// Where somebody is at it already, or was when this process was forked from another, it has been done.
fn bury_those_left() {
    if let Ok(mut left) = LEFT.try_lock() {
        left.retain(|pidfd| wait_now(pidfd, 0) == Ok(None));
    }
}

pub(super) fn open_pidfd(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two ints and touches no memory of ours. The kernel makes it close-on-exec.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(fd as RawFd)?;
    // SAFETY: pidfd_open has just returned this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Signal 0 is none, but may be refused as any other.
pub(super) fn send_signal(pidfd: &OwnedFd, signal: i32, flags: libc::c_uint) -> io::Result<()> {
    let (fd, info) = (pidfd.as_raw_fd(), ptr::null::<libc::siginfo_t>());
    // SAFETY: the descriptor is open; a null siginfo asks the kernel to fill it as kill does.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, info, flags) };
    check(sent as libc::c_int)?;
    Ok(())
}

/// Whether it is that of a process which was born after a child had ended, and bears the child's number.
///
/// One that has ended is the child, if not surely: of that one the kernel may know the status, and no signal meets it.
fn is_strangers(pidfd: &OwnedFd) -> bool {
    let mut ended = [Watch::readable(pidfd.as_fd())];
    wait_now(pidfd, libc::WNOWAIT) == Err(NotOurs)
        && !poll::wait(&mut ended, Some(Instant::now())).unwrap_or(false)
}

/// The child was reaped by somebody else.
#[derive(Debug, PartialEq, Eq)]
struct NotOurs;

fn wait_now(pidfd: &OwnedFd, flags: libc::c_int) -> Result<Option<Status>, NotOurs> {
    wait_for(pidfd, flags).map_err(|_| NotOurs)
}

/// How a child has ended; `None` while it runs.
pub(super) fn wait_for(pidfd: &OwnedFd, flags: libc::c_int) -> io::Result<Option<Status>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = pidfd.as_raw_fd() as libc::id_t;
    let flags = libc::WEXITED | libc::WNOHANG | flags;
    // SAFETY: waitid writes one siginfo_t to the place given.
    check(unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), flags) })?;
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn pid(text: &[u8]) -> libc::pid_t {
        core::str::from_utf8(text).unwrap().trim().parse().unwrap()
    }

    fn ends_at_once(mut child: Child) -> Option<Status> {
        assert!(child.ends_by(Instant::now()));
        child.reap_by(Instant::now())
    }

    #[test]
    fn a_child_that_was_reaped_before_it_was_held_is_one_that_has_ended() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();

        let adopted = Child::adopt(child.id() as libc::pid_t).unwrap();

        assert_eq!(ends_at_once(adopted), Some(Status::Taken));
    }

    #[test]
    fn a_process_that_bears_the_number_of_a_reaped_child_is_not_held() {
        let script = "sleep 60 >/dev/null 2>&1 & echo $!";
        let output = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).output();
        let stranger = pid(&output.unwrap().stdout);

        let adopted = Child::adopt(stranger).unwrap();

        assert_eq!(ends_at_once(adopted), Some(Status::Taken));
        // SAFETY: kill touches no memory.
        let was_there = unsafe { libc::kill(stranger, libc::SIGKILL) } == 0;
        assert!(was_there, "nobody has killed it");
    }

    extern "C" fn notice(_: libc::c_int) {}

    #[test]
    fn a_child_that_nothing_holds_is_reaped_whatever_signals_come() {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: zero is a value of it: no flags, so that calls are interrupted, and no signal blocked.
        unsafe { action.assume_init_mut() }.sa_sigaction = notice as *const () as usize;
        // SAFETY: the handler does nothing; nobody else here uses this signal.
        unsafe { libc::sigaction(libc::SIGUSR1, action.as_ptr(), ptr::null_mut()) };
        // SAFETY: gettid has no preconditions.
        let thread = unsafe { libc::gettid() };
        let mut child = Command::new("sleep").arg("0.2").spawn().unwrap();

        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..100 {
                    // SAFETY: it touches no memory.
                    unsafe {
                        libc::syscall(libc::SYS_tgkill, std::process::id(), thread, libc::SIGUSR1)
                    };
                    sleep(Duration::from_millis(2));
                }
            });
            bury(child.id() as libc::pid_t);
        });

        assert!(child.wait().is_err(), "it was reaped");
    }
}
