//! Why a pool cannot be built.

use core::error::Error;
use core::fmt;

use super::{BoxError, find};

/// Why a pool cannot be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The maximum of workers is zero.
    NoWorkers,
    /// The maximum of workers is larger than this.
    TooManyWorkers {
        /// The largest maximum.
        limit: usize,
    },
    /// The minimum of workers is larger than the maximum.
    MinAboveMax {
        /// The minimum.
        min: usize,
        /// The maximum.
        max: usize,
    },
    /// The capacity is zero: no task could ever be pending.
    NoCapacity,
    /// Tasks of this kind of pool cannot run on the thread that submits them.
    CannotRunHere,
    /// The number of tasks per worker is zero.
    NoTasksPerWorker,
    /// The name contains a NUL character.
    Name,
    /// `asyncpal::process::init()` has not run in this process, so a worker would run the whole of
    /// `main` again. Call it first in `main`.
    InitMissing,
    /// This kind of pool does not exist on this platform.
    Unsupported,
    /// The operating system refuses what the pool needs.
    System(BoxError),
    /// The initializer or finalizer cannot be called by a worker.
    Hook(BoxError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => f.write_str("a pool needs a maximum of at least one worker"),
            Self::TooManyWorkers { limit } => {
                write!(f, "a pool has a maximum of at most {limit} workers")
            }
            Self::MinAboveMax { min, max } => {
                write!(
                    f,
                    "a minimum of {min} workers is more than the maximum of {max}: `max_workers` \
                     sets that"
                )
            }
            Self::NoCapacity => f.write_str("a pool needs a capacity of at least one task"),
            Self::CannotRunHere => f.write_str(
                "tasks of a process pool cannot run on the thread that submits them: it takes \
                     every other `WhenFull`",
            ),
            Self::NoTasksPerWorker => f.write_str("a worker must be allowed at least one task"),
            Self::Name => f.write_str("the name of a pool must not contain a NUL character"),
            Self::InitMissing => f.write_str(
                "`asyncpal::process::init()` has not run: call it as the first line of `main`",
            ),
            Self::Unsupported => {
                f.write_str("process pools exist on Linux only: use a thread pool here")
            }
            Self::System(error) => write!(f, "the system refuses what the pool needs: {error}"),
            Self::Hook(error) => write!(f, "a worker cannot call the hook: {error}"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner()?.source()
    }
}

impl BuildError {
    /// The error behind it: what the system said, why no worker can call a hook.
    pub fn inner(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            Self::System(error) | Self::Hook(error) => Some(&**error),
            _ => None,
        }
    }

    /// Its [inner error](BuildError::inner), or the first error behind that one, that is an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        find(self.inner()?)
    }
}
