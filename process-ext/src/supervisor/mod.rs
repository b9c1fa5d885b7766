//! What to do with workers: decisions, made of values alone.

#![forbid(unsafe_code)]

pub(crate) mod breaker;
pub(crate) mod flight;
pub(crate) mod run_time;
