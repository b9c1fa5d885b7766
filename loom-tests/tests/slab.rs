//! Slabs: memory for tasks goes back once, after its last use.
//!
//! | claim of `slab` | models |
//! |---|---|
//! | B1, M1: a slab is freed once, after the last use of its tasks | every model: its memory is watched |
//! | who finds its own slab empty may make tasks in it again | `a_slab_whose_tasks_are_gone_…` |
#![cfg(asyncpal_loom)]

#[path = "common/memory.rs"]
mod memory;

use asyncpal_core::error::Outcome;
use asyncpal_core::task::testing::{self, Home};
use asyncpal_core::task::{Handle, Job, Slabs, TaskRef};
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

fn make<J: Job<(), Infallible>>(
    slabs: &mut Slabs,
    job: J,
    home: &Arc<Home>,
) -> (TaskRef<(), Infallible>, Handle<J::Output, Infallible>) {
    testing::task_in(slabs, job, home)
}

#[test]
fn a_slab_goes_with_its_last_task_or_its_owner() {
    model("a_slab_goes_with_its_last_task_or_its_owner", || {
        watched(ALL, || {
            let (mut slabs, home) = (Slabs::new(), Home::new());
            let (entry, handle) = make(&mut slabs, Small, &home);
            let worker = thread::spawn(move || assert!(testing::work(entry)));

            drop(handle);
            drop(slabs);

            worker.join().expect("no panic");
        });
    });
}

#[test]
fn a_slab_goes_with_the_last_of_two_tasks_that_workers_free() {
    model("a_slab_goes_with_the_last_of_two_tasks_that_workers_free", || {
        watched(ALL, || {
            let (mut slabs, home) = (Slabs::new(), Home::new());
            let [one, other] = [(), ()].map(|()| {
                let (entry, handle) = make(&mut slabs, Small, &home);
                drop(handle);
                entry
            });
            drop(slabs);

            let worker = thread::spawn(move || assert!(testing::work(one)));
            assert!(testing::work(other));

            worker.join().expect("no panic");
        });
    });
}

#[test]
fn a_slab_whose_tasks_are_gone_is_made_anew_by_its_owner_or_freed_by_a_worker() {
    let name = "a_slab_whose_tasks_are_gone_is_made_anew_by_its_owner_or_freed_by_a_worker";
    model(name, || {
        watched(ALL, || {
            let (mut slabs, home) = (Slabs::new(), Home::new());
            let (entry, handle) = make(&mut slabs, Large([1; 400]), &home);
            drop(handle);
            let worker = thread::spawn(move || assert!(testing::work(entry)));

            let (entry, mut handle) = make(&mut slabs, Large([2; 400]), &home);
            assert!(testing::work(entry));

            assert!(matches!(handle.take(), Some(Outcome::Completed(2))));
            worker.join().expect("no panic");
        });
    });
}
