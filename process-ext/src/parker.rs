//! Parks the owner of a worker until it is woken, its worker ends, or its time is up.
//!
//! # State
//! | value      | meaning                                                   |
//! |------------|-----------------------------------------------------------|
//! | `EMPTY`    | the owner is awake, no wake is owed                       |
//! | `PARKED`   | the owner waits in the kernel, or is about to             |
//! | `NOTIFIED` | a wake is owed; the next or current `park` consumes it    |
//!
//! # Invariants
//! - **I1** Only the owner parks: `PARKED` is set and cleared by one thread at a time.
//! - **I2** Whoever turns `PARKED` into `NOTIFIED` raises the eventfd, once, afterwards.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | P1 | `EMPTY` → `PARKED` | owner | nothing is owed |
//! | P2 | any → `NOTIFIED` | waker | always; from `PARKED` it raises the eventfd |
//! | P3 | any → `EMPTY` | owner | it stops waiting; from `NOTIFIED` it was woken |
//!
//! # Edges
//! - **E1** P2 releases, P3 acquires: what was written before `unpark` is seen after `park`.
//! - **E2** P1 releases, P2 that finds `PARKED` acquires: the eventfd that the owner has made is there to be raised.
//!
//! # Progress
//! A waker never waits. A raise that arrives late (I2, after P3) makes one later wait in the kernel return at once; it
//! finds its state still `PARKED` and waits again. Where the kernel refuses to wait, the owner sleeps for a moment
//! and looks: it is late, but costs next to nothing.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use asyncpal_core::clock::Instant as Moment;
use asyncpal_core::park::{self, Park};
use asyncpal_std::kind::StdClock;

use crate::sync::{AtomicU32, Ordering};
use crate::sys::eventfd::EventFd;
use crate::sys::poll::{self, Watch};

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

/// How long to sleep where the kernel refuses to wait.
const REFUSED_PAUSE: Duration = Duration::from_millis(10);

/// A parker that can also watch one descriptor.
///
/// Its eventfd is made by the first `park`, so a slot that never had a worker costs no descriptor.
#[derive(Debug)]
pub struct ProcessParker {
    state: AtomicU32,
    wake: OnceLock<EventFd>,
    /// The owner's alone; the lock is for the compiler. It keeps nothing open: whose descriptor it is may go.
    watched: Mutex<Option<Weak<OwnedFd>>>,
}

/// Why [`ProcessParker::park`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Unparked {
    /// `unpark` was called.
    Woken,
    /// The deadline has passed.
    TimedOut,
    /// The watched descriptor is readable; for a worker's exit descriptor: the worker has ended.
    Watched,
    /// The operating system has no descriptor left for the parker: it cannot wait.
    Refused,
}

impl Default for ProcessParker {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessParker {
    /// A parker that owes no wake.
    pub fn new() -> Self {
        Self { state: AtomicU32::new(EMPTY), wake: OnceLock::new(), watched: Mutex::default() }
    }

    /// From now on a `park` without a descriptor of its own watches this one, for as long as somebody else keeps it, and
    /// reports it once. Only the owner may call it. False if no `park` could wait.
    pub fn watch(&self, descriptor: &Arc<OwnedFd>) -> bool {
        *self.watched() = Some(Arc::downgrade(descriptor));
        self.wake().is_some()
    }

    fn watched(&self) -> MutexGuard<'_, Option<Weak<OwnedFd>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The eventfd. Only the owner makes it.
    fn wake(&self) -> Option<&EventFd> {
        if self.wake.get().is_none() {
            let made = EventFd::new().ok()?;
            let _ = self.wake.set(made);
        }
        self.wake.get()
    }

    /// Wakes the owner, or lets its next [`park`](Self::park) return at once. It is a system call only if it waits.
    pub fn unpark(&self) {
        // ORDERING: Release, E1. Acquire, E2.
        if self.state.swap(NOTIFIED, Ordering::AcqRel) == PARKED {
            if let Some(wake) = self.wake.get() {
                wake.raise();
            }
        }
    }

