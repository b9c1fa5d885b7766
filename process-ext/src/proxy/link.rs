//! The parent's ends of a worker's pipes: sends a frame and waits for one, watching for the worker's end.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use asyncpal_std::kind::Search;

use crate::sys::lifeline::{self, End};
use crate::sys::pipe::{self, Aside, Pipe};
use crate::sys::poll::{self, Watch};
use crate::wire::frame::{Decoder, Frame, FrameError, HEADER_BYTES, Header, MIN_FRAME_LIMIT};

/// How much is told of what a worker says.
const SHOWN_BYTES: usize = 80;

/// The first of these bytes, as text.
pub(super) fn shown(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    format!("{}{more}", shown.escape_ascii())
}

/// What waiting for a frame came to.
#[must_use]
pub(super) enum Event {
    /// A whole frame has arrived.
    Frame(Frame),
    /// The worker has ended, and all that it wrote was read.
    Ended,
    /// The worker has closed its end of the reply pipe.
    HungUp,
    /// The deadline has passed.
    TimedOut,
    /// The bell rang.
    Rung,
    /// The system refuses to wait.
    Refused(io::Error),
}

/// How long to wait, and for what else.
#[derive(Clone, Copy, Default)]
pub(super) struct Wait<'w> {
    pub(super) deadline: Option<Instant>,
    pub(super) bell: Option<BorrowedFd<'w>>,
    /// Whether to look for a few microseconds before sleeping.
    pub(super) may_spin: bool,
}

impl Wait<'_> {
    /// For a frame alone.
    pub(super) fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, ..Self::default() }
    }
}

/// What a packet holds at most: the kernel writes and reads it as one.
const PACKET_BYTES: usize = 4096;

/// The parent's ends; both are non-blocking.
#[derive(Debug)]
pub(super) struct Link {
    requests: End,
    replies: End,
    decoder: Decoder,
    packets: Packets,
    /// While something was sent that may have to be withdrawn.
    aside: Option<Aside>,
    search: Search,
    /// With a read end of our own a write to a dead worker raises no SIGPIPE, and what it left unread can be counted.
    unread: OwnedFd,
}

/// Whether requests are written as packets, each of which the worker reads by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packets {
    /// The worker, or the system, does not know them.
    Never,
    Off,
    On,
}

/// The ends that the worker gets, and what it is tied to.
pub(super) struct WorkerEnds {
    pub(super) replies: OwnedFd,
    pub(super) lifeline: OwnedFd,
    pub(super) tied_to: End,
}

impl Link {
    /// Opens the three pipes of a worker.
    pub(super) fn open() -> io::Result<(Self, WorkerEnds)> {
        let (tied_to, lifeline) = lifeline::open()?;
        let (mut link, replies) = Self::open_with(End::new)?;
        // The worker's, too: it looks before it sleeps.
        pipe::set_nonblocking(link.unread.as_fd())?;
        link.packets = Packets::Off;
        Ok((link, WorkerEnds { replies, lifeline, tied_to }))
    }

    /// Opens the two pipes of a worker of another program, which gets the write end of the second one, too.
    pub(super) fn open_foreign() -> io::Result<(Self, OwnedFd)> {
        // The ends of its pipes are all that tells it of the parent's: of its requests, or of who reads its replies.
        Self::open_with(End::vital)
    }

    fn open_with(end: fn(OwnedFd) -> End) -> io::Result<(Self, OwnedFd)> {
        let requests = Pipe::open()?.grown();
        let replies = Pipe::open()?.grown();
        pipe::set_nonblocking(requests.writer.as_fd())?;
        pipe::set_nonblocking(replies.reader.as_fd())?;
        let link = Self {
            requests: end(requests.writer),
            replies: end(replies.reader),
            decoder: Decoder::new(MIN_FRAME_LIMIT),
            packets: Packets::Never,
            aside: None,
            search: Search::by_calls(),
            unread: requests.reader,
        };
        Ok((link, replies.writer))
    }

    /// From now on bodies may be so long. Until then they may not be longer than those of every pool.
    pub(super) fn set_limit(&mut self, max_frame_bytes: usize) {
        self.decoder.set_limit(max_frame_bytes.max(MIN_FRAME_LIMIT));
    }

