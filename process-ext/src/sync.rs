//! The shim of this crate: atomics come from here.

pub(crate) use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
