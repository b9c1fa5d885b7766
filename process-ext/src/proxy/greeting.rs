//! How a child becomes a worker: what parent and child say to each other before the first task.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use super::link::{Outgoing, shown};
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
    /// It was shut down, and by then the worker must be ready.
    Rung(Instant),
}

impl Closing {
    /// Until when the worker may speak at most.
    pub(super) fn end(&self) -> Option<Instant> {
        match self {
            Self::Rung(end) => Some(*end),
            Self::Unheard | Self::Heard(_) => None,
        }
    }
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
            let found = format!("protocol {}, build {}", hello.version, shown(&hello.build));
            return Err(LaunchError::WrongBuild { found });
        }

        limits::impose(&self.child, &launch.limits)
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
            Kind::Ready => {
                self.link.set_limit(self.max_frame_bytes);
                Ok(())
            }
            Kind::InitErr => {
                let error = self.remote_error(frame).map_err(lost_early)?;
                // It is on its way out; let it flush what the initializer printed. What it leaves is killed with the drop.
                self.child.ends_by(after(ENDING_WITHIN));
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
            Ok(None) => Err(LaunchError::Handshake(match self.closing.end() {
                Some(end) if end <= Instant::now() => HandshakeError::Dismissed,
                _ => HandshakeError::TimedOut(timeout.unwrap_or_default()),
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;
    use crate::proxy::hostile::stand_in;
    use crate::wire::message::Hello;

    const GRACE: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);

    /// A worker that opens, whose pool is shut down.
    fn dismissed(grace: Duration) -> (Proxy, File) {
        let (mut proxy, worker) = stand_in();
        let bell = Bell::still().unwrap();
        bell.sound();
        proxy.closing = Closing::Heard(bell);
        proxy.grace = grace;
        (proxy, worker.replies)
    }

    fn awaits(proxy: &mut Proxy, timeout: Duration) -> Result<Frame, HandshakeError> {
        let terms = Terms::FOR_EVER;
        proxy.await_greeting(&mut Outgoing::nothing(), Some(timeout), terms).map_err(|error| {
            let LaunchError::Handshake(error) = error else { panic!("{error:?}") };
            error
        })
    }

    #[test]
    fn a_worker_has_one_grace_for_all_its_words_whenever_its_pool_was_shut_down() {
        // The bell is heard, and what is waited for has less time than the grace, or more.
        for (timeout, grace) in [(Duration::ZERO, GRACE), (LONG, Duration::ZERO)] {
            let (mut proxy, mut replies) = dismissed(grace);
            assert!(awaits(&mut proxy, timeout).is_err());

            replies.write_all(&Header::new(Kind::Ready).encode(0).unwrap()).unwrap();
            let begun = Instant::now();
            let word = awaits(&mut proxy, LONG);
            let silence = awaits(&mut proxy, LONG);

            assert!(word.is_ok());
            assert!(matches!(silence, Err(HandshakeError::Dismissed)), "{silence:?}");
            assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
        }
    }

    #[test]
    fn what_is_told_of_another_build_is_short() {
        let (mut proxy, mut worker) = stand_in();
        let hello = Hello { version: PROTOCOL_VERSION, pid: 1, build: vec![0xff; 200_000] };
        let body = hello.encode();
        let head = Header::new(Kind::Hello).encode(body.len()).unwrap();
        worker.replies.write_all(&[&head, &body[..]].concat()).unwrap();

        let error = proxy.greet(&Launch::new("other"), Terms::FOR_EVER).unwrap_err();

        let LaunchError::WrongBuild { found } = error else { panic!("{error:?}") };
        assert!(found.len() < 400 && found.ends_with("\\xff…"), "{found}");
    }

    #[test]
    fn a_worker_that_is_late_before_the_grace_is_over_is_late() {
        let (mut proxy, _replies) = dismissed(LONG);

        let late = awaits(&mut proxy, Duration::ZERO);

        assert!(matches!(late, Err(HandshakeError::TimedOut(Duration::ZERO))), "{late:?}");
    }
}
