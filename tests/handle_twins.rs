//! The behaviours of asyncpal's futures (Python), each by its name there, seen through a handle.

use core::time::Duration;
use std::sync::{Arc, Mutex, mpsc};

use asyncpal::{PoolError, Status, TaskError, ThreadPool};

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(60);

fn one_worker() -> ThreadPool {
    ThreadPool::builder().max_workers(1).build().expect("valid")
}

/// What a task waits for, and the end that lets it go when it is dropped.
fn gate() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
    let (open, opened) = mpsc::channel::<()>();
    (open, move || _ = opened.recv())
}

/// A pool of one worker that is busy until the gate is dropped.
fn busy_pool() -> (ThreadPool, mpsc::Sender<()>) {
    let pool = one_worker();
    let (open, wait) = gate();
    let (started, has_started) = mpsc::channel();
    let running = pool.submit(move || {
        started.send(()).expect("waited for");
        wait();
    });
    drop(running);
    has_started.recv().expect("it starts");
    (pool, open)
}

/// A task that runs until the gate is dropped, in a pool of its own.
fn running() -> (ThreadPool, asyncpal::Handle<()>, mpsc::Sender<()>) {
    let pool = one_worker();
    let (open, wait) = gate();
    let (started, has_started) = mpsc::channel();
    let handle = pool.submit(move || {
        started.send(()).expect("waited for");
        wait();
    });
    has_started.recv().expect("it starts");
    (pool, handle.expect("open"), open)
}

// TestResolveMethod: test_resolve_before_shutdown, test_resolve_after_shutdown,
// TestWaitMethod: test_wait_before_shutdown, test_wait_after_shutdown.
#[test]
fn a_result_is_there_before_and_after_the_shutdown() {
    let pool = one_worker();
    let early = pool.submit(|| 1).expect("open");
    let mut late = pool.submit(|| 2).expect("open");
    assert!(early.wait_timeout(LONG));
    assert_eq!(early.collect().expect("no panic"), 1);
    late.wait();

    assert!(pool.shutdown());

    assert!(late.wait_timeout(Duration::ZERO));
    assert_eq!(late.try_collect().expect("no panic"), 2);
}

// The same, of a task that the shutdown finds pending.
#[test]
fn a_shutdown_cancels_what_is_pending_and_waits_for_what_runs() {
    let (pool, running, open) = running();
    let pending = pool.submit(|| ()).expect("open");

    std::thread::scope(|scope| {
        scope.spawn(|| pool.shutdown());
        pending.wait();
        assert!(!pool.is_terminated());
        drop(open);
    });

    assert!(pool.is_terminated());
    running.collect().expect("no panic");
    assert!(pending.collect().expect_err("cancelled").is_cancelled());
}

// TestResolveMethod: test_resolve_with_pool_broken_by_initializer,
// TestWaitMethod: test_wait_with_pool_broken_by_initializer.
#[test]
fn a_task_of_a_pool_whose_initializer_fails_is_cancelled() {
    let (open, wait) = gate();
    let wait = Mutex::new(Some(wait));
    let pool = ThreadPool::builder()
        .max_workers(1)
        .initializer(move || {
            let wait = wait.lock().expect("no panic").take().expect("the only worker");
            wait();
            Err::<(), _>("no database")
        })
        .build()
        .expect("valid");
    let handle = pool.submit(|| ()).expect("open");

    drop(open);

    assert!(handle.wait_timeout(LONG));
    assert!(handle.collect().expect_err("it never ran").is_cancelled());
    assert!(matches!(pool.check(), Err(PoolError::Broken(_))));
    assert!(matches!(pool.run(|| ()), Err(TaskError::Rejected(PoolError::Broken(_)))));
}

// TestResolveMethod: test_resolve_with_pool_broken_by_finalizer,
// TestWaitMethod: test_wait_with_pool_broken_by_finalizer.
#[test]
fn the_result_of_a_task_outlives_the_finalizer_that_breaks_the_pool() {
    let pool = ThreadPool::builder()
        .max_workers(1)
        .finalizer(|| Err::<(), _>("disk full"))
        .build()
        .expect("valid");
    let handle = pool.submit(|| 5).expect("open");

    pool.join();

    assert!(pool.is_broken());
    assert!(handle.wait_timeout(Duration::ZERO));
    assert_eq!(handle.collect().expect("it ran before"), 5);
}

