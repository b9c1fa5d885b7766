//! Failures that nobody collects: they reach the pool's hook, or the standard error output.

use core::time::Duration;
use std::process::Command;
use std::sync::mpsc;

use asyncpal::{TaskError, ThreadPool, WhenFull, as_done, collect, is_cancel_requested};

type Reports = mpsc::Receiver<(usize, String)>;

/// A pool of one worker and what its hook is told: task and text of the error.
fn pool() -> (ThreadPool, Reports) {
    let (tell, told) = mpsc::channel();
    let pool = ThreadPool::builder()
        .name("tested")
        .max_workers(1)
        .on_uncollected(move |failure| {
            assert_eq!(failure.pool_name(), "tested");
            tell.send((failure.task_id(), failure.error().to_string())).expect("waited for");
        })
        .build()
        .expect("valid");
    (pool, told)
}

fn boom() {
    panic!("boom");
}

const BOOM: &str = "the task panicked: boom";

/// What was told when all is over.
fn all(pool: ThreadPool, told: &Reports) -> Vec<(usize, String)> {
    drop(pool);
    told.try_iter().collect()
}

#[test]
fn a_panic_whose_handle_was_dropped_before_is_reported() {
    let (pool, told) = pool();
    let (open, opened) = mpsc::channel::<()>();
    let handle = pool.submit(move || {
        let _ = opened.recv();
        panic!("boom");
    });
    drop(handle);
    drop(open);
    pool.join();

    assert_eq!(all(pool, &told), [(1, BOOM.into())]);
}

#[test]
fn a_panic_whose_handle_is_dropped_afterwards_is_reported_then() {
    let (pool, told) = pool();
    let handle = pool.submit(boom).expect("open");
    handle.wait();
    pool.join();
    assert!(told.try_recv().is_err(), "it can still be collected");

    drop(handle);

    assert_eq!(all(pool, &told), [(1, BOOM.into())]);
}

#[test]
fn a_handle_that_outlives_its_pool_reports_all_the_same() {
    let (pool, told) = pool();
    let handle = pool.submit(boom).expect("open");
    handle.wait();
    assert_eq!(all(pool, &told), []);

    drop(handle);

    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(1, BOOM.into())]);
}

#[test]
fn the_error_of_a_fallible_task_is_reported() {
    let (pool, told) = pool();

    drop(pool.submit_fallible(|| "x".parse::<u8>()));
    pool.join();

    let text = "the task failed: invalid digit found in string";
    assert_eq!(all(pool, &told), [(1, text.into())]);
}

#[test]
fn what_is_collected_looked_at_cancelled_or_good_is_not_reported() {
    let (pool, told) = pool();

    assert!(pool.submit(boom).expect("open").collect().is_err());
    assert!(pool.run(boom).is_err());
    let mut tried = pool.submit(boom).expect("open");
    tried.wait();
    assert!(tried.try_collect().is_err());
    let looked_at = pool.submit(boom).expect("open");
    looked_at.wait();
    assert!(looked_at.peek().expect("over").is_err());
    drop(looked_at);
    drop(pool.submit(|| ()));
    let (open, opened) = mpsc::channel::<()>();
    drop(pool.submit(move || _ = opened.recv()));
    let cancelled = pool.submit(boom).expect("open");
    assert!(cancelled.cancel());
    drop(cancelled);
    drop(pool.submit(boom).expect("open").cancel_on_drop());
    drop(open);
    pool.join();

    assert_eq!(all(pool, &told), []);
}

#[test]
fn a_status_is_no_error_seen() {
    let (pool, told) = pool();
    let handle = pool.submit(boom).expect("open");
    handle.wait();
    assert!(handle.is_failed());

    drop(handle);

    assert_eq!(all(pool, &told), [(1, BOOM.into())]);
}

#[test]
fn handles_that_a_function_drops_on_the_way_report() {
    let (pool, told) = pool();
    let handles: Vec<_> = [false, true, true, true]
        .map(|panics| pool.submit(move || assert!(!panics, "boom")).expect("open"))
        .into();

    let error = collect(handles, None).expect_err("the second fails");

    // The second's error is here; the third's and the fourth's are nowhere else.
    assert!(matches!(error, TaskError::Panicked(_)));
    pool.join();
    let mut reported: Vec<_> = told.try_iter().map(|(task, _)| task).collect();
    reported.sort_unstable();
    assert_eq!(reported, [3, 4]);

    let handles = [pool.submit(boom), pool.submit(boom)].map(|handle| handle.expect("open"));
    let mut done = as_done(handles);
    assert!(done.next().expect("two").collect().is_err());
    pool.join();
    drop(done);
    assert_eq!(all(pool, &told).len(), 1, "the one that was not returned");
}

