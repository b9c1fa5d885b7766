//! The bodies of frames other than TASK and RESULT, whose bodies are payloads.

use crate::error::DecodeError;
use crate::wire::bytes::{
    finish, put_bytes, put_count, take_array, take_bytes, take_count, take_str, take_u32,
};

/// Rises with every incompatible change of frames, messages or payloads.
pub const PROTOCOL_VERSION: u32 = 1;

/// How many links of an error's chain travel.
const MAX_LINKS: usize = 16;
/// How long one text (message, type name, location) may be; more is cut off.
const MAX_TEXT_BYTES: usize = 4 << 10;
/// How long a backtrace may be; more is cut off. With this and the above, a failure fits every frame limit.
const MAX_BACKTRACE_BYTES: usize = 64 << 10;

const _: () = assert!(
    (2 * MAX_LINKS + 2) * (MAX_TEXT_BYTES + 8) + MAX_BACKTRACE_BYTES + 64
        <= crate::wire::frame::MIN_FRAME_LIMIT
);

/// HELLO: the first words of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the worker's build.
    pub version: u32,
    /// The process that speaks.
    pub pid: u32,
    /// Which build of which program it is.
    pub build: Vec<u8>,
}

impl Hello {
    /// The body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.pid.to_le_bytes());
        put_bytes(&mut out, &self.build);
        out
    }

    /// Reads a body. Of another version only that is read: what follows it may be anything, and pid and build are
    /// zero and empty.
    ///
    /// # Errors
    ///
    /// The bytes are no HELLO.
    pub fn decode(mut input: &[u8]) -> Result<Self, DecodeError> {
        let version = take_u32(&mut input)?;
        if version != PROTOCOL_VERSION {
            return Ok(Self { version, pid: 0, build: Vec::new() });
        }
        let pid = take_u32(&mut input)?;
        let build = take_bytes(&mut input)?.to_vec();
        finish(input)?;
        Ok(Self { version, pid, build })
    }
}

/// INIT: what a worker needs to know before its first task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// The parent's build; the worker compares it with its own before it trusts an offset.
    pub build: Vec<u8>,
    /// The worker's name.
    pub name: String,
    /// The largest body in either direction.
    pub max_frame_bytes: u64,
    /// The function to run before READY.
    pub initializer: Option<i64>,
    /// The function to run after CLOSE.
    pub finalizer: Option<i64>,
}

impl Init {
    /// The body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, &self.build);
        put_bytes(&mut out, self.name.as_bytes());
        out.extend_from_slice(&self.max_frame_bytes.to_le_bytes());
        for function in [self.initializer, self.finalizer] {
            out.push(function.is_some().into());
            out.extend_from_slice(&function.unwrap_or(0).to_le_bytes());
        }
        out
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// The bytes are no INIT.
    pub fn decode(mut input: &[u8]) -> Result<Self, DecodeError> {
        let build = take_bytes(&mut input)?.to_vec();
        let name = take_str(&mut input)?.to_owned();
        let max_frame_bytes = u64::from_le_bytes(take_array(&mut input)?);
        let initializer = take_function(&mut input)?;
        let finalizer = take_function(&mut input)?;
        finish(input)?;
        Ok(Self { build, name, max_frame_bytes, initializer, finalizer })
    }
}

fn take_function(input: &mut &[u8]) -> Result<Option<i64>, DecodeError> {
    let [present] = take_array(input)?;
    let offset = i64::from_le_bytes(take_array(input)?);
    match present {
        0 => Ok(None),
        1 => Ok(Some(offset)),
        _ => Err(DecodeError::invalid("an option that is neither none nor some")),
    }
}

/// One link of an error's chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The type of the error; empty where it is not known.
    pub type_name: String,
    /// What its `Display` says.
    pub message: String,
}

/// ERROR, PANIC, INIT_ERR, FIN_ERR: what went wrong in a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The error and its sources, outermost first; never empty after decoding.
    pub links: Vec<Link>,
    /// `file:line:column` of a panic, else empty.
    pub location: String,
    /// The thread that panicked, else empty.
    pub thread: String,
    /// The text of a panic's backtrace, else empty.
    pub backtrace: String,
}

impl Failure {
    /// A failure of one link.
    pub fn new(type_name: &str, message: String) -> Self {
        let link = Link { type_name: type_name.to_owned(), message };
        Self { links: vec![link], ..Self::default() }
    }

