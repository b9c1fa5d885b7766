//! Queues on real threads: what concurrent calls answered, some order of single moments explains.
//!
//! Each thread notes when each of its calls began and ended, by one counter for all, and what the
//! call answered. `checker` looks for an order of moments, one within each call, in which a
//! sequential queue answers the same.
//!
//! # Claims
//! - The growable queue is linearizable: every push and every pop happens at one moment, also a pop
//!   that finds nothing, and a consumer that is certain that the queue is empty.
//! - So is the bounded queue, but for a full one: a slot is in use from a moment of its push to a
//!   later moment of its pop, while its item is there from a moment in between to a moment in
//!   between. `Full` means that all slots were in use at one moment of the call: a thread in the
//!   middle of a push or a pop holds at most one slot beside those of the items.
//!
//! # Reach
//! The counter is itself a locked instruction on most processors, and orders more than the queue
//! does by itself: orderings are the subject of the loom models. `ASYNCPAL_ROUNDS` says how many
//! rounds each test plays; a failure prints the seed, which `ASYNCPAL_SEED` takes.
#![cfg(all(feature = "alloc", not(any(asyncpal_loom, asyncpal_shuttle))))]
#![expect(unreachable_pub, reason = "the modules of one test file see each other only")]

#[path = "linearizability/broken.rs"]
mod broken;
#[path = "linearizability/checker.rs"]
mod checker;
#[path = "linearizability/recorder.rs"]
mod recorder;
#[path = "model/subject.rs"]
mod subject;

use asyncpal_core::queue::{GrowableQueue, Queue};
use broken::Broken;
use checker::{Call, What, explain};
use recorder::{History, Play, record};
use std::{env, thread};
use subject::{Item, Subject};

const PLAY: Play = Play { threads: 4, calls: 500 };
const ROUNDS: u64 = 20;

/// Checks every round.
///
/// # Panics
///
/// If one has no explanation; it is printed.
fn check<Q: Subject + Sync>() {
    let rounds = number("ASYNCPAL_ROUNDS").unwrap_or(ROUNDS);
    let mut overlapping = 0;
    if let Some((seed, history)) = first_unexplained::<Q>(rounds, &mut overlapping) {
        let calls = history.iter().enumerate();
        let mut calls: Vec<_> = calls
            .flat_map(|(thread, calls)| calls.iter().map(move |call| (thread, call)))
            .collect();
        calls.sort_by_key(|(_, call)| call.began);
        let lines: Vec<_> =
            calls.iter().map(|(thread, call)| format!("thread {thread}: {call:?}\n")).collect();
        panic!("no order explains this, ASYNCPAL_SEED={seed}:\n{}", lines.concat());
    }
    println!("{rounds} rounds, {overlapping} calls beside others");
}

/// Whether some round has no explanation.
fn find<Q: Subject + Sync>() -> bool {
    first_unexplained::<Q>(ROUNDS, &mut 0).is_some()
}

fn first_unexplained<Q: Subject + Sync>(
    rounds: u64,
    overlapping: &mut usize,
) -> Option<(u64, History)> {
    let seed = number("ASYNCPAL_SEED").unwrap_or(1);
    (seed..seed + rounds).find_map(|seed| {
        let history = record::<Q>(PLAY, seed);
        *overlapping += overlaps(&history);
        (!explain(&history, Q::CAPACITY)).then_some((seed, history))
    })
}

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|error| panic!("{variable} is `{value}`: {error}")))
}

/// How many calls began while another was not over.
fn overlaps(history: &History) -> usize {
    let mut calls: Vec<_> = history.concat();
    calls.sort_by_key(|call| call.began);
    let mut last_end = 0;
    let mut overlaps = 0;
    for call in calls {
        overlaps += usize::from(call.began < last_end);
        last_end = last_end.max(call.ended);
    }
    overlaps
}

#[test]
fn what_threads_see_of_a_growable_queue_has_an_order() {
    check::<GrowableQueue<Item, 2>>();
    check::<GrowableQueue<Item>>();
}

#[test]
fn what_threads_see_of_a_bounded_queue_has_an_order() {
    check::<Queue<Item, 1>>();
    check::<Queue<Item, 2>>();
    check::<Queue<Item, 3>>();
}

