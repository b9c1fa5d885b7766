//! Slabs: memory for tasks goes back once, after its last use.
//!
//! | claim of `slab` | models |
//! |---|---|
//! | B1, M1: a slab is freed once, after the last use of its tasks | every model: its memory is watched |
//! | who finds its own slab empty may make tasks in it again | `a_slab_whose_tasks_are_gone_…` |
//! | B3: tokens that are given back together | `…_two_tasks_in_a_row`, `an_owner_frees_…` |
#![cfg(asyncpal_loom)]

#[path = "common/memory.rs"]
mod memory;

use asyncpal_core::error::Outcome;
use asyncpal_core::task::testing::{Home, task_in_slab, with_slabs, work};
use asyncpal_core::task::{Job, TaskRef};
use core::convert::Infallible;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use loom_tests::model;
use memory::{ALL, watched};

/// With it a task takes more than half of a slab.
struct Large([u8; 400]);

impl Job<(), Infallible> for Large {
    type Output = u8;

    fn run(self, (): &mut ()) -> Result<u8, Infallible> {
        Ok(self.0[399])
    }
}

struct Small;

impl Job<(), Infallible> for Small {
    type Output = ();

    fn run(self, (): &mut ()) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Runs a model of a home's tasks, some of them in the hands of a worker that it returns.
fn check(name: &str, execution: impl Fn(&Arc<Home>) -> JoinHandle<()> + Send + Sync + 'static) {
    model(name, move || {
        watched(ALL, || {
            let home = Home::new();
            execution(&home).join().expect("no panic");
        });
    });
}

fn without_handle<J: Job<(), Infallible>>(job: J, home: &Arc<Home>) -> TaskRef<(), Infallible> {
    let (entry, handle) = task_in_slab(job, home);
    drop(handle);
    entry
}

fn freed_by_a_worker(entry: TaskRef<(), Infallible>) -> JoinHandle<()> {
    thread::spawn(move || assert!(work(entry)))
}

#[test]
fn a_slab_goes_with_its_last_task_or_its_owner() {
    check("a_slab_goes_with_its_last_task_or_its_owner", |home| {
        with_slabs(|| {
            let (entry, handle) = task_in_slab(Small, home);
            let worker = freed_by_a_worker(entry);
            drop(handle);
            worker
        })
    });
}

#[test]
fn a_slab_goes_with_the_last_of_two_tasks_that_workers_free() {
    check("a_slab_goes_with_the_last_of_two_tasks_that_workers_free", |home| {
        let [one, other] = with_slabs(|| [(); 2].map(|()| without_handle(Small, home)));
        let worker = freed_by_a_worker(one);
        assert!(work(other));
        worker
    });
}

#[test]
fn a_slab_goes_with_its_owner_or_with_who_frees_two_tasks_in_a_row() {
    check("a_slab_goes_with_its_owner_or_with_who_frees_two_tasks_in_a_row", |home| {
        with_slabs(|| {
            let entries = [(); 2].map(|()| without_handle(Small, home));
            thread::spawn(move || {
                with_slabs(|| entries.into_iter().for_each(|entry| assert!(work(entry))))
            })
        })
    });
}

#[test]
fn a_slab_whose_tasks_are_gone_is_made_anew_by_its_owner_or_freed_by_a_worker() {
    let name = "a_slab_whose_tasks_are_gone_is_made_anew_by_its_owner_or_freed_by_a_worker";
    check(name, |home| {
        with_slabs(|| {
            let worker = freed_by_a_worker(without_handle(Large([1; 400]), home));

            let (entry, mut handle) = task_in_slab(Large([2; 400]), home);
            assert!(work(entry));

            assert!(matches!(handle.take(), Some(Outcome::Completed(2))));
            worker
        })
    });
}

/// The owner has one task of its open slab back when it closes it, or gives both tokens at once.
#[test]
fn an_owner_frees_what_it_has_made_itself_beside_a_worker() {
    check("an_owner_frees_what_it_has_made_itself_beside_a_worker", |home| {
        with_slabs(|| {
            let [one, other] = [(); 2].map(|()| without_handle(Small, home));
            let worker = thread::spawn(move || with_slabs(|| assert!(work(one))));
            assert!(work(other));
            worker
        })
    });
}
