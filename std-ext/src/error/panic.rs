//! A task's panic.

use core::any::Any;
use core::error::Error;
use core::fmt;

use super::BoxError;
use crate::sync::program::{Mutex, PoisonError};

/// A task's panic.
pub struct Panic {
    message: Option<Box<str>>,
    origin: Origin,
}

enum Origin {
    /// A thread of this process; with the payload, behind a lock only so that the error is `Sync`: nobody reads it in
    /// place.
    Here(Mutex<Box<dyn Any + Send>>),
    /// A worker process, which has told this.
    Worker(BoxError),
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&'static str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self { message: text.map(Box::from), origin: Origin::Here(Mutex::new(payload)) }
    }

    /// One that says the same, with another payload.
    pub(crate) fn standing_in(&self, payload: Box<dyn Any + Send>) -> Self {
        Self { message: self.message.clone(), origin: Origin::Here(Mutex::new(payload)) }
    }

    /// That of a task in a worker process, of which `error` tells. Its text says what the task did: it "panicked".
    #[doc(hidden)]
    pub fn in_worker(message: &str, error: BoxError) -> Self {
        Self { message: Some(message.into()), origin: Origin::Worker(error) }
    }

    /// The message, if the panic had one (`panic!("…")` has).
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What a worker process tells of it: a `process::RemoteError`, with the place and the backtrace.
    pub fn inner(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.origin {
            Origin::Here(_) => None,
            Origin::Worker(error) => Some(&**error),
        }
    }

    /// The payload, for [`std::panic::resume_unwind`]. That of a panic in a worker process stays there: in its place
    /// there is the message, a `String`.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        match self.origin {
            Origin::Here(payload) => payload.into_inner().unwrap_or_else(PoisonError::into_inner),
            Origin::Worker(_) => Box::new(self.message.map(String::from).unwrap_or_default()),
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.message()) {
            (Origin::Worker(error), _) => write!(f, "the task {error}"),
            (Origin::Here(_), Some(message)) => write!(f, "the task panicked: {message}"),
            (Origin::Here(_), None) => f.write_str("the task panicked"),
        }
    }
}
