//! What travels between a pool and its workers: frames, the messages in them, and the values in those.
//!
//! Nothing here does I/O. Every decoder is total: it answers any bytes with a value or an error.

#![forbid(unsafe_code)]

pub(crate) mod bytes;
pub mod exit;
pub mod frame;
pub mod message;
pub mod named;
pub mod payload;
