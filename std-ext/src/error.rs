//! What can go wrong, from the user's side.
//!
//! Every error's text is whole: it contains its cause's. So its `source()` is what that cause's text leaves out, the
//! cause's own source, and whoever prints a chain prints nothing twice. The cause as a value is had by `inner` and
//! `downcast_ref`.

mod broken;
mod build;
mod panic;
mod submit;

use core::error::Error;
use core::fmt;

use asyncpal_core::error::Outcome;

pub use self::broken::{BrokenCause, CrashLoop};
pub use self::build::BuildError;
pub use self::panic::Panic;
pub use self::submit::SubmitError;
use crate::failure::Failure;
use crate::sync::Arc;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a task has no result.
///
/// Its text contains that of its [inner error](TaskError::inner), and its [`source`](Error::source) is that one's source: a
/// chain of errors that is printed tells everything once.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use std::error::Error;
/// use std::num::ParseIntError;
/// use asyncpal::ThreadPool;
///
/// let pool = ThreadPool::new();
/// let error = pool.submit_fallible(|| "x".parse::<u8>())?.collect().unwrap_err();
///
/// assert_eq!(error.to_string(), "the task failed: invalid digit found in string");
/// assert!(error.downcast_ref::<ParseIntError>().is_some());
/// assert!(error.source().is_none(), "the text has it all");
/// # Ok::<(), Box<dyn Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskError {
    /// It was cancelled before it started.
    Cancelled(Cancelled),
    /// It panicked, here or in a worker process.
    Panicked(Panic),
    /// It returned an error, or was lost with its worker; the error says which.
    Failed(BoxError),
    /// It was not accepted: see [`PoolError`].
    Rejected(PoolError),
    /// It is not over yet; the handle stays usable.
    TimedOut,
    /// Its result was collected before.
    AlreadyCollected,
    /// It was not over when this process was forked from the one in which its pool works. Here it will
    /// never be; there it goes on.
    Forked,
}

impl TaskError {
    /// The result of a task, from its outcome.
    pub(crate) fn result<T>(outcome: Outcome<T, Failure>) -> Result<T, Self> {
        match outcome {
            Outcome::Completed(output) => Ok(output),
            Outcome::Failed(failure) => Err(failure.into_error()),
            Outcome::Cancelled(None) => Err(Self::Cancelled(Cancelled { cause: None })),
            Outcome::Cancelled(Some(cause)) => Err(cause.into_error()),
        }
    }

    /// The same, in its place.
    pub(crate) fn result_in_place<'h, T>(
        outcome: Outcome<&'h T, &'h Failure>,
    ) -> Result<&'h T, &'h Self> {
        static CANCELLED: TaskError = TaskError::Cancelled(Cancelled { cause: None });
        match outcome {
            Outcome::Completed(output) => Ok(output),
            Outcome::Failed(failure) | Outcome::Cancelled(Some(failure)) => Err(failure.look()),
            Outcome::Cancelled(None) => Err(&CANCELLED),
        }
    }

    /// What becomes of tasks for which no worker could be spawned.
    pub(crate) fn not_spawned(cause: BoxError) -> Failure {
        Self::Cancelled(Cancelled { cause: Some(Arc::from(cause)) }).into()
    }

    /// What becomes of tasks that were taken by a pool which would not take them any more.
    pub(crate) fn turned_down(cause: PoolError) -> Failure {
        Self::Cancelled(Cancelled { cause: Some(Arc::new(cause)) }).into()
    }

    /// The error behind it: what a task returned, what a worker process tells of its panic, what a worker was lost by,
    /// why none could be spawned, why the call was not accepted.
    pub fn inner(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            Self::Cancelled(cancelled) => cancelled.cause(),
            Self::Failed(error) => Some(&**error),
            Self::Rejected(error) => error.inner(),
            Self::Panicked(panic) => panic.inner(),
            Self::TimedOut | Self::AlreadyCollected | Self::Forked => None,
        }
    }

    /// Its [inner error](TaskError::inner), or the first error behind that one, that is an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        find(self.inner()?)
    }

    /// True if the task was cancelled.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// True if the task panicked.
    pub const fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// True if a wait timed out and the task may still end.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => cancelled.fmt(f),
            Self::Panicked(panic) => panic.fmt(f),
            Self::Failed(error) => write!(f, "the task failed: {error}"),
            Self::Rejected(error) => write!(f, "the task was not accepted: {error}"),
            Self::TimedOut => f.write_str("the task is not over yet: its handle can wait on"),
            Self::AlreadyCollected => {
                f.write_str("the result of the task was collected before: it is there once")
            }
            Self::Forked => {
                f.write_str("the task runs in the process that this one was forked from")
            }
        }
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled(cancelled) => cancelled.source(),
            Self::Failed(error) => error.source(),
            Self::Rejected(error) => error.source(),
            Self::Panicked(panic) => panic.inner()?.source(),
            Self::TimedOut | Self::AlreadyCollected | Self::Forked => None,
        }
    }
}

