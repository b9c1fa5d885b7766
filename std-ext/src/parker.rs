//! How threads of this crate sleep: workers in their slot's parker, callers in a sleeper of their
//! own.
//!
//! # State
//! One word: no token, asleep, token. Both kinds share it.
//!
//! # Invariants
//! - **P1** A waker makes a system call only if it finds the sleeper asleep.
//! - **P2** A token is never lost: who goes to sleep on a token does not sleep.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | `leave` | any → token | waker | it has something to tell; it wakes the thread if that was asleep |
//! | `take` | token → no token, or nothing | sleeper | before it sleeps, and whenever it wakes |
//! | `sleep` | no token → asleep | sleeper | there is no token |
//! | `sleep`, back | asleep → no token, or nothing | sleeper | the deadline has passed |
//!
//! # Edges
//! - **P3** leaving a token (Release) / taking it (Acquire): what the waker did is seen.
//! - **P4** falling asleep (Release) / `leave` that finds the sleeper asleep (Acquire): the thread's handle is the
//!   one to be woken.
//!
//! # Spinning
//! A caller looks for the end of its task before it sleeps (`search`), and never on one processor. Workers
//! do the like in the worker loop, before they announce themselves idle.
//!
//! # Progress
//! `unpark` is wait-free but for the lock that guards the thread's handle, which it takes only
//! round a system call.
//!
//! # Modelled by
//! `loom-tests/tests/pool/parker.rs`

use core::cell::Cell;
use core::task::Waker;
use std::task::Wake;

use asyncpal_core::clock::Instant;
use asyncpal_core::park::{Park, Unparked};

use crate::clock::Deadline;
use crate::current::CurrentWorker;
use crate::once_box::OnceBox;
use crate::search::Search;
use crate::sync::thread::{self, Thread};
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, lock, program, thread_local};

const NO_TOKEN: usize = 0;
const ASLEEP: usize = 1;
const TOKEN: usize = 2;

/// The word.
#[derive(Debug)]
struct Token(AtomicUsize);

impl Token {
    fn new() -> Self {
        Self(AtomicUsize::new(NO_TOKEN))
    }

    /// Leaves a token; true if somebody must be woken.
    fn leave(&self) -> bool {
        // ORDERING: Release, P3. Acquire, P4: the sleeper's handle is read next.
        self.0.swap(TOKEN, Ordering::AcqRel) == ASLEEP
    }

    /// Takes the token; false if there is none.
    fn take(&self) -> bool {
        // ORDERING: Acquire, P3. Relaxed on failure: nothing is read.
        self.0.compare_exchange(TOKEN, NO_TOKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Sleeps in the thread's own park until there is a token, which is taken, or the deadline
    /// passes: then false.
    fn sleep(&self, deadline: Deadline) -> bool {
        // ORDERING: Release, P4. Relaxed on failure: there is a token.
        let fall_asleep =
            self.0.compare_exchange(NO_TOKEN, ASLEEP, Ordering::Release, Ordering::Relaxed);
        if fall_asleep.is_err() {
            return self.take();
        }
        loop {
            if !thread::park_until(deadline) {
                // ORDERING: Relaxed: nothing is read. A failure means a token.
                let awake =
                    self.0.compare_exchange(ASLEEP, NO_TOKEN, Ordering::Relaxed, Ordering::Relaxed);
                return awake.is_err() && self.take();
            }
            if self.take() {
                return true;
            }
        }
    }
}

/// Whether spinning can pay off at all: not if the other side waits for this processor.
pub(crate) fn several_processors() -> bool {
    static SEVERAL: OnceBox<bool> = OnceBox::new();
    *SEVERAL.get_or_init(|| thread::available_parallelism().is_ok_and(|n| n.get() > 1))
}

/// No worker's serial number: they count from 1.
const NOBODY: usize = 0;

/// A slot's parker: whichever thread works there sleeps in it.
#[derive(Debug)]
pub struct ThreadParker {
    token: Token,
    /// The slot's worker, and its serial number: written when it sleeps for the first time.
    sleeper: Mutex<Option<Thread>>,
    sleeper_serial: AtomicUsize,
}

impl ThreadParker {
    /// A parker without a token.
    pub fn new() -> Self {
        Self {
            token: Token::new(),
            sleeper: Mutex::new(None),
            sleeper_serial: AtomicUsize::new(NOBODY),
        }
    }
}

impl Default for ThreadParker {
    fn default() -> Self {
        Self::new()
    }
}

impl Park for ThreadParker {
    fn park(&self, deadline: Option<Instant>) -> Unparked {
        if self.token.take() {
            return Unparked::Woken;
        }
        let serial = CurrentWorker::get().map(|worker| worker.serial as usize);
        // ORDERING: Relaxed: only the slot's worker reads and writes the number.
        if serial.is_none_or(|serial| self.sleeper_serial.load(Ordering::Relaxed) != serial) {
            *lock(&self.sleeper) = Some(thread::current());
            self.sleeper_serial.store(serial.unwrap_or(NOBODY), Ordering::Relaxed);
        }
        if self.token.sleep(Deadline::at(deadline)) { Unparked::Woken } else { Unparked::TimedOut }
    }

    fn unpark(&self) {
        if self.token.leave() {
            // Out of the lock: the sleeper may be back before this thread goes on.
            let sleeper = lock(&self.sleeper).clone();
            calls_workers(Called::Woken);
            if let Some(thread) = sleeper {
                thread.unpark();
            }
        }
    }
}

/// What a thread has done lately for its task to have a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    Nobody,
    Woken,
    Spawned,
}

program::thread_local! {
    /// Since this thread began its last submit.
    static CALLED: Cell<Called> = const { Cell::new(Called::Nobody) };
}

/// Notes that this thread begins a submit, or has woken or spawned a worker for it.
pub(crate) fn calls_workers(called: Called) {
    CALLED.set(called);
}

/// Looks for `done` for some microseconds, if that has lately paid off for this thread, in waits for tasks of this
/// distance. They are more if a thread was spawned for the task.
pub(crate) fn spin(is_far: bool, done: impl Fn() -> bool) -> bool {
    thread_local! {
        static NEAR: Cell<Search> = const { Cell::new(Search::near()) };
        static FAR: Cell<Search> = const { Cell::new(Search::far()) };
        static BORN: Cell<Search> = const { Cell::new(Search::born()) };
    }
    if !several_processors() {
        return false;
    }
    let called = CALLED.get();
    let (place, mut search) = if is_far {
        (&FAR, FAR.with(Cell::get))
    } else if called == Called::Spawned {
        // Whoever is waited for next finds that thread there.
        CALLED.set(Called::Woken);
        (&BORN, BORN.with(Cell::get))
    } else {
        (&NEAR, NEAR.with(Cell::get).after_call(called == Called::Woken))
    };
    let found = search.spin(done);
    place.with(|place| place.set(search));
    found
}

/// A calling thread that waits for tasks.
#[derive(Debug)]
struct Sleeper {
    token: Token,
    thread: Thread,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.token.leave() {
            self.thread.unpark();
        }
    }
}

