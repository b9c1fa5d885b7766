//! Tasks that wait for tasks of their own pool.

#![forbid(unsafe_code)]

use super::{Gate, PAUSES, Verdict, completed, ensure_eq, join, say, submit, submit_with_seat};
use crate::harts::{Seat, WORKERS};
use crate::machine;
use crate::pool::{Handle, POOL};
use crate::report::Note;
use crate::wait::MAIN;

/// What a worker does that needs the result of a task.
fn join_nested<T: Send>(seat: &mut Seat, handle: Handle<T>) -> T {
    let parker = seat.nested();
    completed(POOL.join_nested(seat, parker, handle))
}

pub(super) fn a_waiting_worker_runs_the_task(_: &mut Note) -> Verdict {
    static GATE: Gate = Gate::new();
    let busy = GATE.occupy::<{ WORKERS - 1 }>();

    let harts = join(submit_with_seat(|seat| {
        let inner = submit(|| machine::hart());
        (machine::hart(), join_nested(seat, inner))
    }));
    GATE.open();
    busy.into_iter().for_each(join);

    ensure_eq("the inner task's hart", harts.1, harts.0)
}

/// The sum of a range, by halves: one half is submitted, one is done here.
fn sum(seat: &mut Seat, from: u32, to: u32) -> u32 {
    if to - from <= 16 {
        return (from..to).sum();
    }
    let middle = from + (to - from) / 2;
    match POOL.submit_with_seat(move |seat: &mut Seat| sum(seat, from, middle)) {
        Ok(half) => sum(seat, middle, to) + join_nested(seat, half),
        // No room: others have enough to do.
        Err(rejected) => (rejected.job)(seat) + sum(seat, middle, to),
    }
}

pub(super) fn forks_and_joins(note: &mut Note) -> Verdict {
    const TO: u32 = 1 << 15;

    let total = completed(submit_with_seat(|seat| sum(seat, 0, TO)).join(&MAIN));

    say(note, format_args!("the sum below {TO}, by halves"));
    ensure_eq("the sum", total, TO / 2 * (TO - 1))
}

pub(super) fn there_is_always_room(note: &mut Note) -> Verdict {
    const ROUNDS: usize = if PAUSES { 2 } else { 100 };
    const PER_ROUND: usize = 1000;
    static GATE: Gate = Gate::new();
    let busy = GATE.occupy::<{ WORKERS - 1 }>();

    let mut done = 0;
    for _ in 0..ROUNDS {
        done += join(submit_with_seat(|seat| {
            let mut done = 0;
            for _ in 0..PER_ROUND {
                let inner = submit(|| 1);
                done += join_nested(seat, inner);
            }
            done
        }));
    }
    GATE.open();
    busy.into_iter().for_each(join);

    say(note, format_args!("{done} tasks in tasks"));
    ensure_eq("tasks in tasks", done, ROUNDS * PER_ROUND)
}
