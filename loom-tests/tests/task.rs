//! The task: who ends it, who is told, who frees it.
//!
//! Entries and handles come from `task::testing`, which stands for the engine; whoever has an entry
//! is what a worker, a shutdown or a failed spawn is to the task.
//!
//! | claim of `task` | models |
//! |---|---|
//! | S1: one thread ends the task | `a_worker_a_canceller_and_an_inline_claimer_…` |
//! | S2, S4, E1: one outcome, published, dropped once | `an_outcome_…`, `a_dropped_handle_…` |
//! | S3, E3: freed once, after the last use | every model: a task's memory is watched |
//! | S5, E2: the waker slot | `a_waiter_…`, `a_poll_…` |
//! | O1 to O4: callbacks | `a_callback_…`, `callbacks_…`, `an_emptied_place_…` |
//! | E1: the outcome in its place | `an_outcome_is_looked_at_…` |
//! | E4: a request to stop | `request::a_request_to_stop_…` |
//! | T10, E5: a task that a worker gives back | `given_back::…` |
//! | the home is alive when it is touched | `a_canceller_at_its_accounts_…` |
#![cfg(asyncpal_loom)]

#[path = "common/ends.rs"]
mod ends;
#[path = "task/given_back.rs"]
mod given_back;
#[path = "common/job.rs"]
mod job;
#[path = "common/memory.rs"]
mod memory;
#[path = "common/parker.rs"]
mod parker;
#[path = "task/request.rs"]
mod request;

use asyncpal_core::error::Outcome;
use asyncpal_core::task::{Registration, oneshot, testing};
use ends::Ends;
use job::{CALLBACK, DROPPED, OUTCOME, RUN, Scene, Value, callback, join, play, poll, wait};
use loom::thread;
use loom_tests::model_bounded;
use parker::Parker;
use std::rc::Rc;

#[test]
fn an_outcome_is_taken_once_and_whole() {
    play("an_outcome_is_taken_once_and_whole", None, |scene| {
        let Scene { entry, mut handle, ends, home } = scene;
        let worker = thread::spawn(move || assert!(testing::work(entry)));

        let early = handle.take();

        join(worker);
        let late = handle.take();
        assert!(early.is_some() != late.is_some(), "the outcome comes once");
        assert!(matches!(early.or(late), Some(Outcome::Completed(_))));
        assert!(handle.durations().is_some());
        drop(handle);
        assert_eq!((ends.of(RUN), ends.of(OUTCOME), home.withdrawals()), (1, 1, 0));
    });
}

#[test]
fn an_outcome_is_looked_at_where_it_is_and_taken_afterwards() {
    play("an_outcome_is_looked_at_where_it_is_and_taken_afterwards", None, |scene| {
        let Scene { entry, mut handle, ends, .. } = scene;
        let worker = thread::spawn(move || assert!(testing::work(entry)));

        let seen = match handle.peek() {
            Some(Outcome::Completed(value)) => value.is_whole(),
            Some(_) => unreachable!("it returns"),
            None => true,
        };

        assert!(seen);
        join(worker);
        assert!(matches!(handle.peek(), Some(Outcome::Completed(_))));
        assert!(handle.take().is_some() && handle.peek().is_none());
        drop(handle);
        assert_eq!(ends.of(OUTCOME), 1);
    });
}

#[test]
fn a_waiter_is_woken_by_the_end() {
    play("a_waiter_is_woken_by_the_end", None, |scene| {
        let Scene { entry, mut handle, ends, .. } = scene;
        let worker = thread::spawn(move || testing::work(entry));
        let parker = Parker::new();

        wait(&handle, &parker);

        assert!(matches!(handle.take(), Some(Outcome::Completed(_))));
        join(worker);
        drop(handle);
        assert_eq!((ends.of(OUTCOME), std::sync::Arc::strong_count(&parker)), (1, 1));
    });
}

#[test]
fn a_waiter_that_gave_up_is_not_woken_and_its_successor_is() {
    play("a_waiter_that_gave_up_is_not_woken_and_its_successor_is", Some(2), |scene| {
        let Scene { entry, mut handle, .. } = scene;
        let worker = thread::spawn(move || testing::work(entry));
        let (first, second) = (Parker::new(), Parker::new());

        let registration = handle.register(&first.clone().into());
        assert!(!matches!(registration, Registration::Busy));
        drop(registration);
        if !handle.is_done() {
            assert!(!first.has_token(), "woken after it gave up, or before the end");
        }
        wait(&handle, &second);

        assert!(handle.take().is_some());
        join(worker);
        drop(handle);
        let wakers = [first, second].map(|parker| std::sync::Arc::strong_count(&parker));
        assert_eq!(wakers, [1, 1], "a waker outlives its task");
    });
}

