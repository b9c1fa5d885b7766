//! A worker of another program: no lifeline, no proof of its build, functions by name.

use core::time::Duration;
use std::io;
use std::os::fd::AsFd as _;

use super::link::{Link, Outgoing};
use super::{Launch, Proxy, Terms, lost_early};
use crate::error::{HandshakeError, LaunchError};
use crate::launch::Foreign;
use crate::sys::command;
use crate::wire::frame::{Frame, Header, Kind, MAX_FRAME_LIMIT};
use crate::wire::message::{Hello, PROTOCOL_VERSION};
use crate::wire::named::Start;

impl Proxy {
    pub(super) fn start_foreign(launch: &Launch, foreign: &Foreign) -> io::Result<Self> {
        let max_frame_bytes = launch.max_frame_bytes.min(MAX_FRAME_LIMIT);
        let (link, replies) = Link::open_foreign()?;
        let child = command::spawn(&foreign.command, link.requests_for_worker(), replies.as_fd())?;
        Ok(Self::new(launch, child, link, max_frame_bytes))
    }

    /// HELLO, START, READY.
    pub(super) fn greet_foreign(
        &mut self,
        launch: &Launch,
        foreign: &Foreign,
        terms: Terms<'_>,
    ) -> Result<(), LaunchError> {
        let frame = self.await_word(&mut Outgoing::nothing(), launch.handshake_timeout, terms)?;
        let hello = self.read_hello(&frame)?;
        if hello.version != PROTOCOL_VERSION {
            return Err(LaunchError::WrongVersion { found: hello.version, own: PROTOCOL_VERSION });
        }
        self.worker_pid = hello.pid;
        let start = Start {
            name: launch.name.clone(),
            max_frame_bytes: self.max_frame_bytes as u64,
            initializer: foreign.initializer.map(str::to_owned),
            finalizer: foreign.finalizer.map(str::to_owned),
        };
        let body = start.encode();
        let mut outgoing = Outgoing::frame(Header::new(Kind::Start), &body)
            .map_err(|what| lost_early(self.expel(what)))?;
        let frame = self.await_word(&mut outgoing, launch.handshake_timeout, terms)?;
        self.is_ready(&frame)
    }

    /// The first words of any worker.
    pub(super) fn read_hello(&mut self, frame: &Frame) -> Result<Hello, LaunchError> {
        let hello = match frame.header.kind {
            Kind::Hello => Hello::decode(&frame.body).map_err(|error| error.to_string()),
            kind => Err(format!("it sent {kind:?} where HELLO was due")),
        };
        hello.map_err(|what| lost_early(self.expel(what)))
    }

    /// As `await_greeting`, but for a program that may never have heard of the protocol.
    fn await_word(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        timeout: Duration,
        terms: Terms<'_>,
    ) -> Result<Frame, LaunchError> {
        let greeting = self.await_greeting(outgoing, Some(timeout), terms);
        if let Err(LaunchError::Handshake(HandshakeError::TimedOut(_))) = greeting {
            if let Some(words) = self.link.first_words() {
                let what = format!("within {timeout:?} it said no more than {words}");
                return Err(lost_early(self.expel(what)));
            }
        }
        greeting
    }
}
