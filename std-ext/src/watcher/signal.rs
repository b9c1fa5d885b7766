//! SIGTERM and SIGINT end the program as a return from `main` does: gracefully, but within a time limit
//! (feature `signal`).
//!
//! [`drain_on_signals`] is for `main` to call, never for a library: signals belong to the program.

// What follows is of interest to who changes this file.
//
// # State
// | name | values |
// |---|---|
// | `SERVED` | the id of the process whose signals are served here; negative while it prepares for that; 0 for none |
// | `FIRST` | when the first came to it, in milliseconds; 0 if none did |
// | `ENDING` | `NOBODY`, `EXIT`, `SIGNAL`: who came first, and says how the program ends |
//
// # Transitions
// | name | change | by | when |
// |---|---|---|---|
// | Z1 | `FIRST` from 0 to the time | the handler, on any thread | a signal has come, and wakes the thread; one that comes when it is not 0 ends the program, unless it is an echo |
// | Z2 | `ENDING` from `NOBODY` to `SIGNAL` | the thread | woken by Z1 |
// | Z3 | `ENDING` from `NOBODY` to `EXIT` | the exit hook | the program calls `exit` |
// | Z4 | all to their beginning | the fork handler, in the child | it has a life of its own |
//
// If Z2 comes first, who calls `exit` sleeps until the signal's end comes. If Z3 comes first, the exit
// code is kept, and the thread only sees to it that the deadline is, too.
//
// # Edges
// - **Z5** a process's own `SERVED` (Release) / the handler (Acquire): `WAKE` is that process's. A child inherits the
//   handler with the parent's `WAKE`, so a signal that comes while the child prepares has its default action.

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::io;

/// From now on SIGTERM and SIGINT end the program gracefully: all open pools are closed, what is
/// pending is cancelled, running tasks are [asked to stop](crate::is_cancel_requested) and waited for,
/// each pool's up to its [grace](crate::Builder::grace), all of them for `deadline` at most. Then the
/// program ends as if the signal had had its default action. A second signal, either of the two, ends
/// it at once, if it comes half a second after the first or later: some who send signals send them twice.
///
/// Call it once, in `main`. It keeps one thread parked, the only one of an idle program, and two
/// descriptors.
///
/// # How the program ends
///
/// By the signal: whoever waits for it sees that it was killed by SIGTERM or SIGINT. So a shell stops
/// its script after a Ctrl-C, and systemd takes SIGTERM for the clean end that it asked for. Standard output is flushed,
/// unless somebody holds its lock, or nobody reads it, for three seconds. Exit handlers are not called: without this
/// function they would not be, either. (The first process of a container cannot be killed by its own signal: it exits
/// with the shell's code for it, 128 + the signal's number.)
///
/// `main` goes on meanwhile, and is cut off when the drain is over: what it does after its pools are closed may not
/// come to its end. Should it return, or any thread call `exit`, the program still ends by the signal, after the
/// drain. If on the other hand the program was about to exit when the signal came, its exit code is kept, and the
/// signal only puts the deadline to its wait.
///
/// A program that has more to clean up than its pools, or wants an exit code of its own, waits for the signal by
/// itself (the crate `signal-hook` has iterators for that), calls
/// [`shutdown_timeout`](crate::Pool::shutdown_timeout) on each pool, and returns from `main`.
///
/// The deadline holds whatever callbacks and destructors of cancelled tasks do. Leave a margin to what
/// kills for good: `TimeoutStopSec=` of systemd (90 seconds), the grace period of Kubernetes (30
/// seconds), 10 seconds of `docker stop`.
///
/// # Process pools
///
/// Worker processes ignore SIGINT and are in process groups of their own, so a Ctrl-C reaches the
/// program alone. SIGTERM ends a worker: with systemd use `KillMode=mixed`, or it is sent to them, too.
///
/// # Who else has a say
///
/// A signal that is ignored, as SIGINT is for background jobs of a shell, stays ignored. Children that
/// the program forks are ended by the two signals at once, and not drained; so are programs that it
/// starts. A handler that is set later replaces this one.
///
/// # Errors
///
/// [`SignalError`]: one of the two signals has a handler already, which stays as it is; or it was called
/// before.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use core::time::Duration;
/// use asyncpal::{ThreadPool, signal};
///
/// fn main() -> Result<(), Box<dyn core::error::Error>> {
///     signal::drain_on_signals(Duration::from_secs(20))?;
///     let pool = ThreadPool::new();
///     // … what a daemon does.
/// #   drop(pool);
///     Ok(())
/// }
/// ```
#[doc(alias = "SIGTERM")]
#[doc(alias = "SIGINT")]
#[doc(alias = "ctrl_c")]
pub fn drain_on_signals(deadline: Duration) -> Result<(), SignalError> {
    imp::drain_on_signals(deadline)
}

