//! The worker's ends of its two pipes.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::fd::AsFd as _;
use std::time::Instant;

use asyncpal_std::kind::Search;

use super::{HookFailure, Stop};
use crate::sys::pipe;
use crate::sys::poll::{self, Watch};
use crate::wire::frame::{DEFAULT_MAX_FRAME_BYTES, Decoder, Frame, Header, Kind, MIN_FRAME_LIMIT};

/// The two pipes; every operation waits until it is done.
pub(crate) struct Link {
    requests: File,
    /// Whether a read returns at once, with nothing if there is nothing.
    is_nonblocking: bool,
    /// Whether the last look found something at once: then the next is worth a system call.
    finds_at_once: bool,
    /// There if it may look for the next request for a few microseconds before it sleeps.
    pub(super) search: Option<Search>,
    replies: File,
    pub(super) decoder: Decoder,
}

impl Link {
    pub(crate) fn new(requests: File, replies: File) -> Self {
        let decoder = Decoder::new(MIN_FRAME_LIMIT);
        Self {
            requests,
            is_nonblocking: false,
            finds_at_once: false,
            search: None,
            replies,
            decoder,
        }
    }

    /// The same, over requests that the parent has made non-blocking.
    pub(super) fn nonblocking(requests: File, replies: File) -> Self {
        Self { is_nonblocking: true, ..Self::new(requests, replies) }
    }

    /// Accepts bodies as large as the parent says; returns how large a result may be.
    pub(crate) fn set_limit(&mut self, max_frame_bytes: u64) -> usize {
        let limit = usize::try_from(max_frame_bytes).unwrap_or(DEFAULT_MAX_FRAME_BYTES);
        self.decoder.set_limit(limit.max(MIN_FRAME_LIMIT));
        limit
    }

    /// The last words, after the finalizer.
    pub(crate) fn say_bye(&mut self, failed: Option<HookFailure>) -> io::Result<()> {
        match failed {
            None => self.send(Header::new(Kind::Bye), &[]),
            Some((flags, failure)) => {
                self.send(Header { flags, ..Header::new(Kind::FinErr) }, &failure.encode())
            }
        }
    }

    /// The next frame; `None` when the parent has closed its end between two frames.
    pub(crate) fn receive(&mut self) -> Result<Option<Frame>, Stop> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Some(frame));
            }
            if self.read()? == 0 {
                self.decoder.finish()?;
                return Ok(None);
            }
        }
    }

    /// Reads more, and waits for it. Zero at the end.
    ///
    /// Linux hands what has come to a reader that was killed in its sleep, but to nobody who was killed in a poll: a
    /// request sent to a worker in its last moment stays unread, and goes elsewhere. So no read sleeps between frames.
    fn read(&mut self) -> io::Result<usize> {
        if self.is_nonblocking {
            if let Some(read) = self.look()? {
                return Ok(read);
            }
        }
        loop {
            if self.is_nonblocking || self.decoder.is_at_boundary() {
                self.sleep()?;
            }
            if let Some(read) = self.read_now()? {
                return Ok(read);
            }
        }
    }

    /// Sleeps until there is something to read.
    fn sleep(&mut self) -> io::Result<()> {
        let began = Instant::now();
        poll::wait(&mut [Watch::readable(self.requests.as_fd())], None)?;
        if let Some(search) = &mut self.search {
            search.slept(began.elapsed());
        }
        Ok(())
    }

    /// Reads if there is something, or comes soon and that has lately paid off.
    fn look(&mut self) -> io::Result<Option<usize>> {
        let mut read = None;
        if self.finds_at_once {
            read = self.read_now()?;
        }
        if let (None, Some(mut search)) = (read, self.search) {
            read = search.search(|| self.read_now())?;
            self.search = Some(search);
        }
        self.finds_at_once = read.is_some();
        Ok(read)
    }

    fn read_now(&mut self) -> io::Result<Option<usize>> {
        let (buffer, welcome) = self.decoder.buffer();
        match pipe::read_append(&self.requests, buffer, welcome) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some),
        }
    }

    pub(crate) fn send(&mut self, header: Header, body: &[u8]) -> io::Result<()> {
        let head = header.encode(body.len()).map_err(io::Error::other)?;
        let mut slices = [IoSlice::new(&head), IoSlice::new(body)];
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.replies.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
