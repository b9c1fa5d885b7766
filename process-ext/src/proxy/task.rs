//! One task of a worker: the request, the reply, and the ways in which the wait is given up.
//!
//! A task that is out of time, or was cancelled, takes its worker along: what it computes cannot be stopped from
//! outside in any other way. The cause is noted before the first signal is sent, so the error says why the worker
//! ended, not how.

use core::time::Duration;
use std::os::fd::AsFd as _;

use super::link::{Event, Outgoing};
use super::{Proxy, after};
use crate::bell::Bell;
use crate::error::{CallError, LostCause, WorkerLost};
use crate::launch::Reply;
use crate::remote::FunctionId;
use crate::seat::Request;
use crate::wire::frame::{Frame, Header, Kind};

/// How long a task is waited for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Terms<'t> {
    /// So long at most.
    pub(crate) limit: Option<Duration>,
    /// Until this bell rings and the question is answered with yes.
    pub(crate) cancel: Option<(&'t Bell, &'t dyn Fn() -> bool)>,
}

impl Proxy {
    /// Runs a task in the worker and waits for what it comes to.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. After a loss the proxy is of no use any more; after a refusal it is.
    pub fn call(
        &mut self,
        task_id: u64,
        function: FunctionId,
        payload: &[u8],
    ) -> Result<Reply, CallError> {
        self.ask(task_id, Request::task(function), payload, Terms::default())
    }

    /// Whether the worker has more bytes in memory than it may keep from one task to the next.
    pub(crate) fn is_swollen(&self) -> bool {
        let Some((memory, most)) = &self.memory else { return false };
        self.is_alive() && memory.resident_bytes().is_some_and(|bytes| bytes > *most)
    }

    /// The same, whoever the worker is, on these terms.
    pub(crate) fn ask(
        &mut self,
        task_id: u64,
        request: Request,
        payload: &[u8],
        terms: Terms<'_>,
    ) -> Result<Reply, CallError> {
        if let Some(lost) = &self.lost {
            return Err(CallError::NotStarted(lost.clone()));
        }
        if payload.len() > self.max_frame_bytes {
            let (bytes, limit) = (payload.len(), self.max_frame_bytes);
            return Err(CallError::TooLarge { bytes, limit });
        }
        let header = Header { kind: request.kind, flags: 0, task_id, aux: request.aux };
        let mut outgoing =
            Outgoing::frame(header, payload).map_err(|what| CallError::Lost(self.expel(what)))?;
        match self.await_reply(&mut outgoing, terms) {
            Ok(Ok(frame)) => self.reply_to(task_id, frame).map_err(CallError::Lost),
            Ok(Err(given_up)) => Err(CallError::Lost(self.give_up(given_up))),
            Err(lost) if outgoing.is_sent() && self.link.is_all_read() => {
                Err(CallError::Lost(lost))
            }
            Err(lost) => Err(CallError::NotStarted(lost)),
        }
    }

    /// The reply, or why nobody waits for it any longer.
    fn await_reply(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        terms: Terms<'_>,
    ) -> Result<Result<Frame, LostCause>, WorkerLost> {
        let deadline = terms.limit.map(after);
        loop {
            let bell = terms.cancel.map(|(bell, _)| bell.as_fd());
            let event = self.link.exchange_or(outgoing, self.child.exit_fd(), deadline, bell);
            match (event, terms) {
                (Ok(Event::Rung), Terms { cancel: Some((bell, is_cancelled)), .. }) => {
                    // Silenced first: a cancel that comes after the look rings again.
                    bell.silence();
                    if is_cancelled() {
                        return Ok(Err(LostCause::Cancelled));
                    }
                }
                (Ok(Event::TimedOut), Terms { limit: Some(limit), .. }) => {
                    return Ok(Err(LostCause::TimedOut(limit)));
                }
                (event, _) => return self.heard(event).map(Ok),
            }
        }
    }

    /// SIGTERM, a grace period, SIGKILL, for the worker and what it has started.
    fn give_up(&mut self, cause: LostCause) -> WorkerLost {
        let lost = self.lose(cause);
        if !self.kill_grace.is_zero() {
            self.child.terminate();
            self.child.ends_by(after(self.kill_grace));
        }
        self.child.kill();
        lost
    }

    fn reply_to(&mut self, task_id: u64, frame: Frame) -> Result<Reply, WorkerLost> {
        if frame.header.task_id != task_id {
            let found = frame.header.task_id;
            return Err(self.expel(format!("it replied to task {found} instead of {task_id}")));
        }
        match frame.header.kind {
            Kind::Result => Ok(Reply::Result(frame.body)),
            Kind::Error => self.remote_error(&frame).map(Reply::Error),
            Kind::Panic => self.remote_error(&frame).map(Reply::Panic),
            _ => Err(self.expel_for(&frame)),
        }
    }
}
