//! Tasks of a worker: requests, the reply, and the ways in which the wait for it is given up.
//!
//! Small requests may be sent ahead, while the worker is busy with an earlier one. It reads one at a time, and what it
//! has not read can be taken back: when the task before takes longer than brief tasks do, when the worker does not come
//! to read that one either (it is stopped, say), and when the worker is lost.
//!
//! A task that is out of time, or was cancelled, takes its worker along: what it computes cannot be stopped from
//! outside in any other way. It takes no other task along; and nobody, if its reply is there by then. The cause is noted
//! before the first signal is sent, so the error says why the worker ended, not how.

use core::time::Duration;
use std::os::fd::AsFd as _;
use std::time::Instant;

use super::link::{Event, Outgoing, Wait};
use super::{Proxy, after};
use crate::bell::Bell;
use crate::error::{CallError, LostCause, WorkerLost};
use crate::launch::Reply;
use crate::remote::FunctionId;
use crate::seat::Request;
use crate::wire::frame::{Frame, HEADER_BYTES, Header, Kind};

/// How long a task may run before those that were sent behind it are taken back.
const PATIENCE: Duration = Duration::from_micros(200);

/// Whether a task was read is looked at after twice the time of the look before, up to this: a worker that runs does not
/// wait so long for a processor, as a rule. Those behind a task that lies unread even then are taken back.
const MOST_PATIENCE: Duration = Duration::from_millis(10);

/// Who waits for a task.
pub(crate) trait Caller {
    /// Whether nobody wants the reply any more.
    fn is_cancelled(&self) -> bool;

    /// The last so many of the requests that were sent behind this one were taken back.
    fn give_back(&self, last: usize);
}

/// Nobody in particular: sends nothing ahead and cancels nothing.
impl Caller for () {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn give_back(&self, _: usize) {}
}

/// How long a task is waited for.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'t> {
    /// So long at most.
    pub(crate) limit: Option<Duration>,
    /// Until this bell rings and the caller has cancelled.
    pub(crate) bell: Option<&'t Bell>,
    pub(crate) caller: &'t dyn Caller,
}

