//! A task that a worker takes ahead of its turn and gives back (T10): it looks as before, and is not.

use crate::job::{OUTCOME, RUN, Scene, join, play};
use asyncpal_core::error::Outcome;
use asyncpal_core::task::testing;
use loom::thread;

/// E5: the canceller may have seen the task pending before the worker had it, and cancels it after.
#[test]
fn a_task_that_was_given_back_is_whole_to_its_canceller() {
    play("a_task_that_was_given_back_is_whole_to_its_canceller", None, |scene| {
        let Scene { entry, mut handle, ends, home } = scene;
        let worker = thread::spawn(move || testing::give_back(entry));

        let cancelled = handle.cancel();

        match join(worker) {
            None => assert!(cancelled, "a stub without a canceller"),
            Some(entry) => assert_ne!(testing::work(entry), cancelled),
        }
        let was_cancelled = matches!(handle.take(), Some(Outcome::Cancelled(None)));
        assert!(was_cancelled || !cancelled);
        drop(handle);
        assert_eq!((ends.of(RUN), home.withdrawals()), if was_cancelled { (0, 1) } else { (1, 0) });
        assert_eq!(ends.of(OUTCOME), ends.of(RUN));
    });
}

/// E5: the same with a worker that waits for the task, and runs it inline.
#[test]
fn a_task_that_was_given_back_is_whole_to_who_waits_for_it() {
    play("a_task_that_was_given_back_is_whole_to_who_waits_for_it", None, |scene| {
        let Scene { entry, mut handle, ends, home } = scene;
        let worker = thread::spawn(move || testing::give_back(entry));

        // SAFETY: the home has workers with the seat `()`, and this thread stands for one.
        let inline = unsafe { handle.run_inline(&mut ()) };

        let given_back = join(worker);
        assert!(inline || given_back.is_some(), "a stub that nobody made");
        if let Some(entry) = given_back {
            assert_ne!(testing::work(entry), inline);
        }
        assert!(matches!(handle.take(), Some(Outcome::Completed(_))));
        drop(handle);
        assert_eq!((ends.of(RUN), ends.of(OUTCOME)), (1, 1));
        assert_eq!(home.withdrawals(), usize::from(inline));
    });
}

/// S4: a handle that goes meanwhile is not forgotten, so the outcome has its end.
#[test]
fn a_handle_dropped_beside_the_giving_back_leaves_the_outcome_to_the_worker() {
    let name = "a_handle_dropped_beside_the_giving_back_leaves_the_outcome_to_the_worker";
    play(name, None, |scene| {
        let Scene { entry, handle, ends, .. } = scene;
        let worker = thread::spawn(move || {
            let entry = testing::give_back(entry).expect("nobody cancels it");
            assert!(testing::work(entry));
        });

        drop(handle);

        join(worker);
        assert_eq!((ends.of(RUN), ends.of(OUTCOME)), (1, 1));
    });
}
