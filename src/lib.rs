// The README's programs need threads, processes and signals; they are compiled and run with all features.
#![cfg_attr(all(feature = "process", feature = "signal"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "process", feature = "signal")),
    doc = "Thread and process pools for sporadic workloads."
)]
#![no_std]
#![forbid(unsafe_code)]

#[doc(inline)]
pub use asyncpal_core::{census, chunk, clock, error, executor, lifecycle, park, queue, task};

#[cfg(feature = "std")]
#[doc(inline)]
pub use asyncpal_std::*;

#[cfg(feature = "process")]
#[doc(inline)]
pub use asyncpal_process as process;
#[cfg(feature = "process")]
#[doc(inline)]
pub use asyncpal_process::{CommandPool, ProcessPool};

/// The guide's programs, compiled and run.
#[cfg(all(doctest, feature = "process"))]
#[doc = include_str!("../docs/from-asyncpal.md")]
mod from_asyncpal {}

/// The guide's programs, compiled.
#[cfg(all(doctest, feature = "process"))]
#[doc = include_str!("../docs/launchers.md")]
mod launchers {}
