//! The checker's self-test: the outcome sets of programs small enough to know them beforehand.
//!
//! `cargo loom` runs it before any model. The published loom fails it, because it skips
//! interleavings: an own load hides another thread's (tokio-rs/loom#166, tokio-rs/loom#392). All
//! checks here are exhaustive: the preemption bound is not their subject.
#![cfg(asyncpal_loom)]

use loom::sync::Arc;
use loom::sync::atomic::{
    AtomicUsize, Ordering,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};
use loom::thread::{self, JoinHandle};
use loom_tests::outcomes;
use std::collections::BTreeSet;

#[test]
fn an_own_load_hides_no_load_of_another_thread() {
    let seen = outcomes("an_own_load_hides_no_load_of_another_thread", None, || {
        let x = Arc::new(AtomicUsize::new(0));
        let other = spawn(&x, |x| {
            x.load(Relaxed);
            x.store(1, Relaxed);
        });

        let seen = x.load(Relaxed);

        join(other);
        seen
    });

    assert_eq!(seen, BTreeSet::from([0, 1]));
}

#[test]
fn relaxed_stores_are_buffered_before_loads() {
    let seen =
        outcomes("relaxed_stores_are_buffered_before_loads", None, || store_buffering(|| ()));

    assert_eq!(seen, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
}

#[test]
fn sequentially_consistent_fences_forbid_store_buffering() {
    let seen = outcomes("sequentially_consistent_fences_forbid_store_buffering", None, || {
        store_buffering(|| fence(SeqCst))
    });

    assert_eq!(seen, BTreeSet::from([(0, 1), (1, 0), (1, 1)]));
}

#[test]
fn a_relaxed_flag_publishes_nothing() {
    let seen =
        outcomes("a_relaxed_flag_publishes_nothing", None, || message_passing(Relaxed, Relaxed));

    assert_eq!(seen, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
}

#[test]
fn a_released_flag_publishes_what_came_before_it() {
    let seen = outcomes("a_released_flag_publishes_what_came_before_it", None, || {
        message_passing(Release, Acquire)
    });

    assert_eq!(seen, BTreeSet::from([(0, 0), (0, 1), (1, 1)]));
}

#[test]
fn a_load_whose_value_is_dropped_changes_no_outcome() {
    let without = outcomes("loom_166_without_the_extra_load", None, || entry_and_reader(false));
    let with = outcomes("loom_166_with_the_extra_load", None, || entry_and_reader(true));

    assert_eq!(with, without);
    assert_eq!(with, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
}

#[test]
fn three_threads_on_one_atomic_have_every_coherent_outcome() {
    let programs = THREE_THREADS;
    let expected = coherent_outcomes(&programs);

    let seen =
        outcomes("three_threads_on_one_atomic_have_every_coherent_outcome", None, move || {
            let x = Arc::new(AtomicUsize::new(0));
            let [first, second, third] = programs;
            let second = spawn(&x, move |x| run(second, x));
            let third = spawn(&x, move |x| run(third, x));

            let first = run(first, &x);

            let reads = vec![first, join(second), join(third)];
            (reads, x.load(Relaxed))
        });

    assert_eq!(seen.len(), expected.len());
    assert_eq!(seen, expected);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_park_that_nobody_ends_is_reported() {
    loom::model(|| {
        let parked = thread::spawn(thread::park);

        join(parked);
    });
}

/// Each thread stores to one atomic and then loads the other: what do the loads see?
fn store_buffering(between: fn()) -> (usize, usize) {
    let (x, y) = two_atomics();
    let other = {
        let (x, y) = (x.clone(), y.clone());
        thread::spawn(move || {
            y.store(1, Relaxed);
            between();
            x.load(Relaxed)
        })
    };

    x.store(1, Relaxed);
    between();
    let seen = y.load(Relaxed);

    (seen, join(other))
}

/// One thread stores data and then a flag, the other loads the flag and then the data.
fn message_passing(publish: Ordering, observe: Ordering) -> (usize, usize) {
    let (data, flag) = two_atomics();
    let other = {
        let (data, flag) = (data.clone(), flag.clone());
        thread::spawn(move || {
            data.store(1, Relaxed);
            flag.store(1, publish);
        })
    };

    let outcome = (flag.load(observe), data.load(Relaxed));

    join(other);
    outcome
}

/// The program of tokio-rs/loom#166: a key that is taken and given back around a value that is set
/// and reset, and a reader of both.
fn entry_and_reader(with_extra_load: bool) -> (usize, usize) {
    let (key, value) = two_atomics();
    let writer = {
        let (key, value) = (key.clone(), value.clone());
        thread::spawn(move || {
            key.store(1, SeqCst);
            value.store(1, SeqCst);
            value.store(0, SeqCst);
            if with_extra_load {
                key.load(SeqCst);
            }
            key.store(0, SeqCst);
        })
    };
    let reader = thread::spawn(move || (value.load(SeqCst), key.load(SeqCst)));

    join(writer);
    join(reader)
}

#[derive(Clone, Copy)]
enum Step {
    Read,
    Write(usize),
}

type Program = &'static [Step];

/// What each thread reads, and the value at the end.
type Outcome = (Vec<Vec<usize>>, usize);

const THREE_THREADS: [Program; 3] =
    [&[Step::Read, Step::Read], &[Step::Read, Step::Write(1)], &[Step::Write(2), Step::Read]];

fn run(program: Program, x: &AtomicUsize) -> Vec<usize> {
    let mut reads = Vec::new();
    for step in program {
        match *step {
            Step::Read => reads.push(x.load(Relaxed)),
            Step::Write(value) => x.store(value, Relaxed),
        }
    }
    reads
}

/// Every outcome of every interleaving on plain memory.
///
/// On a *single* atomic the orderings do not matter: coherence makes the union of program order,
/// modification order, reads-from and from-reads acyclic, and a total order that extends it is an
/// interleaving in which each read sees the latest write.
fn coherent_outcomes(programs: &[Program; 3]) -> BTreeSet<Outcome> {
    fn go(rest: [Program; 3], value: usize, reads: &[Vec<usize>], seen: &mut BTreeSet<Outcome>) {
        if rest.iter().all(|program| program.is_empty()) {
            seen.insert((reads.to_vec(), value));
        }
        for thread in 0..rest.len() {
            let Some((step, after)) = rest[thread].split_first() else { continue };
            let mut rest = rest;
            rest[thread] = after;
            match *step {
                Step::Write(written) => go(rest, written, reads, seen),
                Step::Read => {
                    let mut reads = reads.to_vec();
                    reads[thread].push(value);
                    go(rest, value, &reads, seen);
                }
            }
        }
    }

    let mut seen = BTreeSet::new();
    go(*programs, 0, &[Vec::new(), Vec::new(), Vec::new()], &mut seen);
    seen
}

fn two_atomics() -> (Arc<AtomicUsize>, Arc<AtomicUsize>) {
    (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)))
}

fn spawn<T: 'static>(
    x: &Arc<AtomicUsize>,
    f: impl FnOnce(&AtomicUsize) -> T + 'static,
) -> JoinHandle<T> {
    let x = x.clone();
    thread::spawn(move || f(&x))
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no thread of the self-test panics")
}