#[test]
fn a_waiter_after_another_ones_timeout_has_the_slot_to_itself() {
    play("a_waiter_after_another_ones_timeout_has_the_slot_to_itself", Some(2), |scene| {
        let Scene { entry, handle, .. } = scene;
        let handle = Rc::new(handle);
        let worker = thread::spawn(move || testing::work(entry));
        let other = {
            let handle = handle.clone();
            thread::spawn(move || {
                let parker = Parker::new();
                let registration = handle.register(&parker.clone().into());
                drop(registration);
            })
        };
        let parker = Parker::new();

        let registered = match handle.register(&parker.clone().into()) {
            Registration::Armed(registered) => Some(registered),
            Registration::Busy | Registration::Done => None,
        };
        if registered.is_some() {
            parker.park();
            assert!(handle.is_done(), "woken before the end");
        }
        drop(registered);

        join(other);
        assert!(join(worker));
        drop(handle);
        assert_eq!(std::sync::Arc::strong_count(&parker), 1);
    });
}

#[test]
fn a_poll_is_followed_by_a_wake_of_its_own_waker() {
    play("a_poll_is_followed_by_a_wake_of_its_own_waker", Some(2), |scene| {
        let Scene { entry, mut handle, .. } = scene;
        let worker = thread::spawn(move || testing::work(entry));
        let (first, second) = (Parker::new(), Parker::new());

        let mut outcome = poll(&mut handle, &first);
        while outcome.is_none() {
            outcome = poll(&mut handle, &second);
            if outcome.is_none() {
                second.park();
            }
        }

        assert!(matches!(outcome, Some(Outcome::Completed(_))));
        join(worker);
        drop(handle);
        let wakers = [first, second].map(|parker| std::sync::Arc::strong_count(&parker));
        assert_eq!(wakers, [1, 1], "a waker outlives its task");
    });
}

#[test]
fn a_worker_and_a_canceller_end_a_task_once() {
    play("a_worker_and_a_canceller_end_a_task_once", None, |scene| {
        let Scene { entry, mut handle, ends, home } = scene;
        let worker = thread::spawn(move || testing::work(entry));

        let cancelled = handle.cancel();

        assert_ne!(cancelled, join(worker));
        assert_eq!(cancelled, matches!(handle.take(), Some(Outcome::Cancelled(None))));
        drop(handle);
        assert_eq!(ends.of(RUN) + home.withdrawals(), 1);
        assert_eq!(ends.of(OUTCOME), ends.of(RUN));
    });
}

#[test]
fn a_worker_a_canceller_and_an_inline_claimer_end_a_task_once() {
    play("a_worker_a_canceller_and_an_inline_claimer_end_a_task_once", Some(2), |scene| {
        let Scene { entry, handle, ends, home } = scene;
        let handle = Rc::new(handle);
        let worker = thread::spawn(move || testing::work(entry));
        let inline = {
            let handle = handle.clone();
            // SAFETY: the home has workers with the seat `()`, and this thread stands for one.
            thread::spawn(move || unsafe { handle.run_inline(&mut ()) })
        };

        let cancelled = handle.cancel();

        let ended = [cancelled, join(worker), join(inline)];
        assert_eq!(ended.into_iter().filter(|&ended| ended).count(), 1);
        assert!(handle.is_done());
        drop(handle);
        assert_eq!(ends.of(RUN), usize::from(!cancelled));
        assert_eq!(home.withdrawals(), usize::from(!ended[1]));
        assert_eq!(ends.of(OUTCOME), ends.of(RUN));
    });
}

#[test]
fn a_dropped_handle_leaves_the_outcome_to_the_worker() {
    play("a_dropped_handle_leaves_the_outcome_to_the_worker", None, |scene| {
        let Scene { entry, handle, ends, .. } = scene;
        let worker = thread::spawn(move || testing::work(entry));

        drop(handle);

        join(worker);
        assert_eq!((ends.of(RUN), ends.of(OUTCOME)), (1, 1));
    });
}

#[test]
fn a_dropped_handle_leaves_the_cause_to_the_shutdown() {
    play("a_dropped_handle_leaves_the_cause_to_the_shutdown", None, |scene| {
        let Scene { entry, handle, ends, home } = scene;
        let shutdown = {
            let (home, cause) = (home.clone(), Value::new(&ends));
            thread::spawn(move || {
                testing::cancel(entry, Some(cause));
                drop(home);
            })
        };

        let cancelled = handle.cancel();
        drop(handle);

        join(shutdown);
        assert_eq!((ends.of(RUN), ends.of(OUTCOME)), (0, 1));
        assert_eq!(home.withdrawals(), 1, "cancelled by both, or by none: {cancelled}");
    });
}

