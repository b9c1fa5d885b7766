//! The shim: every atomic, fence, cell and shared pointer of the core comes from here.
//!
//! Production builds see the language's own types (`native`). With `--cfg asyncpal_loom` *and* the
//! feature `loom` the same names are loom's, and with `asyncpal_shuttle` and `shuttle` those of
//! shuttle, so that a model runs the very code that production runs; no algorithm contains a `cfg`.
//! With `--cfg asyncpal_pauses` the processor's own wait a while before each operation, for tests that
//! run on real processors.
//!
//! # A thread stopped for ever
//!
//! Strict lock-freedom is a claim about threads that stop in the middle of an operation and never
//! go on. Under the checker `stall::arm` marks the calling thread: it blocks on a gate just
//! before its `k`-th atomic operation, and stays there until the model, having joined all other
//! threads, opens the gate.
//!
//! # Constructors
//!
//! What lives in a `static` is made by a `const fn`; loom's types have none. `constructor!`
//! makes a function `const` where it can be, and `array!` and `words` make arrays in either kind:
//!
//! ```ignore
//! constructor! {
//!     /// All slots are empty.
//!     pub fn new() -> Self {
//!         Self { slots: array![Slot::new(); N], links: words([0; N]) }
//!     }
//! }
//! ```
#![forbid(unsafe_code)]

pub use core::sync::atomic::Ordering;

pub use imp::*;

/// Words of the whole program: they outlast an execution of a model, and no checker watches them.
#[cfg(feature = "alloc")]
pub(crate) mod program {
    pub(crate) use core::sync::atomic::AtomicUsize;
}

/// Memory for which another cell stands: the checker does not see its accesses.
#[repr(transparent)]
pub(crate) struct Untracked<T>(core::cell::UnsafeCell<T>);

impl<T> Untracked<T> {
    /// Memory that holds `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Where it is.
    pub(crate) const fn get(&self) -> *mut T {
        self.0.get()
    }
}

#[cfg(not(asyncpal_loom))]
mod plain;

#[cfg(not(any(asyncpal_loom, asyncpal_shuttle)))]
#[cfg_attr(asyncpal_pauses, expect(unreachable_pub, reason = "wrapped instead of exported"))]
mod processor;

#[cfg(all(asyncpal_pauses, not(any(asyncpal_loom, asyncpal_shuttle))))]
mod pauses;

#[cfg(not(any(asyncpal_loom, asyncpal_shuttle)))]
#[path = "native.rs"]
mod imp;

#[cfg(all(asyncpal_loom, feature = "loom"))]
#[path = "loom.rs"]
mod imp;

#[cfg(all(asyncpal_shuttle, feature = "shuttle"))]
#[path = "shuttle.rs"]
mod imp;

#[cfg(all(asyncpal_loom, not(feature = "loom")))]
compile_error!("`--cfg asyncpal_loom` needs the feature `loom`");

#[cfg(all(asyncpal_shuttle, not(feature = "shuttle")))]
compile_error!("`--cfg asyncpal_shuttle` needs the feature `shuttle`");

#[cfg(all(asyncpal_loom, asyncpal_shuttle))]
compile_error!("one checker at a time: `asyncpal_loom` or `asyncpal_shuttle`");
