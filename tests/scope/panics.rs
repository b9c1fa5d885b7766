//! Panics in scopes: of tasks, of the body, of destructors.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;

use crate::tasks::pool;
use crate::{Witness, panic_of, quiet_panic};
use asyncpal::TaskError;

#[test]
fn a_panic_that_is_collected_is_not_the_scopes() {
    let pool = pool(1);

    let message = pool.scope(|scope| {
        let task = scope.submit(|| quiet_panic("expected")).expect("open");
        match task.collect() {
            Err(TaskError::Panicked(panic)) => panic.message().map(String::from),
            other => panic!("{other:?}"),
        }
    });

    assert_eq!(message.as_deref(), Some("expected"));
}

#[test]
fn a_scope_resumes_the_first_panic_that_nobody_collected_after_all_tasks_are_over() {
    let pool = pool(1);
    let mut last_ran = false;

    let text = panic_of(|| {
        pool.scope(|scope| {
            let collected = scope.submit(|| quiet_panic("collected")).expect("open");
            drop(scope.submit(|| quiet_panic("first")).expect("open"));
            core::mem::forget(scope.submit(|| quiet_panic("second")).expect("open"));
            drop(scope.submit(|| last_ran = true).expect("open"));
            assert!(collected.collect().is_err());
        });
    });

    assert_eq!(text, "first");
    assert!(last_ran);
}

#[test]
fn a_body_that_panics_waits_for_its_tasks_and_its_panic_wins() {
    let pool = pool(1);
    let (mut ran, dropped) = (false, AtomicUsize::new(0));

    let text = panic_of(|| {
        pool.scope(|scope| {
            drop(scope.submit(|| quiet_panic("a task's")).expect("open"));
            let _handle = scope.submit(|| {
                ran = true;
                Witness(&dropped)
            });
            quiet_panic("the body's");
        })
    });

    assert_eq!(text, "the body's");
    assert!(ran);
    assert_eq!(dropped.into_inner(), 1);
}

#[test]
fn a_destructor_that_panics_is_a_panic_of_its_task() {
    struct Bomb<'a>(&'a AtomicUsize, &'static str);
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            quiet_panic(self.1);
        }
    }
    let pool = pool(1);
    let dropped = AtomicUsize::new(0);

    let of_output =
        panic_of(|| pool.scope(|scope| drop(scope.submit(|| Bomb(&dropped, "output")))));
    let of_closure = panic_of(|| {
        pool.scope(|scope| {
            let (gate, closed) = mpsc::channel::<()>();
            drop(scope.submit(move || closed.recv().is_err()));
            let bomb = Bomb(&dropped, "closure");
            let task = scope.submit(move || drop(bomb)).expect("open");
            assert!(task.cancel());
            drop(gate);
        })
    });

    assert_eq!((of_output, of_closure), ("output", "closure"));
    assert_eq!(dropped.into_inner(), 2);
    assert_eq!(pool.run(|| 1).expect("the worker is unharmed"), 1);
}
