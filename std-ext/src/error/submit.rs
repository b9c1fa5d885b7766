//! A call that was not accepted.

use core::error::Error;
use core::fmt;

use super::{PoolError, TaskError};

/// A call that was not accepted, with the call.
///
/// `?` turns it into a [`TaskError`], a [`PoolError`], or a `Box<dyn Error>`. Into what is `Send` and `Sync`, a
/// `Box<dyn Error + Send + Sync>` or an `anyhow::Error`, the call must be so, too, since it is in the error; where it is
/// not, `map_err(PoolError::from)` drops it.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use std::cell::Cell;
/// use std::error::Error;
/// use asyncpal::{PoolError, ThreadPool};
///
/// fn answer(pool: &ThreadPool) -> Result<u8, Box<dyn Error + Send + Sync>> {
///     let number = Cell::new(42); // it makes the closure no `Sync`
///     let handle = pool.submit(move || number.get()).map_err(PoolError::from)?;
///     Ok(handle.collect()?)
/// }
///
/// assert_eq!(answer(&ThreadPool::new())?, 42);
/// # Ok::<(), Box<dyn Error + Send + Sync>>(())
/// ```
pub struct SubmitError<F> {
    pub(crate) call: F,
    pub(crate) reason: PoolError,
}

impl<F> SubmitError<F> {
    /// The call, to be made elsewhere.
    pub fn into_inner(self) -> F {
        self.call
    }

    /// Why it was not accepted.
    pub const fn reason(&self) -> &PoolError {
        &self.reason
    }
}

impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<F> Error for SubmitError<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

impl<F> From<SubmitError<F>> for PoolError {
    /// Why it was not accepted; the call is dropped.
    fn from(error: SubmitError<F>) -> Self {
        error.reason
    }
}

impl<F> From<SubmitError<F>> for TaskError {
    fn from(error: SubmitError<F>) -> Self {
        Self::Rejected(error.reason)
    }
}
