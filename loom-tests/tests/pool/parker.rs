//! The parker of a worker's slot.

use crate::IDLE_TIMEOUT;
use asyncpal::clock::{Clock, Instant};
use asyncpal::kind::{StdClock, ThreadParker};
use asyncpal::model::Time;
use asyncpal::park::{Park, Unparked};
use loom::cell::UnsafeCell;
use loom_tests::{model, outcomes};
use std::collections::BTreeSet;
use std::sync::Arc;

struct Letter(UnsafeCell<u32>);

// SAFETY: written before the token is left and read after it was taken, which is what is checked.
unsafe impl Sync for Letter {}

#[test]
fn what_a_waker_did_is_seen_by_whom_it_wakes() {
    model("what_a_waker_did_is_seen_by_whom_it_wakes", || {
        let shared = Arc::new((ThreadParker::new(), Letter(UnsafeCell::new(0))));
        let theirs = shared.clone();
        let waker = loom::thread::spawn(move || {
            let (parker, letter) = &*theirs;
            // SAFETY: the other thread reads after the token.
            letter.0.with_mut(|letter| unsafe { *letter = 7 });
            parker.unpark();
        });
        let (parker, letter) = &*shared;

        assert_eq!(parker.park(None), Unparked::Woken);

        // SAFETY: the waker left its token after it wrote.
        assert_eq!(letter.0.with(|letter| unsafe { *letter }), 7);
        waker.join().expect("no panic");
    });
}

#[test]
fn a_park_ends_when_its_time_is_up() {
    model("a_park_ends_when_its_time_is_up", || {
        let time = Arc::new(Time::start());
        let deadline = StdClock.now().after(IDLE_TIMEOUT);
        let clock = time.clone();
        let other = loom::thread::spawn(move || clock.elapse(IDLE_TIMEOUT));
        let parker = ThreadParker::new();

        assert_eq!(parker.park(deadline), Unparked::TimedOut);

        other.join().expect("no panic");
    });
}

#[test]
fn a_token_that_comes_at_the_deadline_is_there_for_the_next_park() {
    let name = "a_token_that_comes_at_the_deadline_is_there_for_the_next_park";
    let ways = outcomes(name, Some(2), || {
        let time = Arc::new(Time::start());
        let clock = time.clone();
        let parker = Arc::new(ThreadParker::new());
        let theirs = parker.clone();
        let deadline = StdClock.now().after(IDLE_TIMEOUT);
        let waker = loom::thread::spawn(move || {
            clock.elapse(IDLE_TIMEOUT);
            theirs.unpark();
        });

        let in_time = parker.park(deadline) == Unparked::Woken;

        waker.join().expect("no panic");
        let over = Some(Instant::from_nanos(0));
        let token_left = parker.park(over) == Unparked::Woken;
        assert_eq!(token_left, !in_time);
        in_time
    });

    assert_eq!(ways, BTreeSet::from([false, true]));
}
