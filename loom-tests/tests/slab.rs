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
use loom::thread;
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

#[test]
fn a_slab_goes_with_its_last_task_or_its_owner() {
    model("a_slab_goes_with_its_last_task_or_its_owner", || {
        watched(ALL, || {
            let home = Home::new();
            let worker = with_slabs(|| {
                let (entry, handle) = task_in_slab(Small, &home);
                let worker = thread::spawn(move || assert!(work(entry)));
                drop(handle);
                worker
            });

            worker.join().expect("no panic");
        });
    });
}

#[test]
fn a_slab_goes_with_the_last_of_two_tasks_that_workers_free() {
    model("a_slab_goes_with_the_last_of_two_tasks_that_workers_free", || {
        watched(ALL, || {
            let home = Home::new();
            let [one, other] = two_without_handles(&home);

            let worker = thread::spawn(move || assert!(work(one)));
            assert!(work(other));

            worker.join().expect("no panic");
        });
    });
}

#[test]
fn a_slab_goes_with_its_owner_or_with_who_frees_two_tasks_in_a_row() {
    model("a_slab_goes_with_its_owner_or_with_who_frees_two_tasks_in_a_row", || {
        watched(ALL, || {
            let home = Home::new();
            let worker = with_slabs(|| {
                let entries = [(); 2].map(|()| without_handle(&home));
                thread::spawn(move || with_slabs(|| entries.map(|entry| assert!(work(entry)))))
            });

            worker.join().expect("no panic");
        });
    });
}

#[test]
fn a_slab_whose_tasks_are_gone_is_made_anew_by_its_owner_or_freed_by_a_worker() {
    let name = "a_slab_whose_tasks_are_gone_is_made_anew_by_its_owner_or_freed_by_a_worker";
    model(name, || {
        watched(ALL, || {
            let home = Home::new();
            let worker = with_slabs(|| {
                let (entry, handle) = task_in_slab(Large([1; 400]), &home);
                drop(handle);
                let worker = thread::spawn(move || assert!(work(entry)));

                let (entry, mut handle) = task_in_slab(Large([2; 400]), &home);
                assert!(work(entry));

                assert!(matches!(handle.take(), Some(Outcome::Completed(2))));
                worker
            });
            worker.join().expect("no panic");
        });
    });
}

/// The owner has one task of its open slab back when it closes it, or gives both tokens at once.
#[test]
fn an_owner_frees_what_it_has_made_itself_beside_a_worker() {
    model("an_owner_frees_what_it_has_made_itself_beside_a_worker", || {
        watched(ALL, || {
            let home = Home::new();
            let worker = with_slabs(|| {
                let [one, other] = [(); 2].map(|()| without_handle(&home));
                let worker = thread::spawn(move || with_slabs(|| assert!(work(one))));
                assert!(work(other));
                worker
            });
            worker.join().expect("no panic");
        });
    });
}

fn without_handle(home: &Arc<Home>) -> TaskRef<(), Infallible> {
    let (entry, handle) = task_in_slab(Small, home);
    drop(handle);
    entry
}

/// In a slab whose owner makes no more.
fn two_without_handles(home: &Arc<Home>) -> [TaskRef<(), Infallible>; 2] {
    with_slabs(|| [(); 2].map(|()| without_handle(home)))
}
