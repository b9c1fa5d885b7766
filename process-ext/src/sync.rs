//! The shim of this crate: atomics come from here.

pub(crate) use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
