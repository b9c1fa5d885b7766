//! The thread pool of asyncpal: operating-system threads, blocking waits and the shutdown watcher
//! round the engine of `asyncpal-core`.
//!
//! Use it through the crate `asyncpal`.

mod clock;
mod completions;
mod error;
mod handle;
mod inline;
pub mod kind;
mod map;
#[cfg(all(asyncpal_loom, feature = "loom"))]
pub mod model;
mod parker;
mod pool;
mod sync;
mod threads;
mod wait;
mod watcher;

pub use asyncpal_core::task::{Durations, Status};

pub use crate::error::{
    BrokenCause, BuildError, Cancelled, Panic, PoolError, SubmitError, TaskError,
};
pub use crate::handle::{CallbackId, Handle};
pub use crate::map::Map;
pub use crate::pool::{Builder, CancelledTask, Pool, ShutdownReport, Submitted, WhenFull};
pub use crate::threads::{ThreadPool, Threads};
pub use crate::wait::{AsDone, as_done, collect, wait};