// TestResolveMethod: test_resolve_with_timeout, test_resolve_with_too_short_timeout,
// TestWaitMethod: test_wait_with_timeout, test_wait_with_too_short_timeout.
#[test]
fn a_timeout_that_is_too_short_loses_nothing() {
    let (_pool, mut handle, open) = running();

    assert!(!handle.wait_timeout(SHORT));
    assert!(handle.collect_timeout(SHORT).expect_err("it runs").is_timeout());
    drop(open);

    assert!(handle.wait_timeout(LONG));
    handle.collect_timeout(LONG).expect("no panic");
}

// TestResolveMethod: test_resolve_with_task_exception,
// TestWaitMethod: test_wait_with_task_exception.
#[test]
fn a_wait_returns_and_a_collect_fails_when_the_task_fails() {
    let pool = one_worker();
    let handle = pool.submit_fallible(|| "x".parse::<u8>()).expect("open");

    assert!(handle.wait_timeout(LONG));

    let error = handle.collect().expect_err("not a number");
    assert!(matches!(error, TaskError::Failed(source) if source.is::<core::num::ParseIntError>()));
}

// TestCallbacks: test_add_callback_early, test_add_callback_late, test_remove_callback,
// test_callbacks_property (who added a callback has its id, and removing it tells whether it stood).
#[test]
fn a_callback_is_called_once_early_or_late_unless_it_is_removed() {
    let (pool, open) = busy_pool();
    let handle = pool.submit(|| ()).expect("open");
    let calls = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let calls = calls.clone();
        move |status| calls.lock().expect("no panic").push((name, status))
    };

    let _early = handle.add_callback(note("early")).expect("pending");
    let removed = handle.add_callback(note("removed")).expect("pending");
    assert!(handle.remove_callback(removed));
    drop(open);
    pool.join();
    let late = handle.add_callback(note("late"));

    assert_eq!(late, None, "called at once");
    let expected = [("early", Status::Completed), ("late", Status::Completed)];
    assert_eq!(*calls.lock().expect("no panic"), expected);
}

// TestProperties: test_pool_property, test_task_id_property.
#[test]
fn a_handle_knows_its_pool_and_its_number_there() {
    let [one, other] = [one_worker(), one_worker()];

    let [first, second, third] = [&one, &one, &other].map(|pool| pool.submit(|| ()).expect("open"));

    assert_eq!([first.task_id(), second.task_id(), third.task_id()], [1, 2, 1]);
    assert!(first.is_of(&one) && second.is_of(&one) && third.is_of(&other));
    assert!(!first.is_of(&other) && !third.is_of(&one));
}

/// A handle's six questions: pending, running, completed, failed, cancelled, done.
fn answers<T>(handle: &asyncpal::Handle<T>) -> [bool; 6] {
    [
        handle.is_pending(),
        handle.is_running(),
        handle.is_completed(),
        handle.is_failed(),
        handle.is_cancelled(),
        handle.is_done(),
    ]
}

// TestProperties: test_pending_property, test_running_property, test_completed_property,
// test_failed_property, test_cancelled_property, test_done_property; TestCancelMethod: test.
#[test]
fn one_of_five_states_is_true_at_a_time_and_three_are_done() {
    let (pool, open) = busy_pool();
    let completed = pool.submit(|| ()).expect("open");
    let failed = pool.submit_fallible(|| "x".parse::<u8>()).expect("open");
    let cancelled = pool.submit(|| ()).expect("open");
    let pending = [true, false, false, false, false, false];
    assert_eq!([answers(&completed), answers(&failed), answers(&cancelled)], [pending; 3]);
    let (_pool, running, open_running) = running();
    assert_eq!(answers(&running), [false, true, false, false, false, false]);

    assert!(cancelled.cancel());
    drop((open, open_running));
    pool.join();

    assert_eq!(answers(&completed), [false, false, true, false, false, true]);
    assert_eq!(answers(&failed), [false, false, false, true, false, true]);
    assert_eq!(answers(&cancelled), [false, false, false, false, true, true]);
    assert!(failed.collect().is_err());
}

