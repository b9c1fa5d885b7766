//! The processor's atomics; where it has no compare-and-swap those of `portable-atomic`, whose user
//! says how that is to be emulated there.

#[cfg(target_has_atomic = "ptr")]
pub use core::sync::atomic::{AtomicPtr, AtomicUsize, fence};
#[cfg(not(target_has_atomic = "ptr"))]
pub use portable_atomic::{AtomicPtr, AtomicUsize, fence};

#[cfg(all(not(target_has_atomic = "ptr"), feature = "alloc"))]
compile_error!("the feature `alloc` needs compare-and-swap, which this processor has not");
