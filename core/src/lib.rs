//! The no_std, lock-free core of asyncpal: what its pools are made of.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, asyncpal_loom))]
extern crate std;

pub mod census;
pub mod chunk;
pub mod clock;
pub mod error;
pub mod executor;
pub mod lifecycle;
pub mod park;
pub mod queue;
pub mod spin;
pub mod sync;
pub mod task;
#[cfg(feature = "alloc")]
mod tokens;
