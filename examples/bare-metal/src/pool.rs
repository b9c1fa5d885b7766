//! The pool, in a `static`.

#![forbid(unsafe_code)]

use core::convert::Infallible;

use asyncpal::executor::{Static, StaticExecutor};

use crate::harts::{Harts, WORKERS};

/// Room for so many tasks.
pub(crate) const TASKS: usize = 64;

/// Room for the closure or the result of each; one that does not fit does not compile.
const BYTES: usize = 64;

pub(crate) static POOL: StaticExecutor<Harts> = StaticExecutor::new(Harts::new());

pub(crate) type Memory = Static<TASKS, BYTES, WORKERS>;

/// Nothing makes a task fail here: what could panic ends the program.
pub(crate) type Failure = Infallible;

pub(crate) type Handle<T> = asyncpal::task::Handle<T, Failure>;

pub(crate) type Outcome<T> = asyncpal::error::Outcome<T, Failure>;
