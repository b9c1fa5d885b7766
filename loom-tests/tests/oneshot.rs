//! A completer and its handle, on the heap and in an arena.
//!
//! # Claims
//! - The value comes once, whole, or is dropped once; a completer that goes without one cancels.
//! - Who waits, polls or has a callback is told.
//! - Both ends gone, the memory is free, after the last use; a slot serves the next pair.
//!
//! They are tasks without an entry: `task.rs` models the rest of what they can do.
#![cfg(asyncpal_loom)]

#[path = "common/ends.rs"]
mod ends;
#[path = "common/memory.rs"]
mod memory;
#[allow(dead_code, reason = "shared with the models of the task")]
#[path = "common/parker.rs"]
mod parker;

use asyncpal_core::error::Outcome;
use asyncpal_core::task::{Arena, Completer, Handle, Status, oneshot};
use core::convert::Infallible;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use ends::Ends;
use loom::thread;
use loom_tests::model_bounded;
use memory::{ALL, watched};
use parker::Parker;

type Pair<T> = (Completer<T>, Handle<T, Infallible>);

const VALUE: usize = 0;
const CALLBACK: usize = 1;

/// What is given. On the heap it is aligned so that the task's memory is watched.
trait Given: Send + Sized + 'static {
    fn new(ends: &Ends) -> Self;
}

struct Value(Ends);

impl Given for Value {
    fn new(ends: &Ends) -> Self {
        Self(ends.clone())
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.note(VALUE);
    }
}

#[repr(align(1024))]
struct Watched(#[expect(dead_code, reason = "it is dropped")] Value);

impl Given for Watched {
    fn new(ends: &Ends) -> Self {
        Self(Value::new(ends))
    }
}

/// Plays a scene with a pair on the heap, and with two pairs one after the other in a slot.
macro_rules! play {
    ($name:ident, $bound:expr) => {
        model_bounded(concat!(stringify!($name), "_on_the_heap"), $bound, || {
            watched(ALL, || scenes::$name::<Watched>(oneshot(), &Ends::default()));
        });
        model_bounded(concat!(stringify!($name), "_in_an_arena"), $bound, || {
            with_arena(|arena| {
                for _ in 0..2 {
                    let pair = arena.oneshot().expect("the slot is free");
                    scenes::$name::<Value>(pair, &Ends::default());
                }
            });
        });
    };
}

fn with_arena(execution: impl FnOnce(&'static Arena<1, 8>)) {
    let arena = NonNull::from(Box::leak(Box::new(Arena::new())));
    // SAFETY: it is leaked until the end of this function.
    execution(unsafe { arena.as_ref() });
    // SAFETY: it came from a box, and all threads of the execution have ended.
    drop(unsafe { Box::from_raw(arena.as_ptr()) });
}

#[test]
fn a_value_reaches_who_polls_for_it() {
    play!(a_value_reaches_who_polls_for_it, Some(3));
}

#[test]
fn a_completer_that_goes_wakes_who_polls() {
    play!(a_completer_that_goes_wakes_who_polls, Some(3));
}

#[test]
fn a_value_that_nobody_wants_is_dropped_once() {
    play!(a_value_that_nobody_wants_is_dropped_once, None);
}

#[test]
fn a_value_is_taken_once_or_dropped() {
    play!(a_value_is_taken_once_or_dropped, None);
}

#[test]
fn a_callback_is_called_or_taken_back() {
    play!(a_callback_is_called_or_taken_back, Some(3));
}

mod scenes {
    use super::*;

    pub(super) fn a_value_reaches_who_polls_for_it<T: Given>(pair: Pair<T>, ends: &Ends) {
        let (completer, handle) = pair;
        let giver = giver(completer, ends);

        let outcome = wait(handle);

        assert!(matches!(outcome, Outcome::Completed(_)));
        giver.join().expect("it does not panic");
        assert_eq!(ends.of(VALUE), 0);
        drop(outcome);
        assert_eq!(ends.of(VALUE), 1);
    }

    pub(super) fn a_completer_that_goes_wakes_who_polls<T: Given>(pair: Pair<T>, _: &Ends) {
        let (completer, handle) = pair;
        let other = thread::spawn(move || drop(completer));

        let outcome = wait(handle);

        assert!(matches!(outcome, Outcome::Cancelled(None)));
        other.join().expect("it does not panic");
    }

    pub(super) fn a_value_that_nobody_wants_is_dropped_once<T: Given>(pair: Pair<T>, ends: &Ends) {
        let (completer, handle) = pair;
        let giver = giver(completer, ends);

        drop(handle);

        giver.join().expect("it does not panic");
        assert_eq!(ends.of(VALUE), 1);
    }

    pub(super) fn a_value_is_taken_once_or_dropped<T: Given>(pair: Pair<T>, ends: &Ends) {
        let (completer, mut handle) = pair;
        let giver = giver(completer, ends);

        let taken = handle.take();
        assert!(taken.is_none() || handle.take().is_none());
        drop(handle);

        giver.join().expect("it does not panic");
        drop(taken);
        assert_eq!(ends.of(VALUE), 1);
    }

    pub(super) fn a_callback_is_called_or_taken_back<T: Given>(pair: Pair<T>, ends: &Ends) {
        let (completer, handle) = pair;
        let giver = giver(completer, ends);
        let calls = ends.clone();

        let added = handle.on_done(Box::new(move |status| {
            assert_eq!(status, Status::Completed);
            calls.note(CALLBACK);
        }));
        let removed = added.is_some_and(|id| handle.remove_observer(id));

        giver.join().expect("it does not panic");
        assert_eq!(ends.of(CALLBACK), usize::from(!removed));
        drop(handle);
        assert_eq!(ends.of(VALUE), 1);
    }
}

/// Gives a value on another thread.
fn giver<T: Given>(completer: Completer<T>, ends: &Ends) -> thread::JoinHandle<()> {
    let ends = ends.clone();
    thread::spawn(move || completer.complete(T::new(&ends)))
}

/// Waits as an async runtime does.
fn wait<T>(mut handle: Handle<T, Infallible>) -> Outcome<T, Infallible> {
    let parker = Parker::new();
    let waker = Waker::from(parker.clone());
    loop {
        match handle.poll_outcome(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => parker.park(),
        }
    }
}
