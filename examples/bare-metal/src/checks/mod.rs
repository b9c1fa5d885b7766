//! What must be so, as a table; and what the checks have in common.

#![forbid(unsafe_code)]

mod digests;
mod life;
mod nested;
mod races;
mod tasks;

use core::array;
use core::fmt::{Arguments, Debug, Write};
use core::sync::atomic::{AtomicUsize, Ordering};

use asyncpal::clock::Clock;
use asyncpal::executor::{Rejected, Rejection};
use asyncpal::park::Park;

use crate::harts::{Seat, WORKERS};
use crate::machine::Mtime;
use crate::pool::{Handle, Outcome, POOL};
use crate::report::{self, Note};
use crate::wait::{MAIN, Watch, until};

/// Nothing, or what is wrong.
type Verdict = Result<(), Note>;

/// A name that is a fact, and what shows it; a note may say more.
type Check = (&'static str, fn(&mut Note) -> Verdict);

const CHECKS: &[Check] = &[
    ("every hart is off until a task comes", life::every_hart_is_off),
    ("one task at a time is the work of one hart", tasks::one_hart_suffices),
    ("as many tasks as workers run on all of them", tasks::all_harts_work),
    ("results come back, whatever their size", tasks::results_come_back),
    ("a handle is a future", tasks::a_handle_is_a_future),
    ("a detached task runs and its result is dropped", tasks::detached_tasks_run),
    ("a task that finds no room comes back and fits later", tasks::no_room_gives_the_task_back),
    ("a cancelled task is dropped and does not run", tasks::a_cancelled_task_does_not_run),
    ("sha-256 of 64 blocks is as sha256sum says", digests::of_64_blocks),
    ("a worker that waits for a task runs it", nested::a_waiting_worker_runs_the_task),
    ("forks and joins, on all harts", nested::forks_and_joins),
    ("one worker waits many times; there is always room", nested::there_is_always_room),
    ("a submit meets a worker that falls asleep", races::submit_and_sleep),
    ("bursts of tasks meet workers that fall asleep", races::bursts_and_sleep),
    ("a submit meets a worker that retires", races::submit_and_retire),
    ("a cancel meets a worker that claims", races::cancel_and_claim),
    ("idle harts go off, and come back for a task", life::idle_harts_go_off),
    ("a closed pool cancels what waits and ends what runs", life::closing),
];

/// Whether steps of the pool wait a while first: then less is repeated, and takes longer.
const PAUSES: bool = cfg!(asyncpal_pauses);

/// Runs all checks and reports them; true if all is right.
pub(crate) fn run_all() -> bool {
    let began = Mtime.now();
    let mut failed = 0;
    report::line(format_args!("asyncpal on bare metal: hart 0 submits, {WORKERS} harts work\n"));
    for (name, check) in CHECKS {
        report::text(format_args!("{name:<54}"));
        let started = Mtime.now();
        let mut note = Note::new();
        let verdict = check(&mut note);
        let millis = Mtime.now().since(started).as_millis();
        match verdict {
            Ok(()) => report::line(format_args!("ok    {millis:>6} ms  {}", note.as_str())),
            Err(what) => {
                failed += 1;
                report::line(format_args!("FAILED{millis:>6} ms  {}", what.as_str()));
            }
        }
    }
    let millis = Mtime.now().since(began).as_millis();
    report::line(format_args!("\n{} checks, {failed} failed, {millis} ms", CHECKS.len()));
    failed == 0
}

/// Adds to what a check says of itself.
fn say(note: &mut Note, what: Arguments<'_>) {
    // A note takes what it has room for.
    let _ = note.write_fmt(what);
}

fn ensure(is_so: bool, otherwise: &str) -> Verdict {
    if is_so {
        return Ok(());
    }
    let mut note = Note::new();
    say(&mut note, format_args!("{otherwise}"));
    Err(note)
}

fn ensure_eq<T: PartialEq + Debug>(what: &str, seen: T, expected: T) -> Verdict {
    if seen == expected {
        return Ok(());
    }
    let mut note = Note::new();
    say(&mut note, format_args!("{what}: {seen:?}, not {expected:?}"));
    Err(note)
}

/// Submits where there is room, or will be in a moment: the worker of the last task that was joined may
/// not have let go of it yet.
fn submit<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> Handle<T> {
    submit_with_seat(|_| task())
}

/// As above; the task sees its worker.
fn submit_with_seat<T: Send + 'static>(
    mut task: impl FnOnce(&mut Seat) -> T + Send + 'static,
) -> Handle<T> {
    let patience = Watch::new();
    loop {
        match POOL.submit_with_seat(task) {
            Ok(handle) => return handle,
            Err(Rejected { job, reason: Rejection::Full }) => task = job,
            Err(Rejected { reason, .. }) => panic!("a task was not taken: {reason:?}"),
        }
        patience.check();
    }
}

/// Sleeps until the task is over.
fn join<T: Send>(handle: Handle<T>) -> T {
    completed(handle.join(&MAIN))
}

fn completed<T>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Completed(value) => value,
        _ => panic!("a task that must run was cancelled"),
    }
}

/// Where tasks wait for leave to end, asleep; to the pool they are at work.
struct Gate {
    arrived: AtomicUsize,
    open: AtomicUsize,
}

impl Gate {
    const fn new() -> Self {
        Self { arrived: AtomicUsize::new(0), open: AtomicUsize::new(0) }
    }

    /// Keeps so many workers busy until the gate is opened; they are when this returns.
    fn occupy<const N: usize>(&'static self) -> [Handle<()>; N] {
        let tasks = array::from_fn(|_| submit_with_seat(|seat| self.pass(seat)));
        self.wait_for(N);
        tasks
    }

    /// For hart 0: sleeps until so many tasks have arrived.
    fn wait_for(&self, count: usize) {
        // ORDERING: Relaxed: a number; nothing else is read because of it.
        until(|| self.arrived.load(Ordering::Relaxed) == count);
    }

    /// For a task: arrives, and keeps its hart until the gate is open.
    fn pass(&self, seat: &Seat) {
        // ORDERING: Relaxed: a number, see `wait_for`; the token of `MAIN` makes it seen.
        self.arrived.fetch_add(1, Ordering::Relaxed);
        MAIN.unpark();
        // ORDERING: Relaxed: the token makes it seen; nothing else is read because of it.
        while self.open.load(Ordering::Relaxed) == 0 {
            let _ = seat.nested().park(None);
        }
    }

    fn open(&self) {
        // ORDERING: Relaxed: see `pass`.
        self.open.store(1, Ordering::Relaxed);
        POOL.kind().rouse_tasks();
    }
}
