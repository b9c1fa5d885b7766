//! The thread pool of asyncpal: operating-system threads, blocking waits and the shutdown watcher
//! round the engine of `asyncpal-core`.
//!
//! Use it through the crate `asyncpal`.

mod cancel_on_drop;
mod clock;
mod contain;
mod current;
mod error;
mod failure;
mod filter;
mod flight;
mod handle;
mod inline;
pub mod kind;
mod map;
#[cfg(all(asyncpal_loom, feature = "loom"))]
pub mod model;
mod observe;
mod once_box;
mod parker;
mod pool;
mod running;
mod scope;
mod search;
mod slabs;
mod sync;
mod threads;
mod unwind;
mod wait;
mod watcher;

pub use asyncpal_core::executor::Departure;
pub use asyncpal_core::task::{Durations, Label, Status};

pub use crate::cancel_on_drop::CancelOnDrop;
pub use crate::clock::Deadline;
pub use crate::error::{
    BrokenCause, BuildError, Cancelled, Panic, PoolError, SubmitError, TaskError,
};
pub use crate::failure::UncollectedFailure;
pub use crate::filter::{CompletionFilter, GetAll};
pub use crate::handle::{CallbackId, Handle};
pub use crate::kind::{Fallible, With};
pub use crate::map::{
    Chunks, Map, MapAll, SplitTask, get_chunks, split_map_task, split_starmap_task,
};
#[cfg(feature = "log")]
pub use crate::observe::log_event;
#[cfg(feature = "tracing")]
pub use crate::observe::trace_event;
pub use crate::observe::{Bucket, Ending, Event, EventKind, Histogram, Labelled, Stats, TaskLabel};
pub use crate::pool::{
    Builder, CancelledTask, Pool, ShutdownReport, SpawnedThread, Submitted, WhenFull, WorkerThread,
};
pub use crate::running::{CurrentTask, current_task, is_cancel_requested};
pub use crate::scope::{Scope, ScopedHandle};
pub use crate::threads::{ThreadPool, Threads};
pub use crate::wait::{AsDone, as_done, as_done_in_order, collect, wait};
#[cfg(feature = "signal")]
pub use crate::watcher::signal;
