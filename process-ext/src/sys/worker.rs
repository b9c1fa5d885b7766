//! What a worker does to itself before it serves: descriptors, lifeline, signals, name.

#![expect(unsafe_code, reason = "it calls the C library")]

use core::ffi::CStr;
use core::ops::Not as _;
use core::ptr;
use core::time::Duration;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt as _;
use std::thread::sleep;

use super::pipe::{self, check};
use super::poll::{self, Watch};
use super::{MARKER, fds, procfs};
use crate::error::LaunchError;

/// Not in the libc crate; the same on every Linux that Rust has a standard library for.
const F_SETSIG: libc::c_int = 10;

/// Whether this process may have privileges that the user who has started it does not have. Who that is cannot be
/// trusted: he may play the parent, and a parent says which of the program's code is run, with which arguments.
fn may_be_privileged() -> bool {
    is_secure() || !runs_as_its_user()
}

/// Whether this program's workers would get privileges that its user does not have, from its file, and so refuse to be
/// workers.
///
/// That the kernel calls this process secure is not enough. It does so, too, when a security module moves a program into
/// a domain of its own, as SELinux does with a service; the workers stay in that domain, and are not called so.
pub(crate) fn is_privileged() -> bool {
    !runs_as_its_user() || is_secure() && file_gives_privileges()
}

/// What the kernel tells the C library: not to trust who has started this process.
fn is_secure() -> bool {
    // SAFETY: getauxval has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

fn runs_as_its_user() -> bool {
    // SAFETY: getuid has no preconditions.
    let user = unsafe { libc::getuid() };
    // SAFETY: as above.
    let group = unsafe { libc::getgid() };
    // SAFETY: as above.
    let as_user = unsafe { libc::geteuid() } == user;
    // SAFETY: as above.
    let as_group = unsafe { libc::getegid() } == group;
    as_user && as_group
}

/// Whether this program's file is setuid or setgid, or has capabilities.
fn file_gives_privileges() -> bool {
    let file = procfs::own("exe");
    let mode = std::fs::metadata(&file).map_or(0, |file| file.mode());
    let name = c"security.capability";
    let Ok(file) = CString::new(file.into_os_string().into_encoded_bytes()) else { return true };
    // SAFETY: both strings end with a zero byte and live; with no room it writes nothing.
    let length = unsafe { libc::getxattr(file.as_ptr(), name.as_ptr(), ptr::null_mut(), 0) };
    length >= 0 || mode & (libc::S_ISUID | libc::S_ISGID) != 0
}

/// Whether a pool has started this process.
pub(crate) fn is_marked() -> bool {
    std::env::var_os(MARKER).is_some()
}

/// How often is looked for threads that are about to be gone, and how long after one another.
const LEAVING_LOOKS: u32 = 20;
const LEAVING_PAUSE: Duration = Duration::from_millis(1);

/// That this process has one thread. It stays true for as long as that thread starts no other.
#[derive(Debug)]
pub(crate) struct Alone(());

impl Alone {
    /// Asks the kernel; `None` if there are other threads, which stay: one that was joined is counted until it is gone.
    ///
    /// It takes no descriptor, of which none may be left. Without `/proc`, in which the parent has found this program,
    /// the word of who calls `init` has to do.
    pub(crate) fn prove() -> Option<Self> {
        for _ in 0..LEAVING_LOOKS {
            if !has_other_threads() {
                return Some(Self(()));
            }
            sleep(LEAVING_PAUSE);
        }
        has_other_threads().not().then_some(Self(()))
    }
}

fn has_other_threads() -> bool {
    // A directory has two links, and one for each directory in it.
    let threads = std::fs::metadata("/proc/self/task").map(|tasks| tasks.nlink().saturating_sub(2));
    threads.is_ok_and(|threads| threads > 1)
}

/// Removes what tells that this process is a worker, so that programs started by tasks are not.
pub(crate) fn remove_marker(_: &Alone) {
    // SAFETY: no other thread is there to read the environment.
    unsafe { std::env::remove_var(MARKER) };
}

/// The worker's ends of its two pipes.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) requests: File,
    pub(crate) replies: File,
}

/// Makes this process a worker: descriptors 3 to 5 become its own, all others above them are closed. Those below are
/// open afterwards: where its parent has none, it has `/dev/null`.
///
/// Fails if the three are not pipes: then no pool started this process. Must be called once, at most.
pub(crate) fn adopt(alone: &Alone) -> io::Result<Ends> {
    if may_be_privileged() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, LaunchError::Privileged));
    }
    for fd in [fds::REQUESTS, fds::REPLIES, fds::LIFELINE] {
        check_is_pipe(fd)?;
    }
    close_foreign(alone);
    open_standard()?;
    let requests = take(fds::REQUESTS)?;
    let replies = take(fds::REPLIES)?;
    tie_to_parent(take(fds::LIFELINE)?)?;
    // These are the parent's to decide on.
    ignore(&[libc::SIGINT, libc::SIGQUIT]);
    ignore(&STOPS_OF_THE_BACKGROUND);
    Ok(Ends { requests: File::from(requests), replies: File::from(replies) })
}

