//! How a worker ends that is told to: CLOSE, its finalizer, BYE, the exit; and what is done about one that does not.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::link::Outgoing;
use super::{Proxy, Terms, after};
use crate::error::{CloseError, RemoteError, WorkerLost};
use crate::sys::child::Status;
use crate::wire::frame::{Frame, Header, Kind};

impl Proxy {
    /// Asks the worker to end, and makes it end: CLOSE, then SIGTERM, then SIGKILL, with a grace period after each.
    ///
    /// # Errors
    ///
    /// See [`CloseError`], also for the one case in which the worker has not ended.
    pub fn close(mut self) -> Result<(), CloseError> {
        if let Some(lost) = self.lost.take() {
            return Err(CloseError::Lost(lost));
        }
        let deadline = after(self.grace);
        let farewell = self.say_goodbye(deadline)?;
        if !self.child.ends_by(deadline) {
            return Err(CloseError::TimedOut(self.force_out()));
        }
        if let Some(Status::Exited(0) | Status::Taken) = self.child.ending_by(deadline) {
            // It has ended as it should, and what its tasks have started may go on.
            self.child.reap_by(deadline);
            return farewell.unwrap_or(Ok(())).map_err(CloseError::Finalizer);
        }
        let noted = self.lost.take();
        let ended = self.end();
        let lost = noted.unwrap_or(ended);
        Err(match farewell {
            Some(Err(error)) => CloseError::Finalizer(error),
            Some(Ok(())) => CloseError::Lost(lost),
            None => CloseError::CutShort(lost),
        })
    }

    /// CLOSE, and how the finalizer has ended; `None` if nothing was heard of that by the deadline.
    fn say_goodbye(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Result<(), RemoteError>>, CloseError> {
        let header = Header::new(Kind::Close);
        let mut close =
            Outgoing::frame(header, &[]).map_err(|what| CloseError::Lost(self.expel(what)))?;
        self.flight.push(header.task_id, close.bytes());
        let farewell = self.converse(&mut close, Some(deadline), Terms::FOR_EVER);
        let farewell = farewell.and_then(|frame| frame.map(|it| self.farewell(&it)).transpose());
        farewell.map_err(|lost| {
            // What it has not taken in it has not begun to do.
            let was_begun = close.is_sent() && self.flight.contains(header.task_id);
            if was_begun { CloseError::CutShort(lost) } else { CloseError::Lost(lost) }
        })
    }

    fn farewell(&mut self, frame: &Frame) -> Result<Result<(), RemoteError>, WorkerLost> {
        match frame.header.kind {
            Kind::Bye => Ok(Ok(())),
            Kind::FinErr => self.remote_error(frame).map(Err),
            _ => Err(self.expel_for(frame)),
        }
    }

    /// The end of the ladder, for a worker that did not end when it was asked to. The last rung is for what it has
    /// launched, too, which may not have heeded the signal that the worker itself has heeded.
    fn force_out(&mut self) -> WorkerLost {
        if self.child.terminate() {
            self.child.ends_by(after(self.grace));
        }
        self.end()
    }
}