/// A caller's place to wait, with the waker that ends the wait. One per thread, made at its first
/// wait.
#[derive(Clone)]
pub(crate) struct Bed {
    sleeper: Arc<Sleeper>,
    waker: Waker,
}

impl Bed {
    fn new() -> Self {
        let sleeper = Arc::new(Sleeper { token: Token::new(), thread: thread::current() });
        Self { waker: Waker::from(sleeper.clone()), sleeper }
    }

    /// Calls `f` with this thread's bed.
    pub(crate) fn with<R>(f: impl FnOnce(&Self) -> R) -> R {
        thread_local! {
            static BED: Bed = Bed::new();
        }
        // A thread whose locals are gone (it is exiting) gets a bed for this once.
        let bed = BED.try_with(Self::clone).unwrap_or_else(|_| Self::new());
        f(&bed)
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Sleeps until the waker is used, or until the deadline: then false.
    pub(crate) fn sleep(&self, deadline: Deadline) -> bool {
        self.sleeper.token.sleep(deadline)
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_token_left_before_the_park_is_taken_by_it() {
        let parker = ThreadParker::new();

        parker.unpark();
        parker.unpark();

        assert_eq!(parker.park(None), Unparked::Woken);
        let past = Some(Instant::from_nanos(0));
        assert_eq!(parker.park(past), Unparked::TimedOut, "two tokens count as one");
    }

    /// In how many of 20 waits something is found that comes with the 1000th look.
    fn late_finds(called: Called) -> usize {
        let find = move |_: &i32| {
            calls_workers(called);
            let looks = Cell::new(0);
            spin(false, || looks.replace(looks.get() + 1) == 999)
        };
        // A thread of its own has no experience.
        thread::spawn(move || (0..20).filter(find).count()).join().expect("no panic")
    }

    #[test]
    fn who_has_spawned_a_worker_looks_for_as_long_as_its_birth_takes() {
        if several_processors() {
            assert_eq!(late_finds(Called::Woken), 3);
            assert_eq!(late_finds(Called::Spawned), 20);
        }
    }

    #[test]
    fn a_parker_wakes_whoever_sleeps_in_it_now() {
        let parker = Arc::new(ThreadParker::new());
        for _ in 0..100 {
            let theirs = parker.clone();
            let sleeper = thread::spawn(move || theirs.park(None));

            parker.unpark();

            assert_eq!(sleeper.join().expect("no panic"), Unparked::Woken);
        }
    }
}