    /// An error with its sources. Only the type of the first link is known to the compiler.
    pub fn from_error(type_name: &str, error: &(dyn core::error::Error + 'static)) -> Self {
        let mut failure = Self::new(type_name, error.to_string());
        let mut next = error.source();
        while let Some(error) = next.filter(|_| failure.links.len() < MAX_LINKS) {
            failure.links.push(Link { type_name: String::new(), message: error.to_string() });
            next = error.source();
        }
        failure
    }

    /// The body. Overlong texts are cut, so that it always fits a frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let links = &self.links[..self.links.len().min(MAX_LINKS)];
        put_count(&mut out, links.len());
        for link in links {
            put_cut(&mut out, &link.type_name, MAX_TEXT_BYTES);
            put_cut(&mut out, &link.message, MAX_TEXT_BYTES);
        }
        put_cut(&mut out, &self.location, MAX_TEXT_BYTES);
        put_cut(&mut out, &self.thread, MAX_TEXT_BYTES);
        put_cut(&mut out, &self.backtrace, MAX_BACKTRACE_BYTES);
        out
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// The bytes are no failure.
    pub fn decode(mut input: &[u8]) -> Result<Self, DecodeError> {
        let count = take_count(&mut input)?;
        if !(1..=MAX_LINKS).contains(&count) {
            return Err(DecodeError::invalid("a failure with too few or too many links"));
        }
        let mut links = Vec::with_capacity(count);
        for _ in 0..count {
            let type_name = take_str(&mut input)?.to_owned();
            let message = take_str(&mut input)?.to_owned();
            links.push(Link { type_name, message });
        }
        let location = take_str(&mut input)?.to_owned();
        let thread = take_str(&mut input)?.to_owned();
        let backtrace = take_str(&mut input)?.to_owned();
        finish(input)?;
        Ok(Self { links, location, thread, backtrace })
    }
}

/// Appends as much of `text` as `limit` allows, at a character boundary.
fn put_cut(out: &mut Vec<u8>, text: &str, limit: usize) {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    put_bytes(out, &text.as_bytes()[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::MIN_FRAME_LIMIT;

    fn failure() -> Failure {
        Failure {
            links: vec![
                Link { type_name: "my::Error".into(), message: "outer".into() },
                Link { type_name: String::new(), message: "inner".into() },
            ],
            location: "src/main.rs:1:2".into(),
            thread: "main".into(),
            backtrace: "0: main".into(),
        }
    }

    #[test]
    fn messages_survive_the_journey() {
        let hello = Hello { version: 1, pid: 42, build: b"abc".to_vec() };
        let init = Init {
            build: b"id".to_vec(),
            name: "worker-ü".into(),
            max_frame_bytes: 1 << 40,
            initializer: Some(-5),
            finalizer: None,
        };

        assert_eq!(Hello::decode(&hello.encode()).unwrap(), hello);
        assert_eq!(Init::decode(&init.encode()).unwrap(), init);
        assert_eq!(Failure::decode(&failure().encode()).unwrap(), failure());
    }

    /// A later version may say more, or less.
    #[test]
    fn of_another_version_only_that_is_read() {
        let hello = Hello { version: PROTOCOL_VERSION + 1, pid: 42, build: b"abc".to_vec() };
        let bytes = [&hello.encode()[..], b"one more field"].concat();
        let due = Hello { pid: 0, build: Vec::new(), ..hello };

        for end in 4..=bytes.len() {
            assert_eq!(Hello::decode(&bytes[..end]).unwrap(), due);
        }
        for end in 0..4 {
            assert!(Hello::decode(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_answered_without_a_panic() {
        let init = Init {
            build: b"id".to_vec(),
            name: "w".into(),
            max_frame_bytes: 1,
            initializer: Some(1),
            finalizer: Some(2),
        };
        let hello = Hello { version: 1, pid: 2, build: vec![3; 20] };
        for bytes in [failure().encode(), init.encode(), hello.encode()] {
            for end in 0..bytes.len() {
                let _ = Hello::decode(&bytes[..end]);
                assert!(Failure::decode(&bytes[..end]).is_err());
                let _ = Init::decode(&bytes[..end]);
            }
            for at in 0..bytes.len() {
                for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] = value;
                    let _ = Hello::decode(&changed);
                    let _ = Failure::decode(&changed);
                    let _ = Init::decode(&changed);
                }
            }
        }
    }

    #[test]
    fn the_largest_failure_fits_the_smallest_limit_and_is_cut_between_characters() {
        let text = "ü".repeat(1 << 20);
        let failure = Failure {
            links: vec![Link { type_name: text.clone(), message: text.clone() }; 100],
            location: text.clone(),
            thread: text.clone(),
            backtrace: text,
        };

        let bytes = failure.encode();

        assert!(bytes.len() <= MIN_FRAME_LIMIT, "{} bytes", bytes.len());
        assert_eq!(Failure::decode(&bytes).unwrap().links.len(), MAX_LINKS);
    }
}
