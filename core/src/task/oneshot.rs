//! A handle and its completer without an executor: a value that one thread gives and another waits
//! for.
//!
//! It is a task that was claimed before anybody saw it: the completer is its resolver, and there is
//! no entry and no job. All else, waiting, wakers, callbacks, freeing, is that of a task.

use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::Handle;
use super::arena::Arena;
use super::cell::{Header, Stage, Task};
use super::home::Home;
use super::job::Job;
use super::live::Live;
use super::state::End;
use crate::clock::Instant;

/// The giving end of a [`oneshot`]. Dropping it without a value cancels: the handle's outcome is
/// `Cancelled`.
///
/// It takes a `T` in, so a completer of a longer-lived type is none of a shorter-lived one:
///
/// ```compile_fail
/// use asyncpal_core::task::Completer;
///
/// fn shorten<'a>(completer: Completer<&'static str>) -> Completer<&'a str> {
///     completer
/// }
/// ```
pub struct Completer<T> {
    task: Live,
    value: PhantomData<fn(T) -> T>,
}

// SAFETY: the value moves with the call of `complete`; the rest of a task is made for sharing.
unsafe impl<T: Send> Send for Completer<T> {}
// SAFETY: a shared completer gives no access to anything but the state word.
unsafe impl<T: Send> Sync for Completer<T> {}

/// A completer and the handle that gets what it is given; one allocation.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_core as asyncpal;
/// use asyncpal::error::Outcome;
/// use asyncpal::task::oneshot;
///
/// let (completer, handle) = oneshot();
/// let giver = std::thread::spawn(move || completer.complete(42));
/// assert!(matches!(handle.join_spinning(), Outcome::Completed(42)));
/// # giver.join().unwrap();
/// ```
#[cfg(feature = "alloc")]
pub fn oneshot<T: Send>() -> (Completer<T>, Handle<T, Infallible>) {
    let home: *const OnHeap = core::ptr::null();
    ends(super::heap::allocate::<(), Infallible, Promise<T>, OnHeap>(
        Promise::new(),
        home,
        0,
        Instant::from_nanos(0),
        super::heap::alone,
    ))
}

impl<const TASKS: usize, const BYTES: usize> Arena<TASKS, BYTES> {
    /// A completer and the handle that gets what it is given, in a slot of this arena; `None` if it
    /// is full.
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_core as asyncpal;
    /// use asyncpal::error::Outcome;
    /// use asyncpal::task::Arena;
    ///
    /// static ARENA: Arena<4, 8> = Arena::new();
    /// let (completer, handle) = ARENA.oneshot().expect("there is room for four");
    /// completer.complete(42_u64);
    /// assert!(matches!(handle.join_spinning(), Outcome::Completed(42)));
    /// ```
    pub fn oneshot<T: Send + 'static>(
        &'static self,
    ) -> Option<(Completer<T>, Handle<T, Infallible>)> {
        let vacancy = self.claim()?;
        let (promise, origin) = (Promise::new(), Instant::from_nanos(0));
        Some(ends(self.fill::<(), Infallible, Promise<T>, Self>(vacancy, promise, self, 0, origin)))
    }
}

/// The two ends of a task that was just made of a `Promise<T>`.
fn ends<T>(task: NonNull<Header>) -> (Completer<T>, Handle<T, Infallible>) {
    let task = Live::new(task);
    task.header().state.promise();
    (Completer { task, value: PhantomData }, Handle::new(task))
}

impl<T: Send> Completer<T> {
    /// Gives the value, and wakes who waits for it.
    pub fn complete(self, value: T) {
        let this = ManuallyDrop::new(self);
        // SAFETY: it was made of a `Promise<T>`.
        let stage = unsafe { Task::<Promise<T>, T, Infallible>::stage_of(this.task.address()) };
        let content = Stage::of_output(value);
        // SAFETY: S1: the completer is the resolver; a promise needs no drop.
        this.task.header().stage.with_mut(|_| unsafe { stage.write(content) });
        let _ = this.task.publish(End::Completed);
    }

    /// True if nobody will take the value: the handle was dropped.
    pub fn is_abandoned(&self) -> bool {
        self.task.header().state.get().has_no_handle()
    }
}

impl<T> Drop for Completer<T> {
    fn drop(&mut self) {
        let _ = self.task.publish(End::Cancelled { with_cause: false });
    }
}

impl<T> fmt::Debug for Completer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completer").finish_non_exhaustive()
    }
}

/// A job that nobody runs: its output comes from the completer.
struct Promise<T>(PhantomData<fn() -> T>);

impl<T> Promise<T> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Send> Job<(), Infallible> for Promise<T> {
    type Output = T;

    fn run(self, (): &mut ()) -> Result<T, Infallible> {
        unreachable!("a promise is never queued")
    }
}

/// The home of a promise: nobody counts, times or queues it, so it only frees.
macro_rules! home_of_promises {
    ([$($generics:tt)*] $home:ty, |$this:pat_param, $task:ident| $free:expr) => {
        // SAFETY: there is nothing to keep alive: tasks on the heap need no home, and an arena with
        // a promise lives for ever.
        unsafe impl<$($generics)*> Home for $home {
            fn withdrawn(&self) {}

            fn now(&self) -> Instant {
                Instant::from_nanos(0)
            }

            unsafe fn retain(_: *const Self) {}

            unsafe fn release(_: *const Self) {}

            unsafe fn free<T>($this: *const Self, $task: NonNull<T>) {
                $free
            }
        }
    };
}

#[cfg(feature = "alloc")]
struct OnHeap;

#[cfg(feature = "alloc")]
home_of_promises!([] OnHeap, |_, task| {
    // SAFETY: by the caller's promise.
    unsafe { super::heap::free(task) }
});

home_of_promises!([const TASKS: usize, const BYTES: usize] Arena<TASKS, BYTES>, |this, task| {
    // SAFETY: the arena came as a `&'static`.
    let arena = unsafe { &*this };
    // SAFETY: by the caller's promise.
    unsafe { arena.free(task) };
});

#[cfg(all(test, feature = "alloc", not(asyncpal_loom)))]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::error::Outcome;
    use crate::task::Status;

    #[test]
    fn a_value_is_dropped_once_whoever_goes_first() {
        let token = Arc::new(());

        let (completer, handle) = oneshot();
        completer.complete(Arc::clone(&token));
        assert_eq!(Arc::strong_count(&token), 2);
        drop(handle);
        assert_eq!(Arc::strong_count(&token), 1);

        let (completer, handle) = oneshot();
        drop(handle);
        assert!(completer.is_abandoned());
        completer.complete(Arc::clone(&token));
        assert_eq!(Arc::strong_count(&token), 1);

        let (completer, mut handle) = oneshot();
        completer.complete(Arc::clone(&token));
        assert!(matches!(handle.take(), Some(Outcome::Completed(_))));
        assert!(handle.take().is_none());
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn a_completer_that_goes_without_a_value_cancels() {
        let (completer, handle) = oneshot::<u8>();
        assert_eq!(handle.status(), Status::Running);
        assert!(!handle.cancel());

        drop(completer);

        assert!(matches!(handle.join_spinning(), Outcome::Cancelled(None)));
    }
}