/// As many rounds as it takes: what each broken queue does wrong needs no race.
#[test]
fn what_threads_see_of_a_broken_queue_has_none() {
    assert!(!find::<Broken<{ broken::NOTHING }>>(), "a mutex and a deque are in order");

    assert!(find::<Broken<{ broken::LAST_IN_FIRST_OUT }>>());
    assert!(find::<Broken<{ broken::LOSES_AN_ITEM }>>());
    assert!(find::<Broken<{ broken::POPS_AN_ITEM_TWICE }>>());
    assert!(find::<Broken<{ broken::MISSES_AN_ITEM }>>());
    assert!(find::<Broken<{ broken::FULL_TOO_EARLY }>>());
    assert!(find::<Broken<{ broken::FULL_TOO_LATE }>>());
}

const fn call(what: What, began: u64, ended: u64) -> Call {
    Call { what, began, ended }
}

/// Whether these calls, each on a thread of its own, have an explanation.
fn explained(calls: &[Call], capacity: Option<usize>) -> bool {
    let threads: Vec<_> = calls.iter().map(|&call| vec![call]).collect();
    explain(&threads, capacity)
}

#[test]
fn concurrent_pushes_may_come_out_in_either_order() {
    let pushes = [call(What::Push(1), 0, 2), call(What::Push(2), 1, 3)];

    let one_way = [call(What::Pop(1), 4, 5), call(What::Pop(2), 6, 7)];
    let other_way = [call(What::Pop(2), 4, 5), call(What::Pop(1), 6, 7)];
    let twice = [call(What::Pop(2), 4, 5), call(What::Pop(2), 6, 7)];

    assert!(explained(&[pushes, one_way].concat(), None));
    assert!(explained(&[pushes, other_way].concat(), None));
    assert!(!explained(&[pushes, twice].concat(), None));
}

#[test]
fn pushes_one_after_the_other_come_out_in_their_order() {
    let pushes = [call(What::Push(1), 0, 1), call(What::Push(2), 2, 3)];

    // The second push is done before the first pop begins, yet comes out first.
    let overtaken = [call(What::Pop(2), 4, 5), call(What::Pop(1), 6, 7)];

    assert!(!explained(&[pushes, overtaken].concat(), None));
}

#[test]
fn a_pop_finds_nothing_only_while_nothing_is_there() {
    let push = call(What::Push(1), 0, 1);

    assert!(!explained(&[push, call(What::Nothing, 2, 3)], None), "it is there");
    assert!(explained(&[push, call(What::Nothing, 0, 3)], None), "it may have come later");
    assert!(explained(&[push, call(What::Pop(1), 2, 4), call(What::Nothing, 3, 5)], None));
}

#[test]
fn a_queue_is_full_while_all_slots_are_in_use() {
    let push = call(What::Push(1), 0, 1);
    let full = |began, ended| call(What::Full, began, ended);

    assert!(explained(&[push, full(2, 3)], Some(1)));
    assert!(!explained(&[push, full(2, 3)], Some(2)), "a slot is free");
    assert!(!explained(&[push, full(2, 3)], None), "there is always room");

    // A pop has taken the item, as a second pop proves, and has not yet let go of the slot.
    let pop = call(What::Pop(1), 2, 9);
    let gone = call(What::Nothing, 3, 4);
    assert!(explained(&[push, pop, gone, full(5, 6)], Some(1)), "its slot may be in use");
    assert!(!explained(&[push, pop, gone, full(10, 11)], Some(1)), "its slot is free");

    // A push has its slot, and has not yet put its item.
    let slow = call(What::Push(1), 0, 9);
    let not_yet = call(What::Nothing, 3, 4);
    assert!(explained(&[slow, full(1, 2), not_yet], Some(1)), "its slot may be in use");
}

#[test]
fn more_items_than_slots_are_explained_by_nothing() {
    let pushes = [call(What::Push(1), 0, 1), call(What::Push(2), 2, 3)];

    assert!(explained(&pushes, Some(2)));
    assert!(!explained(&pushes, Some(1)));
}
