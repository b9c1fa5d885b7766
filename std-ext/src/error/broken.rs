//! What broke a pool.

use core::error::Error;
use core::fmt;

use super::BoxError;

/// What broke a pool.
#[derive(Debug)]
#[non_exhaustive]
pub enum BrokenCause {
    /// An initializer failed.
    Initializer(BoxError),
    /// A finalizer failed.
    Finalizer(BoxError),
    /// So many workers in a row have died, or were given up, before they were ready.
    #[non_exhaustive]
    CrashLoop {
        /// How many.
        starts: u32,
        /// How the last one ended.
        last: BoxError,
    },
}

impl BrokenCause {
    /// The error behind it: what an initializer or finalizer returned, how the last worker ended.
    pub fn inner(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            Self::Initializer(error) | Self::Finalizer(error) => &**error,
            Self::CrashLoop { last, .. } => &**last,
        }
    }

    /// What an initializer's failure is, or what the kind put in its place.
    #[doc(hidden)]
    pub fn of_opening(error: BoxError) -> Self {
        match error.downcast::<CrashLoop>() {
            Ok(it) => Self::CrashLoop { starts: it.starts, last: it.last },
            Err(error) => Self::Initializer(error),
        }
    }
}

/// Given by a kind in the place of an initializer's failure, breaks the pool with
/// [`BrokenCause::CrashLoop`]: no worker becomes ready, and to start more of them is of no use.
#[derive(Debug)]
pub struct CrashLoop {
    /// So many have failed in a row.
    pub starts: u32,
    /// How the last one ended.
    pub last: BoxError,
}

impl fmt::Display for CrashLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { starts, last } = self;
        write!(
            f,
            "{starts} workers in a row have ended before they were ready; the last one: {last}"
        )
    }
}

impl Error for CrashLoop {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.last.source()
    }
}

impl fmt::Display for BrokenCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initializer(error) => write!(f, "an initializer failed: {error}"),
            Self::Finalizer(error) => write!(f, "a finalizer failed: {error}"),
            Self::CrashLoop { starts, last } => write!(
                f,
                "{starts} workers in a row have ended before they were ready; see to what the last one \
                 ended with, on its standard error or in the initializer: {last}"
            ),
        }
    }
}

impl Error for BrokenCause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner().source()
    }
}
