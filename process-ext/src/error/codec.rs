//! Errors of turning values into bytes and back.

use core::any::type_name;
use core::error::Error;
use core::fmt;

type Cause = Box<dyn Error + Send + Sync>;

/// A value could not be turned into bytes.
#[derive(Debug)]
#[non_exhaustive]
pub struct EncodeError {
    cause: Cause,
    type_name: Option<&'static str>,
}

impl EncodeError {
    #[cfg(feature = "serde")]
    pub(crate) fn new(cause: impl Into<Cause>) -> Self {
        Self { cause: cause.into(), type_name: None }
    }

    /// The same, of a value of this type.
    pub(crate) fn of<T>(self) -> Self {
        Self { type_name: Some(type_name::<T>()), ..self }
    }

    /// The type of the value, if it is known.
    pub fn type_name(&self) -> Option<&'static str> {
        self.type_name
    }

    /// What refused to be written.
    pub fn inner(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.type_name {
            Some(name) => write!(f, "a `{name}` could not be encoded: {}", self.cause),
            None => write!(f, "a value could not be encoded: {}", self.cause),
        }
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// Bytes are no value of the expected type.
#[derive(Debug)]
#[non_exhaustive]
pub struct DecodeError {
    kind: Kind,
    type_name: Option<&'static str>,
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
        Self::of_kind(Kind::UnexpectedEnd)
    }

    pub(crate) const fn trailing(bytes: usize) -> Self {
        Self::of_kind(Kind::Trailing(bytes))
    }

    pub(crate) const fn length_too_large() -> Self {
        Self::of_kind(Kind::LengthTooLarge)
    }

    pub(crate) const fn invalid(what: &'static str) -> Self {
        Self::of_kind(Kind::Invalid(what))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn new(cause: impl Into<Cause>) -> Self {
        Self::of_kind(Kind::Cause(cause.into()))
    }

    const fn of_kind(kind: Kind) -> Self {
        Self { kind, type_name: None }
    }

    /// The same, of a value of this type.
    pub(crate) fn of<T>(self) -> Self {
        Self { type_name: Some(type_name::<T>()), ..self }
    }

    /// The type that the bytes should be a value of, if it is known.
    pub fn type_name(&self) -> Option<&'static str> {
        self.type_name
    }

    /// What could not read them, if that was not this crate.
    pub fn inner(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.kind {
            #[cfg(feature = "serde")]
            Kind::Cause(cause) => Some(&**cause),
            _ => None,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.type_name {
            Some(name) => write!(f, "a `{name}` could not be decoded: ")?,
            None => f.write_str("a value could not be decoded: ")?,
        }
        match &self.kind {
            Kind::UnexpectedEnd => f.write_str("the bytes end inside a value"),
            Kind::Trailing(bytes) => write!(f, "{bytes} bytes follow the value"),
            Kind::LengthTooLarge => f.write_str("a length exceeds the bytes that follow it"),
            Kind::Invalid(what) => write!(f, "the bytes contain {what}"),
            #[cfg(feature = "serde")]
            Kind::Cause(cause) => cause.fmt(f),
        }
    }
}

impl Error for DecodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner()?.source()
    }
}
