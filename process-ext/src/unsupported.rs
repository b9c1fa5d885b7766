//! Where there is no Linux there are no process workers: every launch says so.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::time::Instant;

use asyncpal_core::park::Unparked;

use crate::bell::Bell;
use crate::error::{CallError, CloseError, LaunchError};
pub use crate::launch::{Foreign, Launch, Reply};
use crate::parker::ProcessParker;
use crate::remote::FunctionId;
use crate::seat::Request;

/// How long a task is waited for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Terms<'t> {
    pub(crate) limit: Option<Duration>,
    pub(crate) cancel: Option<(&'t Bell, &'t dyn Fn() -> bool)>,
}

/// A worker that cannot exist here.
#[derive(Debug)]
pub enum Proxy {}

impl Proxy {
    /// Whether there can be workers on this system.
    pub(crate) const SUPPORTED: bool = false;

    /// Says that there are no process workers here.
    ///
    /// # Errors
    ///
    /// Always [`LaunchError::Unsupported`].
    pub fn precheck() -> Result<(), LaunchError> {
        Err(LaunchError::Unsupported)
    }

    /// As [`precheck`](Self::precheck).
    ///
    /// # Errors
    ///
    /// Always [`LaunchError::Unsupported`].
    pub fn launch(_launch: &Launch) -> Result<Self, LaunchError> {
        Err(LaunchError::Unsupported)
    }

    /// Never called: there is no proxy.
    pub(crate) fn is_swollen(&self) -> bool {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub fn is_alive(&self) -> bool {
        match *self {}
    }

    /// Never called: there is no proxy.
    ///
    /// # Errors
    ///
    /// None.
    pub fn call(
        &mut self,
        _task_id: u64,
        _function: FunctionId,
        _payload: &[u8],
    ) -> Result<Reply, CallError> {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub(crate) fn ask(
        &mut self,
        _task_id: u64,
        _request: Request,
        _payload: &[u8],
        _terms: Terms<'_>,
    ) -> Result<Reply, CallError> {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub fn park(&mut self, _parker: &ProcessParker, _deadline: Option<Instant>) -> Unparked {
        match *self {}
    }

    /// Never called: there is no proxy.
    ///
    /// # Errors
    ///
    /// None.
    pub fn close(self) -> Result<(), CloseError> {
        match self {}
    }
}
