//! Errors and panics of functions that ran in a worker.

use core::error::Error;
use core::fmt::{self, Write as _};

use crate::wire::message::{Failure, Link};

/// Whether a remote function returned an error or panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteErrorKind {
    /// It returned an error, or could not be called.
    Error,
    /// It panicked.
    Panic,
}

/// What went wrong in a worker, as far as it can travel: texts, not the error value itself.
///
/// [`source`](Error::source) walks the chain that the error had in the worker, as [`RemoteLink`]s.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RemoteError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: RemoteErrorKind,
    worker_pid: u32,
    worker_name: Box<str>,
    head: RemoteLink,
    location: String,
    thread: String,
    backtrace: String,
}

/// One error of a remote chain.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RemoteLink {
    type_name: String,
    message: String,
    source: Option<Box<RemoteLink>>,
}

impl RemoteError {
    pub(crate) fn new(kind: RemoteErrorKind, pid: u32, name: &str, failure: Failure) -> Self {
        let head = failure.links.into_iter().rev().fold(None, |source, link| {
            let Link { type_name, message } = link;
            Some(Box::new(RemoteLink { type_name, message, source }))
        });
        Self(Box::new(Inner {
            kind,
            worker_pid: pid,
            worker_name: name.into(),
            head: head.map_or_else(RemoteLink::default, |head| *head),
            location: failure.location,
            thread: failure.thread,
            backtrace: failure.backtrace,
        }))
    }

    /// Whether it was an error or a panic.
    pub fn kind(&self) -> RemoteErrorKind {
        self.0.kind
    }

    /// Whether it was a panic.
    pub fn is_panic(&self) -> bool {
        self.0.kind == RemoteErrorKind::Panic
    }

    /// What the error's `Display` said, or the panic's message.
    pub fn message(&self) -> &str {
        &self.0.head.message
    }

    /// The type of the error or of the panic's payload, as `type_name` has it; empty where it is not known.
    pub fn type_name(&self) -> &str {
        &self.0.head.type_name
    }

    /// `file:line:column` of a panic.
    pub fn location(&self) -> Option<&str> {
        Some(&*self.0.location).filter(|location| !location.is_empty())
    }

    /// The name of the thread that panicked.
    pub fn thread_name(&self) -> Option<&str> {
        Some(&*self.0.thread).filter(|thread| !thread.is_empty())
    }

    /// The text of a panic's backtrace, else empty.
    pub fn backtrace(&self) -> &str {
        &self.0.backtrace
    }

    /// The process that it happened in.
    pub fn worker_pid(&self) -> u32 {
        self.0.worker_pid
    }

    /// The worker that it happened in.
    pub fn worker_name(&self) -> &str {
        &self.0.worker_name
    }

    /// All that is known, over several lines, for a log.
    pub fn remote_traceback(&self) -> String {
        let inner = &*self.0;
        let mut text = format!("in worker {} ({:?})", inner.worker_pid, inner.worker_name);
        if let Some(thread) = self.thread_name() {
            let _ = write!(text, ", thread {thread:?}");
        }
        let _ = writeln!(text, ": {self}");
        let mut next = inner.head.source.as_deref();
        while let Some(link) = next {
            let _ = writeln!(text, "caused by: {link}");
            next = link.source.as_deref();
        }
        if !inner.backtrace.is_empty() {
            let _ = writeln!(text, "remote backtrace:\n{}", inner.backtrace.trim_end());
        }
        text
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind(), self.location()) {
            (RemoteErrorKind::Error, _) => f.write_str(self.message()),
            (RemoteErrorKind::Panic, None) => write!(f, "panicked: {}", self.message()),
            (RemoteErrorKind::Panic, Some(location)) => {
                write!(f, "panicked at {location}: {}", self.message())
            }
        }
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.head.source()
    }
}

impl RemoteLink {
    /// What the error's `Display` said.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error's type; empty where it is not known.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }
}

impl fmt::Display for RemoteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for RemoteLink {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|link| link as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_can_be_walked_and_is_told_whole() {
        let link = |message: &str| Link { type_name: String::new(), message: message.into() };
        let failure =
            Failure { links: vec![link("a"), link("b"), link("c")], ..Failure::default() };

        let error = RemoteError::new(RemoteErrorKind::Error, 7, "w", failure);

        let mut messages = vec![error.to_string()];
        let mut next = error.source();
        while let Some(link) = next {
            messages.push(link.to_string());
            next = link.source();
        }
        assert_eq!(messages, ["a", "b", "c"]);
        assert_eq!(
            error.remote_traceback(),
            "in worker 7 (\"w\"): a\ncaused by: b\ncaused by: c\n"
        );
    }
}
