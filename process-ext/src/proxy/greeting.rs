//! How a child becomes a worker: what parent and child say to each other before the first task.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::sync::Arc;

use super::link::Outgoing;
use super::{ENDING_WITHIN, Launch, Proxy, Terms, after, lost_early};
use crate::bell::Bell;
use crate::error::{HandshakeError, LaunchError, LostCause};
use crate::remote::FunctionId;
use crate::sys::{limits, object};
use crate::wire::exit;
use crate::wire::frame::{Frame, Header, Kind};
use crate::wire::message::{Init, PROTOCOL_VERSION};

/// What a worker that opens hears of the end of its pool.
#[derive(Debug)]
pub(super) enum Closing {
    /// Nothing: it is open, or is started within a task, which the end waits for.
    Unheard,
    /// This bell, when the pool is shut down.
    Heard(Arc<Bell>),
    /// It was shut down, and the worker's grace is all that is left to it.
    Rung,
}

impl Proxy {
    /// HELLO, INIT, READY.
    pub(super) fn greet(&mut self, launch: &Launch, terms: Terms<'_>) -> Result<(), LaunchError> {
        let timeout = Some(launch.handshake_timeout);
        let frame =
            self.await_greeting(&mut Outgoing::nothing(), timeout, terms).map_err(tell_late)?;
        let hello = self.read_hello(&frame)?;
        let build = object::identity();
        if hello.version != PROTOCOL_VERSION || hello.build != build || build.is_empty() {
            let found = format!("protocol {}, build {}", hello.version, hello.build.escape_ascii());
            return Err(LaunchError::WrongBuild { found });
        }

        limits::impose(self.pid(), &launch.limits)
            .map_err(|(what, error)| LaunchError::Limit { what, error })?;
        let init = Init {
            build: build.to_vec(),
            name: launch.name.clone(),
            max_frame_bytes: self.max_frame_bytes as u64,
            initializer: launch.initializer.map(FunctionId::offset),
            finalizer: launch.finalizer.map(FunctionId::offset),
        };
        let body = init.encode();
        let header = Header { aux: self.may_spin.into(), ..Header::new(Kind::Init) };
        let mut outgoing =
            Outgoing::frame(header, &body).map_err(|what| lost_early(self.expel(what)))?;
        let timeout = match launch.initializer {
            Some(_) => launch.initializer_timeout,
            None => Some(launch.handshake_timeout),
        };
        let frame = self.await_greeting(&mut outgoing, timeout, terms)?;
        self.is_ready(&frame)
    }

    pub(super) fn is_ready(&mut self, frame: &Frame) -> Result<(), LaunchError> {
        match frame.header.kind {
            Kind::Ready => Ok(()),
            Kind::InitErr => {
                let error = self.remote_error(frame).map_err(lost_early)?;
                // It is on its way out; let it flush what the initializer printed.
                self.child.reap_by(after(ENDING_WITHIN));
                Err(LaunchError::Initializer(error))
            }
            _ => Err(lost_early(self.expel_for(frame))),
        }
    }

    pub(super) fn await_greeting(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        timeout: Option<Duration>,
        terms: Terms<'_>,
    ) -> Result<Frame, LaunchError> {
        match self.converse(outgoing, timeout.map(after), terms) {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(LaunchError::Handshake(match self.closing {
                Closing::Rung => HandshakeError::Dismissed,
                Closing::Unheard | Closing::Heard(_) => {
                    HandshakeError::TimedOut(timeout.unwrap_or_default())
                }
            })),
            Err(lost) => Err(lost_early(lost)),
        }
    }
}

/// What a process means that ends with that code before it has said a word.
fn tell_late(error: LaunchError) -> LaunchError {
    match error {
        LaunchError::Handshake(HandshakeError::Lost(lost))
            if *lost.cause() == LostCause::Exited(exit::LATE) =>
        {
            LaunchError::Handshake(HandshakeError::InitLate)
        }
        other => other,
    }
}