    /// Waits for a wake, for `watch` to be readable, or for the deadline; without one, for as long as it takes.
    ///
    /// Only one thread, the owner, may park at a time. A wake that was owed is reported first.
    pub fn park(&self, watch: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Unparked {
        let Some(wake) = self.wake() else { return Unparked::Refused };
        loop {
            // ORDERING: Release, E2. Relaxed on failure: P3 acquires what the wake carries.
            let parked =
                self.state.compare_exchange(EMPTY, PARKED, Ordering::Release, Ordering::Relaxed);
            let mut watches =
                [Watch::readable(wake.as_fd()), watch.map_or_else(Watch::never, Watch::readable)];
            // A refusal looks like a stale raise: the wait starts anew.
            let ready = parked.is_err()
                || poll::wait(&mut watches, deadline).unwrap_or_else(|_| pause(deadline));
            if watches[0].is_ready() {
                wake.clear();
            }
            // ORDERING: Acquire, E1.
            if self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED {
                return Unparked::Woken;
            }
            if watches[1].is_ready() {
                return Unparked::Watched;
            }
            if !ready {
                return Unparked::TimedOut;
            }
        }
    }
}

/// Sleeps in the place of a wait that was refused; false if the deadline has passed.
fn pause(deadline: Option<Instant>) -> bool {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    thread::sleep(left.unwrap_or(REFUSED_PAUSE).min(REFUSED_PAUSE));
    left.is_none_or(|left| !left.is_zero())
}

impl Park for ProcessParker {
    fn park(&self, deadline: Option<Moment>) -> park::Unparked {
        let watched = self.watched().as_ref().and_then(Weak::upgrade);
        let descriptor = watched.as_ref().map(|descriptor| descriptor.as_fd());
        match Self::park(self, descriptor, deadline.map(|moment| StdClock.to_std(moment))) {
            Unparked::TimedOut => park::Unparked::TimedOut,
            Unparked::Refused => park::Unparked::SeatLost,
            Unparked::Watched => {
                *self.watched() = None;
                park::Unparked::SeatLost
            }
            Unparked::Woken => park::Unparked::Woken,
        }
    }

    fn unpark(&self) {
        Self::unpark(self);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::sys::pipe::Pipe;

    #[test]
    fn a_wake_before_the_park_is_kept() {
        let parker = ProcessParker::new();

        parker.unpark();
        parker.unpark();

        assert_eq!(parker.park(None, None), Unparked::Woken);
        assert_eq!(parker.park(None, Some(Instant::now())), Unparked::TimedOut);
    }

    #[test]
    fn a_watched_descriptor_ends_the_wait() {
        let parker = ProcessParker::new();
        let pipe = Pipe::open().unwrap();
        assert_eq!(
            parker.park(Some(pipe.reader.as_fd()), Some(Instant::now())),
            Unparked::TimedOut
        );

        drop(pipe.writer);

        assert_eq!(parker.park(Some(pipe.reader.as_fd()), None), Unparked::Watched);
        parker.unpark();
        assert_eq!(parker.park(Some(pipe.reader.as_fd()), None), Unparked::Woken);
    }

    #[test]
    fn two_threads_hand_a_wake_to_and_fro() {
        let parkers = [(); 2].map(|()| Arc::new(ProcessParker::new()));
        let [own, other] = parkers.clone();
        let ponger = thread::spawn(move || {
            for _ in 0..20_000 {
                assert_eq!(other.park(None, None), Unparked::Woken);
                own.unpark();
            }
        });

        for _ in 0..20_000 {
            parkers[1].unpark();
            let deadline = Instant::now() + Duration::from_secs(30);
            assert_eq!(parkers[0].park(None, Some(deadline)), Unparked::Woken);
        }

        ponger.join().unwrap();
    }
}
