//! The queues are linearizable in schedules whose every step is chosen.

use super::checker::explain;
use super::explore::explore;
use super::recorder::{Play, record};
use super::subject::{Item, Subject};
use asyncpal_core::queue::{GrowableQueue, Queue};
use shuttle::rand::{RngCore, thread_rng};

const SCHEDULES: usize = 2000;

fn check<Q: Subject + Sync>() {
    let history = record::<Q>(Play { threads: 4, calls: 6 }, thread_rng().next_u64());

    assert!(explain(&history, Q::CAPACITY), "no order explains {history:#?}");
}

#[test]
fn a_growable_queue_is_linearizable_in_every_schedule() {
    explore(SCHEDULES, check::<GrowableQueue<Item, 2>>);
}

#[test]
fn a_bounded_queue_is_linearizable_in_every_schedule() {
    explore(SCHEDULES, check::<Queue<Item, 1>>);
    explore(SCHEDULES, check::<Queue<Item, 3>>);
}