#[test]
fn the_errors_of_a_map_are_in_its_results() {
    let (pool, told) = pool();
    let results = pool.map(|n: u32| assert_ne!(n, 2), 0..4).collect::<Vec<_>>();
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);

    assert_eq!(all(pool, &told), []);
}

#[test]
fn a_failure_says_whether_the_task_had_been_asked_to_stop() {
    let (tell, told) = mpsc::channel();
    let pool = ThreadPool::builder()
        .on_uncollected(move |failure| {
            tell.send((failure.was_cancel_requested(), failure.to_string())).expect("waited for");
        })
        .name("asked")
        .build()
        .expect("valid");
    let (started, has_started) = mpsc::channel();
    let handle = pool.submit_fallible(move || {
        started.send(()).expect("waited for");
        while !is_cancel_requested() {
            core::hint::spin_loop();
        }
        Err::<(), _>("stopped")
    });
    has_started.recv().expect("it starts");

    drop(handle.expect("open").cancel_on_drop());

    let text = "pool \"asked\": task 1, which nobody collected and which was asked to stop: \
        the task failed: stopped";
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok((true, text.into())));
}

#[test]
fn a_hook_that_panics_harms_neither_the_worker_nor_who_drops_a_handle() {
    let pool = ThreadPool::builder()
        .max_workers(1)
        .on_uncollected(|failure| panic!("the hook's own matter, after {failure}"))
        .build()
        .expect("valid");

    drop(pool.submit(boom));
    pool.join();
    let handle = pool.submit(boom).expect("open");
    handle.wait();
    drop(handle);

    assert_eq!(pool.run(|| 1).expect("no panic"), 1);
}

/// Set for the program that the next test starts: this one again, with that test alone.
const ALONE: &str = "ASYNCPAL_UNCOLLECTED_ALONE";

#[test]
fn without_a_hook_one_line_goes_to_the_standard_error_output() {
    const NAME: &str = "without_a_hook_one_line_goes_to_the_standard_error_output";
    if std::env::var_os(ALONE).is_some() {
        // Nothing else tells of the panic.
        std::panic::set_hook(Box::new(|_| {}));
        let pool = ThreadPool::builder().name("quiet").build().expect("valid");
        drop(pool.submit(boom));
        pool.join();
        return;
    }

    let program = std::env::current_exe().expect("known");
    let output = Command::new(program)
        .args([NAME, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("it starts");

    assert!(output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    let line = "asyncpal: pool \"quiet\": task 1, which nobody collected: the task panicked: boom";
    let ours: Vec<_> = errors.lines().filter(|line| line.contains("asyncpal")).collect();
    assert_eq!(ours, [line]);
}

#[test]
fn a_task_that_its_submitter_runs_is_reported_to_its_own_pool() {
    let (other, told_other) = pool();
    let (tell, told) = mpsc::channel();
    let full = ThreadPool::single()
        .capacity(1)
        .when_full(WhenFull::RunHere)
        .on_uncollected(move |failure| tell.send(failure.task_id()).expect("waited for"))
        .build()
        .expect("valid");
    let (gate, opened) = mpsc::channel::<()>();
    let (start, started) = mpsc::channel();
    let busy = move || (start.send(()).expect("waited for"), opened.recv().is_err());
    drop(full.submit(busy).expect("open"));
    started.recv().expect("sent");
    drop(full.submit(|| ()).expect("there is room"));

    drop(full.submit(boom).expect("open"));
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [3], "on a thread of nobody");
    let full = other.run(move || {
        drop(full.submit(boom).expect("open"));
        full
    });
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [4], "on a worker of another pool");
    drop(other.submit(boom).expect("open"));
    other.join();

    drop(gate);
    drop(full.expect("no panic"));
    assert_eq!(all(other, &told_other), [(2, BOOM.into())]);
}