impl Terms<'_> {
    /// For ever, for nobody in particular.
    pub(super) const FOR_EVER: Self = Self { limit: None, bell: None, caller: &() };

    /// Whether the caller has cancelled, and has a bell to say so.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.bell.is_some_and(|bell| {
            // Silenced first: a cancel that comes after the look rings again.
            bell.silence();
            self.caller.is_cancelled()
        })
    }
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
        self.ask(task_id, Request::task(function), payload, Terms::FOR_EVER)
    }

    /// Whether the worker has more bytes in memory than it may keep from one task to the next.
    pub(crate) fn is_swollen(&self) -> bool {
        let Some((memory, most)) = &self.memory else { return false };
        self.is_alive() && memory.resident_bytes().is_some_and(|bytes| bytes > *most)
    }

    /// Takes the bytes of a result back: the next large one may have their buffer.
    pub(crate) fn recycle(&mut self, bytes: Vec<u8>) {
        self.link.recycle(bytes);
    }

    /// Whether the worker's tasks are over before another could be sent to it.
    pub(crate) fn is_brief(&self) -> bool {
        self.run_time.is_brief()
    }

    /// How many requests were sent and not answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// Whether this request was sent to this worker, and neither answered nor taken back.
    pub(crate) fn has_in_flight(&self, task_id: u64) -> bool {
        self.flight.contains(task_id)
    }

    /// Sends a request behind those that are in flight; false if that is not possible now, or it could not be taken
    /// back. It must be asked for afterwards.
    pub(crate) fn announce(&mut self, task_id: u64, request: Request, payload: &[u8]) -> bool {
        let header = request.header(task_id);
        let sent = self.lost.is_none()
            && payload.len() <= self.max_frame_bytes
            && (self.in_flight() == 0 || self.link.can_withdraw())
            && self.link.send_packet(header, payload);
        if sent {
            self.flight.push(task_id, HEADER_BYTES + payload.len());
        }
        sent
    }

    /// Takes back the requests that the worker has not read. It has begun, or will begin, those that stay in flight.
    pub(crate) fn recall(&mut self) {
        if self.is_alive() {
            let unread = self.link.withdraw();
            self.flight.drop_last(self.flight.unread(unread));
        }
    }

    /// Runs a task, whoever the worker is, on these terms. If it was announced, it is the oldest in flight.
    pub(crate) fn ask(
        &mut self,
        task_id: u64,
        request: Request,
        payload: &[u8],
        terms: Terms<'_>,
    ) -> Result<Reply, CallError> {
        let announced = self.flight.contains(task_id);
        if let Some(lost) = self.lost.clone() {
            // What was read before the loss may have been begun.
            return Err(if announced {
                CallError::Lost(lost)
            } else {
                CallError::NotStarted(lost)
            });
        }
        if payload.len() > self.max_frame_bytes {
            let (bytes, limit) = (payload.len(), self.max_frame_bytes);
            return Err(CallError::TooLarge { bytes, limit });
        }
        let mut outgoing = Outgoing::frame(request.header(task_id), payload)
            .map_err(|what| CallError::Lost(self.expel(what)))?;
        if announced {
            outgoing.mark_sent();
        } else {
            debug_assert_eq!(self.in_flight(), 0, "requests are sent in the order of the tasks");
            self.flight.push(task_id, outgoing.bytes());
        }
        let replied = match self.await_reply(task_id, &mut outgoing, terms) {
            Ok(Ok(frame)) => self.reply_to(task_id, frame).map(Ok),
            Ok(Err(given_up)) => Ok(Err(given_up)),
            Err(lost) => Err(lost),
        };
        // What was not read as a whole cannot have been started: a breach of the protocol is then an earlier task's.
        let was_begun = replied.is_err() && outgoing.is_sent() && self.flight.contains(task_id);
        self.flight.pop();
        match replied {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(given_up)) => Err(CallError::Lost(self.give_up(given_up))),
            Err(lost) if was_begun => Err(CallError::Lost(lost)),
            Err(lost) => Err(CallError::NotStarted(lost)),
        }
    }

    /// Whether the worker has taken in the whole of the oldest request in flight.
    fn is_oldest_read(&self) -> bool {
        self.link.unread_bytes() <= self.flight.bytes_behind()
    }

    /// The reply, or why nobody waits for it any longer.
    fn await_reply(
        &mut self,
        task_id: u64,
        outgoing: &mut Outgoing<'_>,
        terms: Terms<'_>,
    ) -> Result<Result<Frame, LostCause>, WorkerLost> {
        let deadline = terms.limit.map(after);
        let mut patience = PATIENCE;
        let mut look = (self.in_flight() > 1).then(|| after(patience));
        loop {
            let wait = Wait {
                deadline: [deadline, look].into_iter().flatten().min(),
                bell: terms.bell.map(|bell| bell.as_fd()),
                may_spin: self.may_spin,
            };
            let event = self.link.exchange(outgoing, self.child.exit_fd(), wait);
            match (event, terms) {
                (Ok(Event::Rung), Terms { caller, .. }) => {
                    if terms.is_cancelled() {
                        return self.last_word(outgoing, caller, LostCause::Cancelled);
                    }
                }
                (Ok(Event::TimedOut), Terms { limit, caller, .. }) => {
                    if let (Some(limit), true) = (limit, deadline <= Some(Instant::now())) {
                        let cause = LostCause::TimedOut(limit);
                        return self.last_word(outgoing, caller, cause);
                    }
                    let looks_again = !self.is_oldest_read() && patience < MOST_PATIENCE;
                    if !looks_again {
                        self.lose_patience(task_id, outgoing, caller);
                    }
                    patience *= 2;
                    look = looks_again.then(|| after(patience));
                }
                (event, _) => return self.heard(event).map(Ok),
            }
        }
    }

    /// What was sent behind the oldest request goes to others. That one is sent anew if it was taken back, too.
    fn lose_patience(&mut self, task_id: u64, outgoing: &mut Outgoing<'_>, caller: &dyn Caller) {
        self.give_back(caller);
        if self.in_flight() > 0 {
            self.run_time.note(PATIENCE);
        } else {
            outgoing.rewind();
            self.flight.push(task_id, outgoing.bytes());
        }
    }

    /// What was sent behind the oldest request goes to others, unless the worker has read it.
    fn give_back(&mut self, caller: &dyn Caller) {
        let before = self.in_flight();
        if before > 1 {
            self.recall();
            // The oldest, too, if it lay unread: its caller is this one.
            caller.give_back(before - self.in_flight().max(1));
        }
    }

    /// The reply after all, or why the worker must be killed. A kill meets no task but the oldest: what lies unread
    /// behind it is taken back first; and if the worker has read more, it had written the oldest's reply before that.
    fn last_word(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        caller: &dyn Caller,
        cause: LostCause,
    ) -> Result<Result<Frame, LostCause>, WorkerLost> {
        self.give_back(caller);
        if !outgoing.is_sent() || self.in_flight() == 0 {
            // It was not read as a whole, so there can be no reply.
            return Ok(Err(cause));
        }
        let at_once = Wait::until(Some(Instant::now()));
        match self.link.exchange(outgoing, self.child.exit_fd(), at_once) {
            Ok(Event::TimedOut) => Ok(Err(cause)),
            event => self.heard(event).map(Ok),
        }
    }

    /// SIGTERM, a grace period, SIGKILL, for the worker and what it has started.
    pub(super) fn give_up(&mut self, cause: LostCause) -> WorkerLost {
        if !self.kill_grace.is_zero() && self.child.terminate() {
            self.child.ends_by(after(self.kill_grace));
        }
        self.kill_for(cause)
    }

    fn reply_to(&mut self, task_id: u64, frame: Frame) -> Result<Reply, WorkerLost> {
        let Header { kind, task_id: found, aux, .. } = frame.header;
        if !matches!(kind, Kind::Result | Kind::Error | Kind::Panic) {
            return Err(self.expel_for(&frame));
        }
        if found != task_id {
            return Err(self.expel(format!("it replied to task {found} instead of {task_id}")));
        }
        let reply = match kind {
            Kind::Result => Reply::Result(frame.body),
            Kind::Panic => Reply::Panic(self.remote_error(&frame)?),
            _ => Reply::Error(self.remote_error(&frame)?),
        };
        self.run_time.note(Duration::from_nanos(aux));
        Ok(reply)
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
