//! The model checker's types.

use core::sync::atomic::Ordering;
pub(crate) use loom::thread_local;

pub use loom::cell::UnsafeCell;
pub use loom::sync::Arc;

/// Defines a function that is `const`, except under loom.
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

/// For how many turns who has found a queue empty leaves it alone.
pub const PAUSES: usize = 0;

/// For how many turns at a time a worker lets tasks gather.
pub const GATHERING: usize = 0;

/// A look more before a sleep adds no behaviour, only executions.
pub const LOOKS: usize = 0;

/// Small blocks: a model reaches their boundary, and every atomic costs the checker.
pub const BLOCK_SLOTS: usize = 2;

/// Small slabs, which a single task may fill.
pub const SLAB_BYTES: usize = 1024;

/// So many of the largest tasks that are made in slabs fit into one.
pub const SLAB_TASKS: usize = 1;

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

/// The same: what processors make of a read-modify-write before it is not in the model.
pub use fence as rmw_fence;

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
