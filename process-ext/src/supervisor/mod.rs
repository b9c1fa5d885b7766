//! What to do with workers: decisions, made of values alone.

#![forbid(unsafe_code)]

pub(crate) mod breaker;
#[cfg(target_os = "linux")]
pub(crate) mod flight;
#[cfg(target_os = "linux")]
pub(crate) mod run_time;
