//! How workers come and go, and how the pool ends.

#![forbid(unsafe_code)]

use core::array;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use asyncpal::executor::Rejection;

use super::{Gate, Verdict, ensure, ensure_eq, join, say, submit};
use crate::harts::WORKERS;
use crate::pool::{Outcome, POOL};
use crate::report::Note;
use crate::wait::{MAIN, until};

pub(super) fn every_hart_is_off(_: &mut Note) -> Verdict {
    ensure_eq("workers", POOL.counts().workers, 0)?;
    ensure_eq("workers ever spawned", POOL.kind().births(), 0)
}

pub(super) fn idle_harts_go_off(note: &mut Note) -> Verdict {
    const KEEP_ALIVE: Duration = Duration::from_millis(20);
    static GATES: [Gate; 2] = [const { Gate::new() }; 2];
    let harts = POOL.kind();
    let all_work = |gate: &'static Gate| {
        let tasks = gate.occupy::<WORKERS>();
        let on = harts.on();
        gate.open();
        tasks.into_iter().for_each(join);
        on
    };
    let births = harts.births();
    harts.set_keep_alive(KEEP_ALIVE);
    POOL.rouse_workers();

    ensure_eq("harts on", all_work(&GATES[0]), WORKERS)?;
    until(|| harts.on() == 0);
    ensure_eq("workers", POOL.counts().workers, 0)?;
    harts.set_keep_alive(Duration::from_secs(60));
    ensure_eq("harts on again", all_work(&GATES[1]), WORKERS)?;

    say(note, format_args!("after {KEEP_ALIVE:?}; {} workers", harts.births() - births));
    Ok(())
}

pub(super) fn closing(_: &mut Note) -> Verdict {
    static GATE: Gate = Gate::new();
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let running = GATE.occupy::<WORKERS>();
    let waiting: [_; 10] = array::from_fn(|_| {
        // ORDERING: Relaxed: read when all workers are gone.
        submit(|| RAN.fetch_add(1, Ordering::Relaxed))
    });

    ensure(POOL.close(), "it was closed before")?;
    for task in waiting {
        ensure(matches!(task.join(&MAIN), Outcome::Cancelled(None)), "a waiting task ran")?;
    }
    match POOL.submit(|| 6 * 7) {
        Ok(_) => ensure(false, "a closed pool took a task")?,
        Err(rejected) => {
            ensure(matches!(rejected.reason, Rejection::Closed), "the reason is another one")?;
        }
    }
    GATE.open();
    running.into_iter().for_each(join);
    until(|| POOL.kind().on() == 0);

    ensure_eq("workers", POOL.counts().workers, 0)?;
    // ORDERING: Relaxed: all workers are gone.
    ensure_eq("waiting tasks that ran", RAN.load(Ordering::Relaxed), 0)
}
