//! Errors of turning values into bytes and back.

use core::error::Error;
use core::fmt;

type Cause = Box<dyn Error + Send + Sync>;

/// A value could not be turned into bytes.
#[derive(Debug)]
#[non_exhaustive]
pub struct EncodeError {
    cause: Cause,
}

impl EncodeError {
    #[cfg(feature = "serde")]
    pub(crate) fn new(cause: impl Into<Cause>) -> Self {
        Self { cause: cause.into() }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value could not be encoded: {}", self.cause)
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// Bytes are no value of the expected type.
#[derive(Debug)]
#[non_exhaustive]
pub struct DecodeError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    UnexpectedEnd,
    Trailing(usize),
    LengthTooLarge,
    Invalid(&'static str),
    #[cfg(feature = "serde")]
    Cause(Cause),
}

impl DecodeError {
    pub(crate) const fn unexpected_end() -> Self {
        Self { kind: Kind::UnexpectedEnd }
    }

    pub(crate) const fn trailing(bytes: usize) -> Self {
        Self { kind: Kind::Trailing(bytes) }
    }

    pub(crate) const fn length_too_large() -> Self {
        Self { kind: Kind::LengthTooLarge }
    }

    pub(crate) const fn invalid(what: &'static str) -> Self {
        Self { kind: Kind::Invalid(what) }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn new(cause: impl Into<Cause>) -> Self {
        Self { kind: Kind::Cause(cause.into()) }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::UnexpectedEnd => f.write_str("the bytes end inside a value"),
            Kind::Trailing(bytes) => write!(f, "{bytes} bytes follow the value"),
            Kind::LengthTooLarge => f.write_str("a length exceeds the bytes that follow it"),
            Kind::Invalid(what) => write!(f, "the bytes contain {what}"),
            #[cfg(feature = "serde")]
            Kind::Cause(cause) => write!(f, "the bytes could not be decoded: {cause}"),
        }
    }
}

impl Error for DecodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            #[cfg(feature = "serde")]
            Kind::Cause(cause) => Some(&**cause),
            _ => None,
        }
    }
}