/// The error itself, or the first behind it, that is an `E`.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + Send + Sync + 'static)) -> Option<&'e E> {
    let error: &'e (dyn Error + 'static) = error;
    let behind = |&error: &&'e (dyn Error + 'static)| {
        let inner = None
            .or_else(|| error.downcast_ref().map(TaskError::inner))
            .or_else(|| error.downcast_ref().map(PoolError::inner))
            .or_else(|| error.downcast_ref().map(BuildError::inner));
        inner.map_or_else(|| error.source(), |inner| inner.map(|inner| inner as _))
    };
    core::iter::successors(Some(error), behind).find_map(<dyn Error>::downcast_ref)
}

/// A task that did not start.
#[derive(Clone, Debug)]
pub struct Cancelled {
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cancelled {
    /// What made it impossible to run the task: why no worker could be spawned; or the [`PoolError`] that says why the
    /// pool cancelled it, which was shut down, broke, or dropped it for want of room. `None` if somebody cancelled it.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            None => f.write_str("the task was cancelled before it started"),
            Some(cause) => write!(f, "the task was cancelled before it started: {cause}"),
        }
    }
}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref()?.source()
    }
}

/// Why a pool takes no task. Of its text and its sources the same holds as of those of [`TaskError`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PoolError {
    /// It was shut down.
    Closed,
    /// An initializer or finalizer failed, or no worker got ready: see [`BrokenCause`].
    Broken(Arc<BrokenCause>),
    /// As many tasks are pending as its capacity allows.
    Full,
    /// No worker lives and none could be spawned.
    Spawn(Arc<dyn Error + Send + Sync>),
    /// The call cannot be sent to a worker.
    Encode(Arc<dyn Error + Send + Sync>),
    /// It was made in a process that this one was forked from, and works there.
    Forked,
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the pool is shut down: it takes no tasks any more"),
            Self::Full => f.write_str(
                "as many tasks are pending as the pool's capacity allows: submit again when some \
                 have started, or with `submit_timeout`",
            ),
            Self::Broken(cause) => write!(f, "the pool is broken, build another: {cause}"),
            Self::Spawn(cause) => {
                write!(f, "no worker could be spawned, a later submit tries again: {cause}")
            }
            Self::Encode(cause) => write!(f, "the call cannot be sent to a worker: {cause}"),
            Self::Forked => {
                f.write_str("the pool works in the process that this one was forked from")
            }
        }
    }
}

impl Error for PoolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Closed | Self::Full | Self::Forked => None,
            Self::Broken(cause) => cause.source(),
            Self::Spawn(cause) | Self::Encode(cause) => cause.source(),
        }
    }
}

impl PoolError {
    /// The error behind it: what an initializer returned, what the system said, why the call cannot be sent.
    pub fn inner(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            Self::Closed | Self::Full | Self::Forked => None,
            Self::Broken(cause) => Some(cause.inner()),
            Self::Spawn(cause) | Self::Encode(cause) => Some(&**cause),
        }
    }

    /// Its [inner error](PoolError::inner), or the first error behind that one, that is an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        find(self.inner()?)
    }
}

impl PoolError {
    /// Of a submit whose worker could not be spawned.
    pub(crate) fn of_spawn(failure: &TaskError) -> Self {
        match failure {
            TaskError::Cancelled(Cancelled { cause: Some(cause) }) => Self::Spawn(cause.clone()),
            other => Self::Spawn(Arc::from(BoxError::from(other.to_string()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Flour;

    impl fmt::Display for Flour {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no flour")
        }
    }

    impl Error for Flour {}

    #[derive(Debug)]
    struct Cake(Flour);

    impl fmt::Display for Cake {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no cake")
        }
    }

    impl Error for Cake {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_cancelled_task_has_its_cause_in_its_text_and_the_cause_of_that_as_its_source() {
        let error = TaskError::not_spawned(Box::new(Cake(Flour))).into_error();

        assert_eq!(error.to_string(), "the task was cancelled before it started: no cake");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("no flour"));
        assert!(error.inner().is_some_and(|cause| cause.is::<Cake>()));
        assert!(error.downcast_ref::<Cake>().is_some() && error.downcast_ref::<Flour>().is_some());
    }
}
