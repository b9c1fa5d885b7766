//! Where there is no Linux there are no process workers: every launch says so.

#![forbid(unsafe_code)]

use crate::error::LaunchError;

/// A worker that cannot exist here.
#[derive(Debug)]
pub enum Proxy {}

impl Proxy {
    /// Says that there are no process workers here.
    ///
    /// # Errors
    ///
    /// Always [`LaunchError::Unsupported`].
    pub fn launch() -> Result<Self, LaunchError> {
        Err(LaunchError::Unsupported)
    }
}
