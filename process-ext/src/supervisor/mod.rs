//! What becomes of a pool whose workers do not become ready.

#![forbid(unsafe_code)]

pub(crate) mod breaker;