/// Why signals cannot be attended to.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignalError {
    /// The program has a handler for this signal: let it close the pools itself.
    HandledElsewhere {
        /// The signal's number.
        signal: i32,
    },
    /// [`drain_on_signals`] was called before.
    CalledBefore,
    /// The operating system refuses the descriptors, the thread or the handler.
    System(io::Error),
    /// This platform has no such signals.
    Unsupported,
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandledElsewhere { signal } => {
                write!(f, "the program has a handler for signal {signal} already")
            }
            Self::CalledBefore => f.write_str("the signals are attended to already"),
            Self::System(error) => write!(f, "the system refuses to attend to signals: {error}"),
            Self::Unsupported => f.write_str("this platform has neither SIGTERM nor SIGINT"),
        }
    }
}

impl Error for SignalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(unix)]
pub(super) use self::imp::{exit_begins, forked};

#[cfg(not(unix))]
mod imp {
    use core::time::Duration;

    use super::SignalError;

    pub(super) fn drain_on_signals(_deadline: Duration) -> Result<(), SignalError> {
        Err(SignalError::Unsupported)
    }
}

#[cfg(unix)]
mod imp {
    use core::ffi::c_int;
    use core::mem::MaybeUninit;
    use core::ptr;
    use core::time::Duration;
    use std::io::{self, Read as _, Write as _};
    use std::os::fd::IntoRawFd as _;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;
    use std::thread;

    use super::SignalError;
    use crate::clock::Deadline;
    use crate::contain::made;
    use crate::sync::Ordering;
    use crate::sync::program::{AtomicI32, AtomicUsize};
    use crate::watcher::elsewhere::OUTPUT_TIME;
    use crate::watcher::{drain_all, stay};

    const SERVED_SIGNALS: [c_int; 2] = [libc::SIGTERM, libc::SIGINT];

    static SERVED: AtomicI32 = AtomicI32::new(0);
    static FIRST: AtomicUsize = AtomicUsize::new(0);
    static ENDING: AtomicUsize = AtomicUsize::new(NOBODY);
    /// Where the handler writes to wake the thread. Never closed while there is a handler.
    static WAKE: AtomicI32 = AtomicI32::new(-1);

    /// A signal is the same as the one so many milliseconds before it: `timeout` of GNU sends its own to the program, and
    /// then to the program's group.
    const ECHO: usize = 500;

    const NOBODY: usize = 0;
    const EXIT: usize = 1;
    const SIGNAL: usize = 2;

    // ORDERING: Relaxed throughout, but for Z5: each word is decided by its own exchange. What the thread needs comes
    // through the socket.

    pub(super) fn drain_on_signals(deadline: Duration) -> Result<(), SignalError> {
        let this = process_id();
        let before = SERVED.load(Ordering::Relaxed);
        let claim = || SERVED.compare_exchange(before, -this, Ordering::Relaxed, Ordering::Relaxed);
        if before.abs() == this || claim().is_err() {
            return Err(SignalError::CalledBefore);
        }
        start(this, deadline).inspect_err(|_| SERVED.store(0, Ordering::Relaxed))
    }

    fn start(this: libc::pid_t, deadline: Duration) -> Result<(), SignalError> {
        for signal in SERVED_SIGNALS {
            if let Disposition::Other = disposition(signal)? {
                return Err(SignalError::HandledElsewhere { signal });
            }
        }
        let (ours, theirs) = UnixStream::pair().map_err(SignalError::System)?;
        // If there is no thread, the other end of its socket goes with it.
        thread::Builder::new()
            .name(String::from("asyncpal-signal"))
            .spawn(move || attend(ours, deadline))
            .map_err(SignalError::System)?;
        WAKE.store(theirs.into_raw_fd(), Ordering::Relaxed);
        // ORDERING: Release, Z5.
        SERVED.store(this, Ordering::Release);
        for signal in SERVED_SIGNALS {
            if let Disposition::Default | Disposition::Ours = disposition(signal)? {
                take_charge(signal)?;
            }
        }
        Ok(())
    }

    /// The thread: waits for the first signal, drains, ends the program.
    fn attend(mut wake: UnixStream, deadline: Duration) {
        let mut signal = [0];
        if wake.read_exact(&mut signal).is_err() {
            return;
        }
        let limit = Deadline::after(deadline);
        let first =
            ENDING.compare_exchange(NOBODY, SIGNAL, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            // On another thread: callbacks and destructors may take longer than the deadline, and whoever holds the
            // lock of the standard output may never let go.
            let (tell, told) = mpsc::channel();
            let drain = move || {
                drain_all(limit);
                let _ = tell.send(());
                let _ = io::stdout().flush();
            };
            let builder = thread::Builder::new().name(String::from("asyncpal-drain"));
            if made(|| builder.spawn(drain)).is_err() {
                // Without memory for a thread it is done here; for that the closure is gone.
                drain_all(limit);
            }
            let left = || limit.left().unwrap_or(Duration::MAX);
            let drained = told.recv_timeout(left());
            // Until the other end is gone, which is after the flush.
            let _ = drained.and_then(|()| told.recv_timeout(left().min(OUTPUT_TIME)));
        } else {
            // The program exits, and may do so until then.
            thread::sleep(deadline);
        }
        end_by(signal[0].into());
    }

