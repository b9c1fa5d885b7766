//! Errors of starting, using and closing one worker.

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use asyncpal_std::BuildError;

use super::{RemoteError, WorkerLost};

/// A worker could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum LaunchError {
    /// `init()` has not run in this process: a worker would run the whole of `main` instead of serving.
    InitMissing,
    /// `/proc` is not mounted, so this program cannot find its own executable.
    Proc(io::Error),
    /// This program runs with privileges that its user does not have: by setuid, setgid or file capabilities. Whoever
    /// starts it could play its workers' parent, and have them run any of its code.
    Privileged,
    /// `/proc/self/exe` is another program than this one: a loader, say, that was asked to run it.
    NotThisProgram(PathBuf),
    /// Linux is older than 5.4, or a filter (seccomp) denies this program a call that workers are held by.
    Kernel {
        /// Which one.
        call: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The operating system refused the process or its pipes.
    Spawn(io::Error),
    /// A limit that every worker is to have could not be set.
    Limit {
        /// Which one.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The process started but did not become a worker.
    Handshake(HandshakeError),
    /// The process that started is another build of this program.
    WrongBuild {
        /// What the worker said of its build.
        found: String,
    },
    /// A worker of another program speaks another version of the protocol.
    WrongVersion {
        /// The worker's.
        found: u32,
        /// This program's.
        own: u32,
    },
    /// The initializer returned an error or panicked.
    Initializer(RemoteError),
    /// Process workers need Linux.
    Unsupported,
}

/// A process did not become a worker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// It ended, or broke the protocol.
    Lost(WorkerLost),
    /// It was not ready in time, and was killed.
    TimedOut(Duration),
    /// Its pool was shut down, and the grace for its end has passed: it was killed.
    Dismissed,
    /// Its [`init()`](crate::init) ran when there were other threads already, whose descriptors it would have closed.
    /// An allocator or a preloaded tool may have started them.
    InitLate,
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitMissing => f.write_str(
                "`asyncpal::process::init()` is not the first line of this program's `main`",
            ),
            Self::Proc(error) => {
                write!(f, "this program's executable cannot be found without /proc: {error}")
            }
            Self::Privileged => f.write_str(
                "this program runs with privileges that its user does not have \
                (setuid, setgid or file capabilities): its workers could not tell their parent from anybody else",
            ),
            Self::NotThisProgram(found) => write!(
                f,
                "/proc/self/exe is not this program but {}, perhaps a loader that was asked to run it: \
                workers would be that",
                found.display()
            ),
            Self::Kernel { call, error } => write!(
                f,
                "process workers need Linux 5.4 or later, where no filter (seccomp) denies `{call}`: {error}"
            ),
            Self::Spawn(error) => write!(f, "a worker process could not be started: {error}"),
            Self::Limit { what, error } => {
                write!(f, "a worker's limit could not be set, {what}: {error}")
            }
            Self::Handshake(error) => write!(f, "a process did not become a worker: {error}"),
            Self::WrongBuild { found } => {
                write!(f, "a worker is another build of this program ({found})")
            }
            Self::WrongVersion { found, own } => {
                write!(f, "a worker speaks version {found} of the protocol, not {own}")
            }
            Self::Initializer(error) => write!(f, "a worker's initializer failed: {error}"),
            Self::Unsupported => f.write_str("process workers need Linux"),
        }
    }
}

impl LaunchError {
    /// What it means for a pool that is being built.
    pub(crate) fn into_build_error(self) -> BuildError {
        match self {
            Self::InitMissing => BuildError::InitMissing,
            Self::Unsupported => BuildError::Unsupported,
            error => BuildError::System(error.into()),
        }
    }

    /// What the operating system said, if it is to blame.
    pub fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Proc(error)
            | Self::Spawn(error)
            | Self::Kernel { error, .. }
            | Self::Limit { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl Error for LaunchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Proc(error)
            | Self::Spawn(error)
            | Self::Kernel { error, .. }
            | Self::Limit { error, .. } => error.source(),
            Self::Handshake(error) => error.source(),
            Self::Initializer(error) => error.source(),
            Self::InitMissing
            | Self::Privileged
            | Self::NotThisProgram(_)
            | Self::WrongBuild { .. }
            | Self::WrongVersion { .. }
            | Self::Unsupported => None,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(lost) => lost.fmt(f),
            Self::TimedOut(after) => write!(f, "it was not ready within {after:?}"),
            Self::Dismissed => f.write_str("its pool was shut down while it started"),
            Self::InitLate => f.write_str(
                "`init()` ran after other threads were started: call it as the first thing in `main`, before a \
                 runtime is built, or use `init_before_main!`; an allocator (jemalloc's `background_thread`) or what \
                 is preloaded may have started them, too",
            ),
        }
    }
}

impl Error for HandshakeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Lost(lost) => lost.source(),
            Self::TimedOut(_) | Self::Dismissed | Self::InitLate => None,
        }
    }
}

/// A call brought no reply.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The worker was lost before it replied. The task may have run, in part or to its end.
    Lost(WorkerLost),
    /// The worker was lost before it had read the whole request, so the task has not started: it may go elsewhere.
    NotStarted(WorkerLost),
    /// The arguments are larger than a frame may be. Nothing was sent; the worker is as it was.
    TooLarge {
        /// The size of the encoded arguments.
        bytes: usize,
        /// The largest size that is sent.
        limit: usize,
    },
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(lost) => write!(f, "the worker was lost before it replied: {lost}"),
            Self::NotStarted(lost) => {
                write!(f, "the worker was lost before the task started: {lost}")
            }
            Self::TooLarge { bytes, limit } => {
                write!(f, "arguments of {bytes} bytes exceed the limit of {limit} bytes")
            }
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Lost(lost) | Self::NotStarted(lost) => lost.source(),
            Self::TooLarge { .. } => None,
        }
    }
}

/// A worker did not end as it should. It has ended, and was reaped, all the same; unless the system refused to kill it
/// ([`LostCause::KillRefused`](super::LostCause::KillRefused)): then it is reaped when a later one is started.
#[derive(Debug)]
#[non_exhaustive]
pub enum CloseError {
    /// The finalizer returned an error or panicked.
    Finalizer(RemoteError),
    /// The worker was lost before it took notice of the close, or when its finalizer had ended.
    Lost(WorkerLost),
    /// The worker was lost while it was closing: its finalizer, if it has one, may not have run to its end.
    CutShort(WorkerLost),
    /// The worker did not end within the grace period, and was killed.
    TimedOut(WorkerLost),
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finalizer(error) => write!(f, "a worker's finalizer failed: {error}"),
            Self::Lost(lost) => write!(f, "the worker was lost: {lost}"),
            Self::CutShort(lost) => write!(f, "the worker was lost while it was closing: {lost}"),
            Self::TimedOut(lost) => {
                write!(f, "the worker did not end within the grace period: {lost}")
            }
        }
    }
}

impl Error for CloseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Finalizer(error) => error.source(),
            Self::Lost(lost) | Self::CutShort(lost) | Self::TimedOut(lost) => lost.source(),
        }
    }
}
