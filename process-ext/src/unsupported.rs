//! Where there is no Linux there are no process workers: every launch says so.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::sync::Arc;

use crate::bell::Bell;
use crate::error::{CallError, CloseError, LaunchError};
pub use crate::launch::{Foreign, Launch, Reply};
use crate::parker::ProcessParker;
use crate::remote::FunctionId;
use crate::seat::Request;

/// Who waits for a task.
pub(crate) trait Caller {
    fn is_cancelled(&self) -> bool;

    fn give_back(&self, last: usize);
}

/// How long a task is waited for.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'t> {
    pub(crate) limit: Option<Duration>,
    pub(crate) bell: Option<&'t Bell>,
    pub(crate) caller: &'t dyn Caller,
}

impl Terms<'_> {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.bell.is_some() && self.caller.is_cancelled()
    }
}

/// A worker that cannot exist here.
#[derive(Debug)]
pub enum Proxy {}

impl Proxy {
    /// As [`precheck`](Self::precheck).
    pub(crate) fn check_system() -> Result<(), LaunchError> {
        Self::precheck()
    }

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

    pub(crate) fn launch_for(_launch: &Launch, _terms: Terms<'_>) -> Result<Self, LaunchError> {
        Err(LaunchError::Unsupported)
    }

    /// As [`precheck`](Self::precheck).
    pub(crate) fn open(launch: &Launch, _: Arc<Bell>) -> Result<Self, LaunchError> {
        Self::launch(launch)
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
    pub(crate) fn lend(&self, _parker: &ProcessParker) -> bool {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub(crate) fn announce(&mut self, _task_id: u64, _request: Request, _payload: &[u8]) -> bool {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub(crate) fn is_brief(&self) -> bool {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub(crate) fn in_flight(&self) -> usize {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub(crate) fn has_in_flight(&self, _task_id: u64) -> bool {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub(crate) fn recall(&mut self) {
        match *self {}
    }

    /// Never called: there is no proxy.
    pub(crate) fn recycle(&mut self, _bytes: Vec<u8>) {
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
