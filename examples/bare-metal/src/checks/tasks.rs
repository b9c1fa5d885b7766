//! What tasks do, one at a time and together.

#![forbid(unsafe_code)]

use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};

use asyncpal::executor::Rejection;
use asyncpal::park::Park;
use asyncpal::task::Status;

use super::{Gate, Verdict, ensure, ensure_eq, join, say, submit, submit_with_seat};
use crate::harts::{Seat, WORKERS};
use crate::machine;
use crate::pool::{Outcome, POOL, TASKS};
use crate::report::Note;
use crate::wait::{MAIN, until};

/// Counts how many of it were dropped.
struct Dropped(&'static AtomicUsize);

impl Drop for Dropped {
    fn drop(&mut self) {
        // ORDERING: Relaxed: a number; the token makes it seen.
        self.0.fetch_add(1, Ordering::Relaxed);
        MAIN.unpark();
    }
}

fn read(counter: &AtomicUsize) -> usize {
    // ORDERING: Relaxed: a number.
    counter.load(Ordering::Relaxed)
}

pub(super) fn one_hart_suffices(note: &mut Note) -> Verdict {
    const ROUNDS: usize = 1000;

    for _ in 0..ROUNDS {
        ensure_eq("the hart", join(submit(machine::hart)), 1)?;
    }

    say(note, format_args!("{ROUNDS} tasks"));
    ensure_eq("workers ever spawned", POOL.kind().births(), 1)
}

pub(super) fn all_harts_work(_: &mut Note) -> Verdict {
    static GATE: Gate = Gate::new();
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let work = |seat: &mut Seat| {
        // ORDERING: Relaxed: read after the join.
        SEEN.fetch_or(1 << machine::hart(), Ordering::Relaxed);
        GATE.pass(seat);
    };

    let tasks: [_; WORKERS] = core::array::from_fn(|_| submit_with_seat(work));
    GATE.wait_for(WORKERS);
    GATE.open();
    tasks.into_iter().for_each(join);

    ensure_eq("harts, as bits", read(&SEEN), 0b1110)
}

pub(super) fn results_come_back(_: &mut Note) -> Verdict {
    let captured = [7_u64; 4];

    ensure_eq("a product", join(submit(|| 6 * 7)), 42)?;
    ensure_eq("nothing", join(submit(|| ())), ())?;
    ensure_eq("a sum", join(submit(move || captured.iter().sum::<u64>())), 28)?;
    ensure_eq("a choice", join(submit(|| "x".parse::<u8>().ok())), None)?;
    let squares = join(submit(|| core::array::from_fn::<u32, 12, _>(|n| (n * n) as u32)));
    ensure_eq("squares", squares.iter().sum(), 506_u32)
}

pub(super) fn a_handle_is_a_future(_: &mut Note) -> Verdict {
    let mut future = pin!(submit(|| 6 * 7));
    let mut context = Context::from_waker(Waker::noop());

    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return ensure_eq("the outcome", super::completed(outcome), 42);
        }
        core::hint::spin_loop();
    }
}

pub(super) fn detached_tasks_run(note: &mut Note) -> Verdict {
    const ROUNDS: usize = 1000;
    static RAN: AtomicUsize = AtomicUsize::new(0);
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    let task = || {
        // ORDERING: Relaxed: a number; the drop comes after it.
        RAN.fetch_add(1, Ordering::Relaxed);
        Dropped(&DROPPED)
    };

    let mut full = 0;
    for round in 0..ROUNDS {
        while POOL.submit(task).map(drop).is_err() {
            full += 1;
            // One more is done than when there was no room.
            until(|| read(&DROPPED) + TASKS > round);
        }
    }
    until(|| read(&DROPPED) == ROUNDS);

    say(note, format_args!("{ROUNDS} tasks, {full} times no room"));
    ensure_eq("ran", read(&RAN), ROUNDS)
}

pub(super) fn no_room_gives_the_task_back(note: &mut Note) -> Verdict {
    static GATE: Gate = Gate::new();
    let busy = GATE.occupy::<WORKERS>();

    let mut waiting = [const { None }; TASKS];
    let mut number = 0;
    let refused = loop {
        let task = move || number + 1;
        match POOL.submit(task) {
            Ok(handle) => waiting[number] = Some(handle),
            Err(rejected) => break rejected,
        }
        number += 1;
    };
    ensure(matches!(refused.reason, Rejection::Full), "the reason is another one")?;
    ensure_eq("room for tasks", number + WORKERS, TASKS)?;
    GATE.open();
    busy.into_iter().for_each(join);
    for (number, handle) in waiting.into_iter().flatten().enumerate() {
        ensure_eq("a waiting task", join(handle), number + 1)?;
    }

    say(note, format_args!("room for {TASKS}"));
    ensure_eq("what came back", join(submit(refused.job)), number + 1)
}

pub(super) fn a_cancelled_task_does_not_run(_: &mut Note) -> Verdict {
    static GATE: Gate = Gate::new();
    static RAN: AtomicUsize = AtomicUsize::new(0);
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    let busy = GATE.occupy::<WORKERS>();
    let cargo = Dropped(&DROPPED);

    let mut handle = submit(move || {
        // ORDERING: Relaxed: read after the workers have passed it.
        RAN.fetch_add(1, Ordering::Relaxed);
        drop(cargo);
    });
    ensure_eq("before", handle.status(), Status::Pending)?;
    ensure(handle.cancel(), "a pending task could not be cancelled")?;
    ensure_eq("after", handle.status(), Status::Cancelled)?;
    ensure_eq("closures dropped at once", read(&DROPPED), 1)?;
    ensure(!handle.cancel(), "it was cancelled twice")?;
    ensure(matches!(handle.take(), Some(Outcome::Cancelled(None))), "another outcome")?;
    GATE.open();
    busy.into_iter().for_each(join);
    join(submit(|| ()));

    ensure_eq("runs", read(&RAN), 0)
}
