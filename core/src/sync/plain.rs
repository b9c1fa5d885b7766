//! What is the same in every build that does not watch accesses to cells.

use super::AtomicUsize;

/// Defines a function that is `const`, except under loom.
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

/// The last use of something shared: every other must happen before it.
///
/// Nothing at all here; loom, which does not see memory being freed, takes it as a write.
pub trait LastUse {
    /// Call it where the memory is freed.
    #[inline(always)]
    fn last_use(&mut self) {}
}

impl<T> LastUse for T {}

/// `core`'s cell behind loom's interface: every access says whether it writes.
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