// TestProperties: test_cancel_flag.
#[test]
fn the_flag_of_a_cancel_is_that_of_pending_and_running_tasks_only() {
    let (pool, running, open) = running();
    let pending = pool.submit(|| ()).expect("open");
    let unasked = pool.submit(|| ()).expect("open");
    assert!(!pending.is_cancel_requested() && !running.is_cancel_requested());

    assert!(pending.cancel());
    assert!(!running.cancel());

    assert!(pending.is_cancel_requested() && running.is_cancel_requested());
    drop(open);
    pool.join();
    assert!(!unasked.cancel(), "it is over");
    assert!(!unasked.is_cancel_requested());
    assert!(running.is_cancel_requested() && running.is_completed());
}

// TestProperties: test_result_property, test_exception_property.
#[test]
fn result_and_error_can_be_looked_at_in_their_place() {
    let (pool, open) = busy_pool();
    let completed = pool.submit(|| String::from("bread")).expect("open");
    let failed = pool.submit_fallible(|| "x".parse::<u8>()).expect("open");
    let cancelled = pool.submit(|| ()).expect("open");
    assert!(completed.peek().is_none(), "pending");
    assert!(cancelled.cancel());
    drop(open);
    pool.join();

    let results = std::thread::scope(|scope| {
        // Several at once may look.
        let lookers = [(); 2]
            .map(|()| scope.spawn(|| completed.peek().expect("over").expect("no panic").as_str()));
        lookers.map(|looker| looker.join().expect("no panic"))
    });
    assert_eq!(results, ["bread"; 2]);
    let error = failed.peek().expect("over").expect_err("not a number");
    assert_eq!(error.to_string(), "the task failed: invalid digit found in string");
    assert!(cancelled.peek().expect("over").expect_err("cancelled").is_cancelled());

    let mut completed = completed;
    assert_eq!(completed.try_collect().expect("still there"), "bread");
    assert!(completed.peek().is_none(), "collected");
    assert!(failed.collect().is_err());
}

// TestTaskDuration: test_with_pending_task, test_with_completed_task, test_with_failed_task,
// test_with_cancelled_task.
#[test]
fn durations_are_there_once_the_task_is_over_however_it_ended() {
    const NAP: Duration = Duration::from_millis(10);
    let (pool, open) = busy_pool();
    let completed = pool.submit(|| std::thread::sleep(NAP)).expect("open");
    let failed = pool.submit_fallible(|| {
        std::thread::sleep(NAP);
        "x".parse::<u8>()
    });
    let failed = failed.expect("open");
    let cancelled = pool.submit(|| ()).expect("open");
    assert_eq!([completed.durations(), failed.durations(), cancelled.durations()], [None; 3]);

    std::thread::sleep(NAP);
    assert!(cancelled.cancel());
    drop(open);
    pool.join();

    let [completed, failed_for, cancelled] =
        [completed.durations(), failed.durations(), cancelled.durations()]
            .map(|durations| durations.expect("over"));
    assert!(completed.pending >= NAP && completed.running >= NAP, "{completed:?}");
    // It waited for the one before it, too.
    assert!(failed_for.pending >= 2 * NAP && failed_for.running >= NAP, "{failed_for:?}");
    assert!(cancelled.pending >= NAP && cancelled.running.is_zero(), "{cancelled:?}");
    assert!(failed.collect().is_err());
}

#[test]
fn the_debug_form_of_a_handle_tells_its_state() {
    let (_pool, handle, open) = running();
    assert!(!handle.cancel());

    let running = format!("{handle:?}");
    drop(open);
    handle.wait();
    let over = format!("{handle:?}");

    let expected =
        "Handle { task_id: 1, status: Running, is_cancel_requested: true, durations: None }";
    assert_eq!(running, expected);
    assert!(over.contains("status: Completed") && over.contains("Some(Durations"), "{over}");
}
