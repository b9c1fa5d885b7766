//! How things end.

#![forbid(unsafe_code)]

/// How a task ended, with what it left.
#[derive(Debug)]
pub enum Outcome<T, E> {
    /// It returned this.
    Completed(T),
    /// It failed with this.
    Failed(E),
    /// It was cancelled before it started; because of this, if not by request.
    Cancelled(Option<E>),
}
