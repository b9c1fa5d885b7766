//! Pools whose workers lend their seats to callers that would wait for their tasks anyway.

use super::explore::explore;
use super::kind::{CALM, Chances};
use super::pool::{MANY, Setting, play_on, play_with_pairs};
use shuttle::thread;
use std::sync::Arc;

const SCHEDULES: usize = 1000;

/// The tasks run here or there.
fn play_with_borrowers_that_wait(chances: Chances) {
    play_with_pairs::<true>(chances, |pool, [waits, awaited]| {
        let other = Arc::clone(pool);
        let waits = thread::spawn(move || other.run_to_its_end(waits));
        pool.run_to_its_end(awaited);
        waits.join().expect("no caller panics");
    });
}

#[test]
fn every_task_of_a_pool_that_lends_is_settled() {
    explore(SCHEDULES, || play_on::<true>(MANY));
    explore(SCHEDULES, || {
        let chances = Chances { keep_alive: 60, recycled: 10, ..CALM };
        play_on::<true>(Setting { workers: 2, submitters: 3, chances, renewals: 3, ..MANY });
    });
    explore(SCHEDULES, || {
        let chances = Chances { keep_alive: 30, ..CALM };
        play_on::<true>(Setting { workers: 1, submitters: 3, chances, renewals: 1, ..MANY });
    });
}

#[test]
fn a_borrower_s_task_is_not_in_the_way_of_another() {
    explore(2 * SCHEDULES, || play_with_borrowers_that_wait(CALM));
    explore(2 * SCHEDULES, || {
        play_with_borrowers_that_wait(Chances { keep_alive: 60, recycled: 20, ..CALM });
    });
}
