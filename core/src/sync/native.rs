//! The language's own types.

pub use core::hint::spin_loop;
pub use core::sync::atomic::{AtomicPtr, AtomicUsize, fence};

#[cfg(feature = "alloc")]
pub use alloc::sync::Arc;

/// Defines a function that is `const`, except under the checker.
macro_rules! constructor {
    ($(#[$attribute:meta])* $vis:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $vis const fn $($rest)*
    };
}
pub(crate) use constructor;

/// `array![make; N]`: an array of `N` values, each made by itself.
macro_rules! array {
    ($make:expr; $n:expr) => {
        [const { $make }; $n]
    };
}
pub(crate) use array;

/// An array of words that begin with `values`.
pub(crate) const fn words<const N: usize>(values: [usize; N]) -> [AtomicUsize; N] {
    let mut words = array![AtomicUsize::new(0); N];
    let mut at = 0;
    while at < N {
        words[at] = AtomicUsize::new(values[at]);
        at += 1;
    }
    words
}

/// How often a thread looks again before it takes the long way round.
pub const SPINS: usize = 32;

/// How often a waiting thread looks before it sleeps: a few microseconds.
pub const LOOKS: usize = 100;

/// How many indices a producer steps over before it moves a ring's tail: fewer cost an exchange
/// more often, more cost a longer walk (measured: 2, 4 and 8 differ little, 16 is slower).
pub const STRIDE: usize = 4;

/// Items per block of an engine's queue: blocks of 1 KiB on 64-bit targets.
pub const BLOCK_SLOTS: usize = 126;

/// How many tasks waiting workers run inline before their stubs are cleared away.
pub const STUBS: usize = 32;

/// The last use of something shared: every other must happen before it.
///
/// Nothing at all here; the checker, which does not see memory being freed, takes it as a write.
pub trait LastUse {
    /// Call it where the memory is freed.
    #[inline(always)]
    fn last_use(&mut self) {}
}

impl LastUse for AtomicUsize {}
impl<T> LastUse for AtomicPtr<T> {}
impl<T> LastUse for UnsafeCell<T> {}

/// `core`'s cell behind the checker's interface: every access says whether it writes.
#[derive(Debug)]
#[repr(transparent)]
pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// A cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Calls `f` with a pointer that is only read through.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Calls `f` with a pointer that may be written through.
    #[inline(always)]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
