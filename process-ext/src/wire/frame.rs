//! Frames: a header of 24 bytes, little-endian, and as many bytes of body as it says.
//!
//! | bytes   | field     | meaning                                   |
//! |---------|-----------|-------------------------------------------|
//! | 0..4    | `len`     | length of the body                        |
//! | 4       | `kind`    | see [`Kind`]                              |
//! | 5       | `flags`   | bit 0: [`PANICKED`]; the others are zero  |
//! | 6..8    | `magic`   | [`MAGIC`]                                 |
//! | 8..16   | `task_id` | the task that the frame is about, or zero |
//! | 16..24  | `aux`     | TASK: the function's offset; CALL: see [`named`](super::named); else zero |
//!
//! The codec does no I/O: [`Decoder::buffer`] says where the next bytes go and how many are welcome.

use core::fmt;

/// The length of every header.
pub const HEADER_BYTES: usize = 24;

/// The two bytes `PA` in every header: a stream that lost its place is noticed at the next frame.
pub const MAGIC: u16 = u16::from_le_bytes(*b"PA");

/// Where the magic is in a header.
const MAGIC_AT: core::ops::Range<usize> = 6..8;

/// In `flags` of INIT_ERR and FIN_ERR: the function panicked, where otherwise it returned an error.
pub const PANICKED: u8 = 1;

/// The largest body that is accepted unless a pool says otherwise.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 256 << 20;

/// The largest limit that can be set: lengths have 32 bits, and nothing in memory is longer than `isize::MAX`.
pub const MAX_FRAME_LIMIT: usize =
    if isize::MAX as u64 > u32::MAX as u64 { u32::MAX as usize } else { isize::MAX as usize };

/// What a limit leaves open at least, so that every HELLO, INIT and failure can travel.
pub const MIN_FRAME_LIMIT: usize = 256 << 10;

/// By how much a body's buffer grows while its bytes arrive, or by what has arrived if that is more: what a frame claims
/// costs nothing, and bytes are moved once on average.
const GROWTH_BYTES: usize = 1 << 20;

/// What a buffer may keep of its capacity from one large body to the next: fresh memory costs a page fault each 4 KiB.
pub const KEPT_BYTES: usize = 8 << 20;

/// What one read takes in while no body is under way: a small frame arrives in one.
const INBOX_BYTES: usize = 16 << 10;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal),* $(,)?) => {
        /// What a frame says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name = $code,)*
        }

        impl Kind {
            fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// Child: I live; version, build and pid.
    Hello = 0x01,
    /// Child: the initializer has returned.
    Ready = 0x02,
    /// Child: the initializer has failed.
    InitErr = 0x03,
    /// Child: the task returned this value.
    Result = 0x04,
    /// Child: the task returned an error.
    Error = 0x05,
    /// Child: the task panicked.
    Panic = 0x06,
    /// Child: the finalizer has failed.
    FinErr = 0x07,
    /// Child: I am about to exit as asked.
    Bye = 0x08,
    /// Parent: name, limits, initializer, finalizer.
    Init = 0x81,
    /// Parent: run this function on these arguments.
    Task = 0x82,
    /// Parent: run the finalizer and exit.
    Close = 0x83,
    /// Parent: as INIT, to a worker of another program; functions have names.
    Start = 0x84,
    /// Parent: as TASK, to a worker of another program; the function's name comes first.
    Call = 0x85,
}

impl Kind {
    /// The flags that mean something in such a frame.
    const fn flags(self) -> u8 {
        match self {
            Self::InitErr | Self::FinErr => PANICKED,
            _ => 0,
        }
    }

    const fn has_body(self) -> bool {
        !matches!(self, Self::Ready | Self::Bye | Self::Close)
    }
}

/// The head of a frame, without the length of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame says.
    pub kind: Kind,
    /// Only [`PANICKED`] has a meaning.
    pub flags: u8,
    /// The task that the frame is about, or zero.
    pub task_id: u64,
    /// The function of a TASK, the form of a CALL, else zero.
    pub aux: u64,
}

impl Header {
    /// A header that carries nothing but its kind.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, flags: 0, task_id: 0, aux: 0 }
    }

    /// The bytes of this header in front of a body of `body_bytes`.
    ///
    /// # Errors
    ///
    /// A body of 4 GiB or more has no frame.
    pub fn encode(&self, body_bytes: usize) -> Result<[u8; HEADER_BYTES], FrameError> {
        let length = u32::try_from(body_bytes).map_err(|_| FrameError::TooLong {
            bytes: body_bytes as u64,
            limit: u32::MAX as u64,
        })?;
        let mut out = [0; HEADER_BYTES];
        out[0..4].copy_from_slice(&length.to_le_bytes());
        out[4] = self.kind as u8;
        out[5] = self.flags;
        out[6..8].copy_from_slice(&MAGIC.to_le_bytes());
        out[8..16].copy_from_slice(&self.task_id.to_le_bytes());
        out[16..24].copy_from_slice(&self.aux.to_le_bytes());
        Ok(out)
    }

    fn decode(bytes: &[u8; HEADER_BYTES], limit: usize) -> Result<(Self, usize), FrameError> {
        let [l0, l1, l2, l3, kind, flags, m0, m1, rest @ ..] = *bytes;
        let magic = u16::from_le_bytes([m0, m1]);
        if magic != MAGIC {
            return Err(FrameError::BadMagic(magic));
        }
        let kind = Kind::from_code(kind).ok_or(FrameError::UnknownKind(kind))?;
        if flags & !kind.flags() != 0 {
            return Err(FrameError::UnknownFlags(flags));
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if length > 0 && !kind.has_body() {
            return Err(FrameError::UnwantedBody(kind));
        }
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= limit)
            .ok_or(FrameError::TooLong { bytes: length.into(), limit: limit as u64 })?;
        let [i0, i1, i2, i3, i4, i5, i6, i7, a0, a1, a2, a3, a4, a5, a6, a7] = rest;
        let task_id = u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
        let aux = u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]);
        Ok((Self { kind, flags, task_id, aux }, length))
    }
}

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its head.
    pub header: Header,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why bytes are no frame. The stream has lost its place: it cannot be used any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The header does not carry [`MAGIC`].
    BadMagic(u16),
    /// No frame has this kind.
    UnknownKind(u8),
    /// Flags are set that mean nothing in such a frame.
    UnknownFlags(u8),
    /// A frame of this kind has no body.
    UnwantedBody(Kind),
    /// The body is longer than the limit. Nothing was allocated for it.
    TooLong {
        /// What the header claims.
        bytes: u64,
        /// What is accepted.
        limit: u64,
    },
    /// The stream ended inside a frame.
    Truncated,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadMagic(found) => write!(f, "a frame starts with the wrong magic {found:#06x}"),
            Self::UnknownKind(kind) => write!(f, "no frame has the kind {kind:#04x}"),
            Self::UnknownFlags(flags) => write!(f, "a frame has the unknown flags {flags:#04x}"),
            Self::UnwantedBody(kind) => write!(f, "a frame of the kind {kind:?} has a body"),
            Self::TooLong { bytes, limit } => {
                write!(f, "a frame of {bytes} bytes exceeds the limit of {limit} bytes")
            }
            Self::Truncated => f.write_str("the stream ended inside a frame"),
        }
    }
}

