//! What can go wrong between a pool and its workers.
//!
//! An error's text contains its cause's, and its `source()` is the cause's own: see [`TaskError`](asyncpal_std::TaskError).
//! A [`RemoteError`] goes on with the sources that the error had in the worker.

#![forbid(unsafe_code)]

mod codec;
mod launch;
mod lost;
mod remote;

pub use codec::{DecodeError, EncodeError};
pub use launch::{CallError, CloseError, HandshakeError, LaunchError};
pub use lost::{LostCause, WorkerLost, signal_name};
pub use remote::{RemoteError, RemoteErrorKind, RemoteLink};

use core::fmt;

/// A function that cannot be called in a worker, since the worker could not find it.
///
/// Workers find functions by their place in the main executable; this one lies in a shared library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnnamedFunction {
    type_name: &'static str,
}

impl UnnamedFunction {
    pub(crate) fn new(type_name: &'static str) -> Self {
        Self { type_name }
    }

    /// The function's type, which tells its path.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }
}

impl fmt::Display for UnnamedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` lies outside the main executable: functions of a shared library cannot be named by offset",
            self.type_name
        )
    }
}

impl core::error::Error for UnnamedFunction {}

#[cfg(test)]
#[path = "error/chain_tests.rs"]
mod tests;
