//! Pools whose workers lend their seats to callers that would wait for their tasks anyway.

use super::explore::explore;
use super::kind::{CALM, Chances};
use super::park::SchedulePark;
use super::pool::{MANY, Pool, Setting, play_on};
use asyncpal_core::park::Park;
use shuttle::thread;
use std::sync::Arc;

const SCHEDULES: usize = 1000;

/// Each of two callers has a task run, here or there, that waits for the task that the caller submits meanwhile.
/// There are more slots than tasks that wait.
fn play_with_borrowers_that_wait(chances: Chances) {
    let pool = Arc::new(Pool::<true>::new(Setting { workers: 3, chances, ..MANY }));
    let callers = [(); 2].map(|()| {
        let pool = Arc::clone(&pool);
        thread::spawn(move || {
            for _ in 0..3 {
                let later = Arc::new(SchedulePark::new());
                let earlier = Arc::clone(&later);
                let waits = thread::spawn({
                    let pool = Arc::clone(&pool);
                    move || pool.run_to_its_end(Box::new(move |()| earlier.wait()))
                });
                pool.run_to_its_end(Box::new(move |()| later.unpark()));
                waits.join().expect("no caller panics");
            }
        })
    });
    for caller in callers {
        caller.join().expect("no caller panics");
    }
    pool.wait_until_all_retire();
    pool.end(false);
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