    /// The read end of the request pipe, which parent and worker share.
    pub(super) fn requests_for_worker(&self) -> BorrowedFd<'_> {
        self.unread.as_fd()
    }

    /// How many bytes the worker has not taken in. Before it has taken a request in, it cannot have started it.
    pub(super) fn unread_bytes(&self) -> usize {
        // When in doubt the task may have started.
        pipe::unread_bytes(self.unread.as_fd()).unwrap_or(0)
    }

    /// Takes what a worker that was lost has not read out of everybody's reach: some other process may have its end, and
    /// read on. How many bytes that was, as far as that is known.
    pub(super) fn take_unread(&mut self) -> usize {
        pipe::take_unread(self.unread.as_fd())
    }

    /// Takes back what the worker has not read; how many bytes that was. All at once: it reads no later packet
    /// meanwhile than one that is taken.
    pub(super) fn withdraw(&mut self) -> usize {
        self.aside.take().map_or(0, |aside| aside.withdraw(self.unread.as_fd()))
    }

    /// Sees to it that what is sent from now on can be withdrawn, if there are descriptors for that.
    pub(super) fn can_withdraw(&mut self) -> bool {
        if self.aside.is_none() {
            self.aside = Aside::open().ok();
        }
        self.aside.is_some()
    }

    /// Sends a small frame whole, or not at all.
    pub(super) fn send_packet(&mut self, header: Header, body: &[u8]) -> bool {
        if HEADER_BYTES + body.len() > PACKET_BYTES || !self.set_packets(Packets::On) {
            return false;
        }
        let Ok(mut packet) = Outgoing::frame(header, body) else { return false };
        packet.send(self.requests.file()).is_ok() && packet.is_sent()
    }

    fn set_packets(&mut self, wanted: Packets) -> bool {
        if self.packets != Packets::Never && self.packets != wanted {
            match pipe::set_packets(self.requests.file().as_fd(), wanted == Packets::On) {
                Ok(()) => self.packets = wanted,
                Err(_) => self.packets = Packets::Never,
            }
        }
        self.packets == wanted
    }

    /// From now on the worker's words come from there.
    #[cfg(test)]
    pub(super) fn listen_to(&mut self, replies: File) {
        self.replies = End::new(replies.into());
    }

    /// Whether no byte has arrived behind the last frame.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.decoder.is_at_boundary()
    }

    /// Takes the body of a reply back: the next large one may have its buffer.
    pub(super) fn recycle(&mut self, body: Vec<u8>) {
        self.decoder.recycle(body);
    }

    /// What was said that is no frame, or none yet; `None` if nothing was said.
    pub(super) fn first_words(&self) -> Option<String> {
        let words = self.decoder.pending();
        (!words.is_empty()).then(|| format!("\"{}\"", shown(words)))
    }

    /// Sends `outgoing` and waits for the next frame.
    ///
    /// While the request cannot be written, replies are read: two full pipes never wait for each other. A frame that
    /// was written whole by then comes before whatever ends the wait; one that is still being written does not.
    ///
    /// # Errors
    ///
    /// What is wrong with the worker's words, or with the pipes. Neither is of use any more.
    pub(super) fn exchange(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        exit_fd: BorrowedFd<'_>,
        wait: Wait<'_>,
    ) -> Result<Event, String> {
        if !outgoing.is_sent() {
            // A long request in packets would be read in as many pieces.
            self.set_packets(Packets::Off);
        }
        let mut may_spin = wait.may_spin;
        loop {
            if let Some(reply) = self.next_for(outgoing)? {
                return Ok(reply);
            }
            outgoing
                .send(self.requests.file())
                .map_err(|error| format!("no request fits: {error}"))?;
            if may_spin && outgoing.is_sent() {
                match self.search()? {
                    Read::Some(_) => {
                        // If that is not all, whatever ends the wait is looked for before the rest.
                        may_spin = false;
                        continue;
                    }
                    Read::Nothing => {}
                    Read::End => return Ok(Event::HungUp),
                }
            }
            let mut watches = [
                Watch::readable(self.replies.file().as_fd()),
                Watch::readable(exit_fd),
                if outgoing.is_sent() {
                    Watch::never()
                } else {
                    Watch::writable(self.requests.file().as_fd())
                },
                wait.bell.map_or_else(Watch::never, Watch::readable),
            ];
            match poll::wait(&mut watches, wait.deadline) {
                Ok(true) => {}
                Ok(false) => return Ok(Event::TimedOut),
                Err(error) => return self.drain(outgoing, Event::Refused(error)),
            }
            let [replies, exit, _, rung] = watches.map(|watch| watch.is_ready());
            if exit {
                return self.drain(outgoing, Event::Ended);
            } else if rung {
                return self.drain(outgoing, Event::Rung);
            } else if wait.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return self.drain(outgoing, Event::TimedOut);
            } else if replies {
                if let Read::End = self.read(usize::MAX)? {
                    return Ok(Event::HungUp);
                }
            }
        }
    }

    /// Looks for words for a few microseconds, if that has lately paid off.
    fn search(&mut self) -> Result<Read, String> {
        let mut search = self.search;
        let found = search.search(|| match self.read(usize::MAX)? {
            Read::Nothing => Ok(None),
            read => Ok::<_, String>(Some(read)),
        });
        self.search = search;
        Ok(found?.unwrap_or(Read::Nothing))
    }

    /// Reads what was written by now: a reply that was written whole is not lost. But no more: whoever holds the other
    /// end, perhaps a grandchild, may write on for ever.
    fn drain(&mut self, outgoing: &Outgoing<'_>, otherwise: Event) -> Result<Event, String> {
        let mut left = pipe::unread_bytes(self.replies.file().as_fd()).unwrap_or(0);
        loop {
            if let Some(reply) = self.next_for(outgoing)? {
                return Ok(reply);
            }
            if left == 0 {
                return Ok(otherwise);
            }
            match self.read(left)? {
                Read::Some(bytes) => left -= bytes,
                Read::Nothing | Read::End => return Ok(otherwise),
            }
        }
    }

    /// The next frame, which is the reply to this.
    fn next_for(&mut self, outgoing: &Outgoing<'_>) -> Result<Option<Event>, String> {
        match self.next()? {
            Some(_) if !outgoing.is_sent() => Err(String::from("it replied before it was asked")),
            frame => Ok(frame.map(Event::Frame)),
        }
    }

    fn next(&mut self) -> Result<Option<Frame>, String> {
        self.decoder.next().map_err(|error| match (&error, self.first_words()) {
            (FrameError::BadMagic(_), Some(words)) => {
                format!("{error}: it begins with {words}")
            }
            _ => error.to_string(),
        })
    }

    /// Reads so many bytes at most.
    fn read(&mut self, most: usize) -> Result<Read, String> {
        let (buffer, welcome) = self.decoder.buffer();
        match pipe::read_append(self.replies.file(), buffer, welcome.min(most)) {
            Ok(0) => Ok(Read::End),
            Ok(bytes) => Ok(Read::Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Nothing),
            Err(error) => Err(format!("no reply can be read: {error}")),
        }
    }
}

