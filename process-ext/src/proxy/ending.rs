//! How a worker ends that is told to: CLOSE, its finalizer, BYE, the exit; and what is done about one that does not.

#![forbid(unsafe_code)]

use super::link::Outgoing;
use super::{Proxy, Terms, after};
use crate::error::{CloseError, WorkerLost};
use crate::sys::child::Status;
use crate::wire::frame::{Header, Kind};

impl Proxy {
    /// Asks the worker to end, and makes it end: CLOSE, then SIGTERM, then SIGKILL, with a grace period after each.
    ///
    /// # Errors
    ///
    /// See [`CloseError`]. The worker has ended and was reaped in every case.
    pub fn close(mut self) -> Result<(), CloseError> {
        if let Some(lost) = self.lost.take() {
            return Err(CloseError::Lost(lost));
        }
        let deadline = after(self.grace);
        let farewell = Outgoing::frame(Header::new(Kind::Close), &[])
            .map_err(|what| self.expel(what))
            .and_then(|mut close| self.converse(&mut close, Some(deadline), Terms::FOR_EVER))
            .map_err(CloseError::Lost)?;
        let finished = match farewell {
            None => Ok(()),
            Some(frame) => match frame.header.kind {
                Kind::Bye => Ok(()),
                Kind::FinErr => {
                    Err(CloseError::Finalizer(self.remote_error(&frame).map_err(CloseError::Lost)?))
                }
                _ => return Err(CloseError::Lost(self.expel_for(&frame))),
            },
        };
        if !self.child.ends_by(deadline) {
            return Err(CloseError::TimedOut(self.force_out()));
        }
        if let Some(Status::Exited(0) | Status::Taken) = self.child.ending() {
            // It has ended as it should, and what its tasks have started may go on.
            self.child.reap_by(deadline);
            return finished;
        }
        let noted = self.lost.take();
        let ended = self.end();
        finished.and(Err(CloseError::Lost(noted.unwrap_or(ended))))
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