impl core::error::Error for FrameError {}

/// Puts frames together from bytes as they arrive.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// Bytes of heads and small bodies; those before `consumed` are done with.
    inbox: Vec<u8>,
    consumed: usize,
    /// A frame whose body did not fit into the inbox, and the length of that body.
    large: Option<(Frame, usize)>,
    /// The buffer of an earlier large body, empty.
    spare: Vec<u8>,
}

impl Decoder {
    /// A decoder that refuses bodies over `limit` bytes, before it allocates for them. The limit is [`MAX_FRAME_LIMIT`]
    /// at most.
    pub fn new(limit: usize) -> Self {
        let limit = limit.min(MAX_FRAME_LIMIT);
        Self { limit, inbox: Vec::new(), consumed: 0, large: None, spare: Vec::new() }
    }

    /// Changes the limit for the headers that are still to come.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(MAX_FRAME_LIMIT);
    }

    /// Where the next bytes are to be appended, and how many at most; there is capacity for them.
    ///
    /// A large body is read straight into its place, and never beyond its end. Ask for all frames
    /// ([`next`](Self::next)) first: they make room.
    pub fn buffer(&mut self) -> (&mut Vec<u8>, usize) {
        if let Some((frame, length)) = &mut self.large {
            let arrived = frame.body.len();
            let wanted = (*length - arrived).min(arrived.max(GROWTH_BYTES));
            if frame.body.capacity() == arrived {
                frame.body.reserve_exact(wanted);
            }
            let room = frame.body.capacity() - arrived;
            return (&mut frame.body, wanted.min(room));
        }
        self.inbox.drain(..self.consumed);
        self.consumed = 0;
        self.inbox.reserve_exact(INBOX_BYTES - self.inbox.len());
        let room = INBOX_BYTES - self.inbox.len();
        (&mut self.inbox, room)
    }

    /// The next frame, once all of it has arrived.
    ///
    /// # Errors
    ///
    /// The bytes are no frame; the decoder is of no use afterwards.
    #[expect(
        clippy::should_implement_trait,
        reason = "`None` means not yet, and may turn to `Some`"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some((frame, length)) = self.large.take() {
            if frame.body.len() == length {
                return Ok(Some(frame));
            }
            self.large = Some((frame, length));
            return Ok(None);
        }
        let pending = &self.inbox[self.consumed..];
        let Some((head, rest)) = pending.split_first_chunk::<HEADER_BYTES>() else {
            // A banner or a prompt may be shorter than a head, and followed by silence.
            return match pending.get(MAGIC_AT) {
                Some(&[m0, m1]) if [m0, m1] != MAGIC.to_le_bytes() => {
                    Err(FrameError::BadMagic(u16::from_le_bytes([m0, m1])))
                }
                _ => Ok(None),
            };
        };
        let (header, length) = Header::decode(head, self.limit)?;
        if let Some(body) = rest.get(..length) {
            let frame = Frame { header, body: body.to_vec() };
            self.consumed += HEADER_BYTES + length;
            return Ok(Some(frame));
        }
        if HEADER_BYTES + length > INBOX_BYTES {
            let mut body = core::mem::take(&mut self.spare);
            body.reserve_exact(length.min(rest.len() + GROWTH_BYTES));
            body.extend_from_slice(rest);
            self.large = Some((Frame { header, body }, length));
            self.consumed = self.inbox.len();
        }
        Ok(None)
    }

    /// Takes the body of a frame back that nobody needs any more: the next large one may have its buffer.
    pub fn recycle(&mut self, mut body: Vec<u8>) {
        if (self.spare.capacity()..=KEPT_BYTES).contains(&body.capacity()) {
            body.clear();
            self.spare = body;
        }
    }

    /// The first bytes behind the last frame, unless they are a large frame's.
    pub fn pending(&self) -> &[u8] {
        &self.inbox[self.consumed..]
    }

    /// Whether no byte of a further frame has arrived: the stream may end here.
    pub fn is_at_boundary(&self) -> bool {
        self.large.is_none() && self.consumed == self.inbox.len()
    }

    /// Checks that the stream may end here.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`] inside a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.is_at_boundary() { Ok(()) } else { Err(FrameError::Truncated) }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