    /// The program calls `exit`. Returns if nothing speaks against it.
    pub(in crate::watcher) fn exit_begins() {
        let first = ENDING.compare_exchange(NOBODY, EXIT, Ordering::Relaxed, Ordering::Relaxed);
        if first == Err(SIGNAL) {
            // The signal's thread ends the program, at its deadline at the latest.
            stay();
        }
    }

    /// In a child that was forked: a life of its own.
    pub(in crate::watcher) fn forked() {
        SERVED.store(0, Ordering::Relaxed);
        FIRST.store(0, Ordering::Relaxed);
        ENDING.store(NOBODY, Ordering::Relaxed);
    }

    /// The handler. It does what a handler may: atomic accesses, `getpid`, `clock_gettime`, `write`, and the end.
    extern "C" fn handle(signal: c_int) {
        // Not the generation: this must be right in a child of `vfork`, too.
        // ORDERING: Acquire, Z5.
        if SERVED.load(Ordering::Acquire) != process_id() {
            end_by(signal);
        }
        let now = milliseconds();
        if let Err(first) = FIRST.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
            // Either of two that come at once may have read the clock first.
            if now.wrapping_sub(first).wrapping_add(ECHO) < 2 * ECHO {
                return;
            }
            end_by(signal);
        }
        let (fd, byte) = (WAKE.load(Ordering::Relaxed), signal as u8);
        // SAFETY: the descriptor is ours and stays open; the byte lives. One byte into an empty socket
        // neither blocks nor fails, so `errno` stays as it was.
        if unsafe { libc::write(fd, (&raw const byte).cast(), 1) } != 1 {
            end_by(signal);
        }
    }

    /// Since some moment before the first call, and never 0. What it calls may be called by a handler.
    fn milliseconds() -> usize {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: it writes one timespec to the place given.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        // It may wrap: only differences count.
        let milliseconds = (now.tv_sec as usize).wrapping_mul(1000);
        milliseconds.wrapping_add(now.tv_nsec as usize / 1_000_000) | 1
    }

    /// Ends the program as this signal does by default. May be called by a handler.
    fn end_by(signal: c_int) -> ! {
        // SAFETY: SIG_DFL is a valid disposition.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        let mut set = no_signals();
        // SAFETY: it writes to the set, which is initialised.
        unsafe { libc::sigaddset(&raw mut set, signal) };
        // SAFETY: it reads the set; nobody asks for the old mask.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
        // SAFETY: raise touches no memory.
        unsafe { libc::raise(signal) };
        // Process 1 of a container is still here: the kernel does not let it kill itself.
        // SAFETY: _exit has no preconditions.
        unsafe { libc::_exit(128 + signal) }
    }

    fn no_signals() -> libc::sigset_t {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: it writes the set that it is given.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: initialised just above.
        unsafe { set.assume_init() }
    }

    fn process_id() -> libc::pid_t {
        // SAFETY: getpid has no preconditions.
        unsafe { libc::getpid() }
    }

    /// What the program does about a signal.
    enum Disposition {
        Default,
        Ignored,
        /// The handler above, maybe set by a process that this one was forked from.
        Ours,
        Other,
    }

    fn handler() -> libc::sighandler_t {
        handle as extern "C" fn(c_int) as libc::sighandler_t
    }

    fn disposition(signal: c_int) -> Result<Disposition, SignalError> {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: without a new action it only writes the old one to the place given.
        check(unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) })?;
        // SAFETY: zeroed, which is a value of this type, then overwritten.
        let action = unsafe { action.assume_init() };
        Ok(match action.sa_sigaction {
            libc::SIG_DFL => Disposition::Default,
            libc::SIG_IGN => Disposition::Ignored,
            other if other == handler() => Disposition::Ours,
            _ => Disposition::Other,
        })
    }

    fn take_charge(signal: c_int) -> Result<(), SignalError> {
        let action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: zeroed, which is a value of this type.
        let mut action = unsafe { action.assume_init() };
        action.sa_sigaction = handler();
        action.sa_mask = no_signals();
        // Interrupted system calls go on. The stack is the thread's own, of which the handler takes little: one for
        // signals may be gone, as main's is when another thread calls `std::process::exit` (rust-lang/rust#161018).
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the action is valid, and its handler does what a handler may.
        check(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) })
    }

    fn check(returned: c_int) -> Result<(), SignalError> {
        if returned == 0 { Ok(()) } else { Err(SignalError::System(io::Error::last_os_error())) }
    }
}