#[test]
fn a_dropped_handle_takes_its_waker_along() {
    play("a_dropped_handle_takes_its_waker_along", None, |scene| {
        let Scene { entry, mut handle, ends, .. } = scene;
        let worker = thread::spawn(move || testing::work(entry));
        let parker = Parker::new();

        let early = poll(&mut handle, &parker);
        drop(handle);

        let is_early = ends.of(RUN) == 0;
        let wakers = std::sync::Arc::strong_count(&parker);
        join(worker);
        assert!(!is_early || wakers == 1, "a waker outlives its handle");
        assert!(!is_early || !parker.has_token(), "woken without a handle");
        drop(early);
        assert_eq!((ends.of(OUTCOME), std::sync::Arc::strong_count(&parker)), (1, 1));
    });
}

#[test]
fn a_callback_runs_once_unless_it_was_removed() {
    play("a_callback_runs_once_unless_it_was_removed", None, |scene| {
        let Scene { entry, handle, ends, .. } = scene;
        let worker = thread::spawn(move || testing::work(entry));

        let id = handle.on_done(callback(&ends, CALLBACK));
        let removed = id.is_some_and(|id| handle.remove_observer(id));

        join(worker);
        drop(handle);
        assert_eq!(ends.of(CALLBACK), usize::from(!removed));
        assert_eq!(ends.of(CALLBACK + DROPPED), 1);
    });
}

#[test]
fn callbacks_of_two_threads_run_once_each() {
    play("callbacks_of_two_threads_run_once_each", Some(2), |scene| {
        let Scene { entry, handle, ends, .. } = scene;
        let handle = Rc::new(handle);
        let worker = thread::spawn(move || testing::work(entry));
        let other = {
            let (handle, ends) = (handle.clone(), ends.clone());
            thread::spawn(move || {
                handle.on_done(callback(&ends, CALLBACK));
            })
        };

        handle.on_done(callback(&ends, CALLBACK + 1));

        join(other);
        join(worker);
        drop(handle);
        assert_eq!([CALLBACK, CALLBACK + 1].map(|id| ends.of(id)), [1, 1]);
    });
}

#[test]
fn an_emptied_place_takes_another_threads_callback() {
    play("an_emptied_place_takes_another_threads_callback", Some(2), |scene| {
        let Scene { entry, handle, ends, .. } = scene;
        let handle = Rc::new(handle);
        let first = handle.on_done(callback(&ends, CALLBACK)).expect("it is pending");
        let worker = thread::spawn(move || testing::work(entry));
        let other = {
            let (handle, ends) = (handle.clone(), ends.clone());
            thread::spawn(move || {
                handle.on_done(callback(&ends, CALLBACK + 1));
            })
        };

        let removed = handle.remove_observer(first);

        join(other);
        join(worker);
        drop(handle);
        assert_eq!([CALLBACK, CALLBACK + 1].map(|id| ends.of(id)), [usize::from(!removed), 1]);
    });
}

/// O4: the list of another task than the callback's, while somebody makes it.
#[test]
fn a_callback_of_another_task_is_looked_for_in_a_whole_list() {
    model_bounded("a_callback_of_another_task_is_looked_for_in_a_whole_list", None, || {
        let [(_completer, first), (completer, second)] = [(); 2].map(|()| oneshot::<u8>());
        let (second, ends) = (Rc::new(second), Ends::default());
        let foreign = first.on_done(Box::new(|_| ())).expect("it is not over");
        let adder = {
            let (second, ends) = (second.clone(), ends.clone());
            thread::spawn(move || {
                second.on_done(callback(&ends, CALLBACK));
            })
        };

        let removed = second.remove_observer(foreign);

        join(adder);
        completer.complete(0);
        assert_eq!(ends.of(CALLBACK), usize::from(!removed));
        assert_eq!(ends.of(CALLBACK + DROPPED), 1);
    });
}

#[test]
fn a_canceller_at_its_accounts_keeps_the_home_of_a_discarded_stub() {
    play("a_canceller_at_its_accounts_keeps_the_home_of_a_discarded_stub", None, |scene| {
        let Scene { entry, handle, ends, home } = scene;
        let canceller = thread::spawn(move || handle.cancel());

        let ran = testing::work(entry);
        // The queue is empty: the engine may go.
        drop(home);

        assert_ne!(ran, join(canceller));
        assert_eq!((ends.of(RUN), ends.of(OUTCOME)), (usize::from(ran), usize::from(ran)));
    });
}

#[test]
fn a_canceller_at_its_accounts_wakes_and_calls_back() {
    play("a_canceller_at_its_accounts_wakes_and_calls_back", Some(2), |scene| {
        let Scene { entry, handle, ends, home } = scene;
        let handle = Rc::new(handle);
        handle.on_done(callback(&ends, CALLBACK));
        let canceller = {
            let handle = handle.clone();
            thread::spawn(move || handle.cancel())
        };
        let shutdown = thread::spawn(move || {
            drop(entry);
            drop(home);
        });
        let parker = Parker::new();

        wait(&handle, &parker);

        join(canceller);
        join(shutdown);
        drop(handle);
        assert_eq!((ends.of(RUN), ends.of(CALLBACK)), (0, 1));
    });
}
