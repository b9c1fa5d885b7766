//! A worker that ended although nobody asked it to.

use core::error::Error;
use core::fmt;
use core::time::Duration;

use asyncpal_std::{BrokenCause, PoolError, TaskError};

use super::{CloseError, HandshakeError, LaunchError};
use crate::sys;

/// A worker process was lost: it crashed, exited by itself, or was killed, since it broke the protocol or its task was
/// given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerLost {
    pid: u32,
    name: Box<str>,
    cause: LostCause,
}

/// How a worker was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostCause {
    /// A signal killed it.
    Signal(i32),
    /// It exited with this code. Code 0 is a loss too: a worker exits when its pool closes it, not before.
    Exited(i32),
    /// Its task had run for so long, all that it may, and the worker was killed.
    TimedOut(Duration),
    /// The handle of its running task was cancelled, and the worker was killed.
    Cancelled,
    /// It broke the protocol, and was killed.
    Protocol(Box<str>),
    /// It ended, but the host (an ignored SIGCHLD, a `wait` for any child) took its exit status.
    StatusTaken,
    /// It was to be killed, and the system refused that to this program, which may have fewer privileges than the
    /// worker: this is what it said. The worker may live on.
    KillRefused(Box<str>),
    /// The system refused to let this program wait for it, and it was killed. This is what it said.
    WaitRefused(Box<str>),
}

impl WorkerLost {
    pub(crate) fn new(pid: u32, name: &str, cause: LostCause) -> Self {
        Self { pid, name: name.into(), cause }
    }

    /// The loss that is behind an error of a pool: the one that a task failed by, that kept the worker of a cancelled
    /// task from starting, or that broke the pool. Errors round it are looked through, by their sources.
    pub fn of<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        if let Some(lost) = error.downcast_ref() {
            return Some(lost);
        }
        if let Some(error) = error.downcast_ref() {
            return match error {
                LaunchError::Handshake(HandshakeError::Lost(lost)) => Some(lost),
                _ => None,
            };
        }
        if let Some(error) = error.downcast_ref() {
            return match error {
                CloseError::Lost(lost)
                | CloseError::CutShort(lost)
                | CloseError::TimedOut(lost) => Some(lost),
                CloseError::Finalizer(_) => None,
            };
        }
        let inner = None
            .or_else(|| error.downcast_ref().map(TaskError::inner))
            .or_else(|| error.downcast_ref().map(PoolError::inner))
            .or_else(|| error.downcast_ref().map(|error: &BrokenCause| Some(error.inner())));
        Self::of(match inner {
            Some(inner) => inner?,
            None => error.source()?,
        })
    }

    /// The process id that the worker had.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The worker's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it was lost.
    pub fn cause(&self) -> &LostCause {
        &self.cause
    }
}

impl fmt::Display for WorkerLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} ({:?}) {}", self.pid, self.name, self.cause)
    }
}

impl Error for WorkerLost {}

impl fmt::Display for LostCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "was killed by {name}"),
                None => write!(f, "was killed by signal {signal}"),
            },
            Self::Exited(code) => {
                write!(f, "exited with code {code}")?;
                match crate::wire::exit::meaning(*code) {
                    Some(meaning) => write!(f, ", perhaps because {meaning}"),
                    None => Ok(()),
                }
            }
            Self::TimedOut(limit) => {
                write!(f, "was killed: its task ran for longer than its {limit:?}")
            }
            Self::Cancelled => f.write_str("was killed: its task was cancelled while it ran"),
            Self::Protocol(what) => write!(f, "broke the protocol: {what}"),
            Self::StatusTaken => f.write_str("ended, and the host took its exit status"),
            Self::KillRefused(what) => write!(f, "was to be killed, and may live on: {what}"),
            Self::WaitRefused(what) => {
                write!(f, "was killed, since it cannot be waited for: {what}")
            }
        }
    }
}

/// The name of a signal number, such as `SIGKILL`; `None` for real-time signals and where it is not known.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    sys::signal::name(signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_says_who_was_lost_and_how() {
        let lost = |cause| WorkerLost::new(1234, "name", cause).to_string();

        if cfg!(target_os = "linux") {
            assert_eq!(lost(LostCause::Signal(9)), "worker 1234 (\"name\") was killed by SIGKILL");
        }
        assert_eq!(lost(LostCause::Signal(60)), "worker 1234 (\"name\") was killed by signal 60");
        assert_eq!(lost(LostCause::Exited(0)), "worker 1234 (\"name\") exited with code 0");
        assert_eq!(
            lost(LostCause::TimedOut(Duration::from_millis(50))),
            "worker 1234 (\"name\") was killed: its task ran for longer than its 50ms"
        );
    }
}