enum Read {
    /// So many bytes.
    Some(usize),
    Nothing,
    End,
}

/// A frame on its way to the worker, or nothing.
pub(super) struct Outgoing<'a> {
    head: [u8; HEADER_BYTES],
    body: &'a [u8],
    sent: usize,
}

impl<'a> Outgoing<'a> {
    /// A frame. Its body is within the limit of every frame.
    pub(super) fn frame(header: Header, body: &'a [u8]) -> Result<Self, String> {
        let head = header.encode(body.len()).map_err(|error| error.to_string())?;
        Ok(Self { head, body, sent: 0 })
    }

    /// Nothing to send.
    pub(super) fn nothing() -> Self {
        Self { head: [0; HEADER_BYTES], body: &[], sent: HEADER_BYTES }
    }

    /// The frame's length.
    pub(super) fn bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    pub(super) fn is_sent(&self) -> bool {
        self.sent == self.bytes()
    }

    /// It was sent before.
    pub(super) fn mark_sent(&mut self) {
        self.sent = self.bytes();
    }

    /// It was taken back whole.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Writes as much as the pipe takes.
    fn send(&mut self, mut pipe: &File) -> io::Result<()> {
        while !self.is_sent() {
            let head = self.head.get(self.sent..).unwrap_or_default();
            let body = &self.body[self.sent.saturating_sub(HEADER_BYTES)..];
            match pipe.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
