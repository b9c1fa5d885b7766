//! The shim: every atomic, fence, cell and shared pointer of the core comes from here.
//!
//! Production builds see the language's own types. With `--cfg asyncpal_loom` *and* the feature
//! `loom` the same names are the model checker's, so that a model runs the very code that
//! production runs; no algorithm contains a `cfg`.
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
//! What lives in a `static` is made by a `const fn`; the checker's types have none. `constructor!`
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

pub use core::sync::atomic::Ordering;

pub use imp::*;

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
mod imp {
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
}

#[cfg(all(asyncpal_loom, not(feature = "loom")))]
compile_error!("`--cfg asyncpal_loom` needs the feature `loom`");

#[cfg(all(asyncpal_loom, feature = "loom"))]
mod imp {
    use core::sync::atomic::Ordering;

    pub use loom::cell::UnsafeCell;
    pub use loom::sync::Arc;

    /// Defines a function that is `const`, except under the checker.
    macro_rules! constructor {
        ($(#[$attribute:meta])* $vis:vis fn $($rest:tt)*) => {
            $(#[$attribute])* $vis fn $($rest)*
        };
    }
    pub(crate) use constructor;

    /// `array![make; N]`: an array of `N` values, each made by itself.
    macro_rules! array {
        ($make:expr; $n:expr) => {
            core::array::from_fn::<_, { $n }, _>(|_| $make)
        };
    }
    pub(crate) use array;

    /// An array of words that begin with `values`.
    pub(crate) fn words<const N: usize>(values: [usize; N]) -> [AtomicUsize; N] {
        values.map(AtomicUsize::new)
    }

    /// The checker explores every moment at which the value may arrive; looking once is enough.
    pub const SPINS: usize = 1;

    /// A look more before a sleep adds no behaviour, only executions.
    pub const LOOKS: usize = 0;

    /// Every other put moves a ring's tail, the others walk.
    pub const STRIDE: usize = 1;

    /// Small blocks: a model reaches their boundary, and every atomic costs the checker.
    pub const BLOCK_SLOTS: usize = 2;

    /// Every inline run clears up behind itself: a model has few of them.
    pub const STUBS: usize = 1;

    /// The last use of something shared: every other must happen before it.
    pub trait LastUse {
        /// Call it where the memory is freed.
        fn last_use(&mut self);
    }

    impl LastUse for AtomicUsize {
        #[track_caller]
        fn last_use(&mut self) {
            self.0.with_mut(|_| ());
        }
    }

    impl<T> LastUse for AtomicPtr<T> {
        #[track_caller]
        fn last_use(&mut self) {
            self.0.with_mut(|_| ());
        }
    }

    impl<T> LastUse for UnsafeCell<T> {
        #[track_caller]
        fn last_use(&mut self) {
            self.with_mut(|_| ());
        }
    }

    /// A fence, counted.
    pub fn fence(order: Ordering) {
        stall::step();
        loom::sync::atomic::fence(order);
    }

    /// Lets other threads run.
    pub fn spin_loop() {
        loom::hint::spin_loop();
    }

    /// An atomic word whose every operation is counted.
    #[derive(Debug)]
    pub struct AtomicUsize(loom::sync::atomic::AtomicUsize);

    /// An atomic pointer whose every operation is counted.
    #[derive(Debug)]
    pub struct AtomicPtr<T>(loom::sync::atomic::AtomicPtr<T>);

    macro_rules! counted {
        ($name:ident $(<$t:ident>)?, $value:ty) => {
            impl$(<$t>)? $name$(<$t>)? {
                /// See the type of the same name in `core`.
                #[track_caller]
                pub fn new(value: $value) -> Self {
                    Self(loom::sync::atomic::$name::new(value))
                }
                /// See the type of the same name in `core`.
                #[track_caller]
                pub fn load(&self, order: Ordering) -> $value {
                    stall::step();
                    self.0.load(order)
                }
                /// See the type of the same name in `core`.
                #[track_caller]
                pub fn store(&self, value: $value, order: Ordering) {
                    stall::step();
                    self.0.store(value, order);
                }
                /// See the type of the same name in `core`.
                #[track_caller]
                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    stall::step();
                    self.0.swap(value, order)
                }
                /// See the type of the same name in `core`.
                #[track_caller]
                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    stall::step();
                    self.0.compare_exchange(current, new, success, failure)
                }
            }
        };
    }

    counted!(AtomicUsize, usize);
    counted!(AtomicPtr<T>, *mut T);

    macro_rules! counted_arithmetic {
        ($($op:ident)*) => {
            impl AtomicUsize {$(
                /// See the type of the same name in `core`.
                #[track_caller]
                pub fn $op(&self, value: usize, order: Ordering) -> usize {
                    stall::step();
                    self.0.$op(value, order)
                }
            )*}
        };
    }

    counted_arithmetic!(fetch_add fetch_sub fetch_or fetch_and);

    pub mod stall {
        //! A thread stopped for ever, or until the model lets it go on, at the step the model asks
        //! for.

        use alloc::collections::VecDeque;
        use core::cell::RefCell;

        use loom::sync::{Arc, Notify};

        struct Stop {
            steps_left: usize,
            gate: Arc<Notify>,
        }

        loom::thread_local! {
            static STOPS: RefCell<VecDeque<Stop>> = RefCell::new(VecDeque::new());
        }

        /// Stops the calling thread just before its `step`-th atomic operation from here on, or
        /// from its last stop that was asked for, until `gate` is notified.
        pub fn arm(step: usize, gate: Arc<Notify>) {
            STOPS.with(|stops| stops.borrow_mut().push_back(Stop { steps_left: step, gate }));
        }

        /// Ends the marking; true if the thread has not been stopped, i.e. the operation was over
        /// before the step was reached.
        pub fn disarm() -> bool {
            STOPS.with(|stops| {
                let mut stops = stops.borrow_mut();
                let left = !stops.is_empty();
                stops.clear();
                left
            })
        }

        pub(super) fn step() {
            let gate = STOPS.with(|stops| {
                let mut stops = stops.borrow_mut();
                let next = stops.front_mut()?;
                if next.steps_left > 0 {
                    next.steps_left -= 1;
                    return None;
                }
                stops.pop_front().map(|stop| stop.gate)
            });
            if let Some(gate) = gate {
                gate.wait();
            }
        }
    }
}
