//! What one hart does at the very moment when another does something else.
//!
//! Each round lets hart 0 begin a little earlier or later. A wake-up that is lost ends the program,
//! see `wait`.

#![forbid(unsafe_code)]

use core::array;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use super::{HASTE, Verdict, completed, ensure_eq, join, say, submit};
use crate::harts::WORKERS;
use crate::pool::{Outcome, POOL};
use crate::report::Note;
use crate::wait::watch;

const ROUNDS: usize = 20_000 / HASTE;

/// A short while, longer from round to round and then short again.
fn delay(round: usize) {
    for turn in 0..(round * 7) % 256 {
        core::hint::black_box(turn);
    }
}

/// One task at a time, awaited by looking, not by sleeping: as soon as it is over the next one is
/// submitted, while its worker is on the way to `wfi`. Nobody else is there to find it.
pub(super) fn submit_and_sleep(note: &mut Note) -> Verdict {
    for round in 0..ROUNDS {
        let result = completed(watch(submit(move || round)));
        ensure_eq("the result", result, round)?;
        delay(round);
    }
    say(note, format_args!("{ROUNDS} rounds"));
    Ok(())
}

/// As above, but there is work for some or all of the workers.
pub(super) fn bursts_and_sleep(note: &mut Note) -> Verdict {
    for round in 0..ROUNDS / WORKERS {
        let count = round % WORKERS + 1;
        let tasks: [_; WORKERS] =
            array::from_fn(|n| (n < count).then(|| submit(move || round + n)));
        for (n, task) in tasks.into_iter().flatten().enumerate() {
            ensure_eq("the result", completed(watch(task)), round + n)?;
        }
        delay(round);
    }
    say(note, format_args!("{} rounds", ROUNDS / WORKERS));
    Ok(())
}

/// Workers that find nothing to do retire at once.
pub(super) fn submit_and_retire(note: &mut Note) -> Verdict {
    let harts = POOL.kind();
    let births = harts.births();
    harts.set_keep_alive(Duration::ZERO);
    POOL.rouse_workers();

    for round in 0..ROUNDS {
        let result = completed(watch(submit(move || round)));
        ensure_eq("the result", result, round)?;
        delay(round);
    }

    harts.set_keep_alive(Duration::from_secs(60));
    say(note, format_args!("{ROUNDS} rounds, {} workers", harts.births() - births));
    Ok(())
}

/// Either the task runs and its result comes, or it does not run at all.
pub(super) fn cancel_and_claim(note: &mut Note) -> Verdict {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let mut cancelled = 0;

    for round in 0..ROUNDS {
        let handle = submit(|| {
            // ORDERING: Relaxed: the outcome makes it seen.
            RAN.fetch_add(1, Ordering::Relaxed);
        });
        delay(round);
        let told = handle.cancel();
        match handle.join(&crate::wait::MAIN) {
            Outcome::Cancelled(None) if told => cancelled += 1,
            Outcome::Completed(()) if !told => {}
            _ => return ensure_eq("a cancel's answer", told, !told),
        }
    }
    join(submit(|| ()));

    say(note, format_args!("{cancelled} of {ROUNDS} cancelled"));
    // ORDERING: Relaxed: all of them are over.
    ensure_eq("runs", RAN.load(Ordering::Relaxed), ROUNDS - cancelled)
}