/// Makes this process's standard input and output a worker's two ends: they move to numbers of their own, what
/// prints writes to standard error instead, and what reads finds the end of file.
///
/// Fails if standard input is a terminal: then no pool started this process.
pub(crate) fn adopt_stdio() -> io::Result<Ends> {
    if io::stdin().is_terminal() {
        let what = "its standard input is a terminal: a worker is started by a pool";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let requests = io::stdin().as_fd().try_clone_to_owned()?;
    let replies = io::stdout().as_fd().try_clone_to_owned()?;
    for end in [requests.as_fd(), replies.as_fd()] {
        pipe::set_blocking(end)?;
    }
    let null = File::options().read(true).write(true).open("/dev/null")?;
    replace(libc::STDIN_FILENO, null.as_fd())?;
    replace(libc::STDOUT_FILENO, io::stderr().as_fd())
        .or_else(|_| replace(libc::STDOUT_FILENO, null.as_fd()))?;
    ignore(&STOPS_OF_THE_BACKGROUND);
    Ok(Ends { requests: File::from(requests), replies: File::from(replies) })
}

/// Lets a standard descriptor be another file.
fn replace(standard: RawFd, by: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the standard descriptors belong to the process as a whole, and stay open; dup2 touches no memory of
    // ours.
    check(unsafe { libc::dup2(by.as_raw_fd(), standard) }).map(drop)
}

/// Names the main thread, and so the process in `ps` and `top`. The kernel keeps 15 bytes.
pub(crate) fn set_process_name(name: &str) {
    let Ok(name) = CString::new(name) else { return };
    // SAFETY: PR_SET_NAME reads a string that ends with a zero byte; this one lives.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Writes to a pipe without reader fail instead of killing, in a process that is a worker: as Rust's start has it.
pub(crate) fn ignore_broken_pipes() {
    if std::env::var_os(MARKER).is_some() {
        // SAFETY: SIG_IGN is a valid disposition for it, and no handler runs in our name.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    }
}

/// The size of a page of memory, as the kernel counts it.
pub(crate) fn page_bytes() -> u64 {
    // SAFETY: sysconf has no preconditions.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Ends this process at once: nothing is flushed, no exit handler runs.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

fn check_is_pipe(fd: RawFd) -> io::Result<()> {
    // SAFETY: `stat` is plain integers, for which zero is a value.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: fstat writes one `stat` to the place given, and accepts any number as a descriptor.
    check(unsafe { libc::fstat(fd, &raw mut stat) })?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFIFO {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {fd} is no pipe")))
    }
}

/// Takes charge of a descriptor that the parent put there, and keeps it from programs started by tasks.
fn take(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: `adopt` runs once and saw that it is a pipe: the parent made it for this module alone.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the descriptor is open; F_SETFD takes an int and touches no memory of ours.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(owned)
}

/// Closes what leaked through the parent's exec: descriptors that the host opened without close-on-exec.
fn close_foreign(_: &Alone) {
    let first = fds::FIRST_FOREIGN as libc::c_uint;
    // SAFETY: no other thread is there to use a descriptor. What this one has opened before `init` it does not come back
    // to, since `init` does not return; that nothing else of it is kept either, `init` documents.
    if unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) } == 0 {
        return;
    }
    // Before Linux 5.9.
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<RawFd> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&fd| fd >= fds::FIRST_FOREIGN)
        .collect();
    for fd in open {
        // SAFETY: as above. The listing's own descriptor is among them, and closed already: EBADF is harmless.
        unsafe { libc::close(fd) };
    }
}

/// Without them, what the worker and its tasks open would be in their places, and be printed to. Before `main`, Rust's
/// runtime has not seen to that yet.
fn open_standard() -> io::Result<()> {
    for fd in 0..fds::REQUESTS {
        // SAFETY: F_GETFD touches no memory, and accepts any number as a descriptor.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } != -1 {
            continue;
        }
        // SAFETY: the path ends with a zero byte and is static. All lower descriptors are open: it becomes this one.
        check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })
            .map_err(|error| io::Error::new(error.kind(), format!("/dev/null: {error}")))?;
    }
    Ok(())
}

/// Asks the kernel to kill this process as soon as the last write end of the lifeline is closed.
///
/// It works while a task computes, needs no thread, and unlike PR_SET_PDEATHSIG it does not fire when the thread
/// that spawned this process ends. The pipe is opened anew, since owner and flags belong to the open file.
fn tie_to_parent(inherited: OwnedFd) -> io::Result<()> {
    let own = open_again(&inherited).unwrap_or(inherited);
    let fd = own.into_raw_fd();
    // SAFETY: getpid has no preconditions.
    let pid = unsafe { libc::getpid() };
    // SAFETY: the descriptor is open and stays so; F_SETOWN takes an int and touches no memory of ours.
    check(unsafe { libc::fcntl(fd, libc::F_SETOWN, pid) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd, F_SETSIG, libc::SIGKILL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK) })?;
    // The parent may have gone before the kernel was asked.
    // SAFETY: the descriptor is open, and nothing closes it.
    let lifeline = unsafe { BorrowedFd::borrow_raw(fd) };
    if poll::wait(&mut [Watch::hung_up(lifeline)], Some(std::time::Instant::now()))? {
        return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the parent has gone"));
    }
    Ok(())
}

fn open_again(pipe: &OwnedFd) -> Option<OwnedFd> {
    let path = CString::new(format!("/proc/self/fd/{}", pipe.as_raw_fd())).ok()?;
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let path: &CStr = &path;
    // SAFETY: the path ends with a zero byte and lives.
    let fd = check(unsafe { libc::open(path.as_ptr(), flags) }).ok()?;
    // SAFETY: open has just returned this descriptor, and nobody else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What the terminal sends to who reads from it or prints to it in the background, where a worker is in its group:
/// there it would stop for ever. Ignored, reads fail, and prints are printed.
const STOPS_OF_THE_BACKGROUND: [libc::c_int; 2] = [libc::SIGTTIN, libc::SIGTTOU];

fn ignore(signals: &[libc::c_int]) {
    for &signal in signals {
        // SAFETY: SIG_IGN is a valid disposition for the signals that are passed, and no handler runs in our name.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
