#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
pub use asyncpal_core::executor;
pub use asyncpal_core::{census, chunk, clock, lifecycle, park, queue, task};

#[cfg(feature = "std")]
pub use asyncpal_std::*;

#[cfg(feature = "process")]
pub use asyncpal_process as process;
#[cfg(feature = "process")]
pub use asyncpal_process::ProcessPool;
