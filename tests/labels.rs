//! What tasks are called, and what handles and pools show of themselves.

use core::fmt::Debug;
use core::time::Duration;
use std::sync::mpsc;

use asyncpal::kind::{Fallible, With};
use asyncpal::{Labelled, ThreadPool};

#[test]
fn a_label_goes_with_every_way_to_submit() {
    let pool = ThreadPool::builder().max_workers(1).build().unwrap();
    let minute = Duration::from_secs(60);
    let power = || With { function: u32::pow, arguments: (2, 3) };

    let handles = [
        pool.submit(Labelled::new("submit", || 8)).unwrap(),
        pool.try_submit(Labelled::new(String::from("try_submit"), power())).unwrap(),
        pool.submit_timeout(Labelled::new("timeout", Fallible(|| "8".parse())), minute).unwrap(),
        pool.submit_labelled("chunk", || 8).unwrap(),
    ];

    let labels: Vec<_> = handles.iter().map(|handle| handle.label().unwrap()).collect();
    assert_eq!(labels, ["submit", "try_submit", "timeout", "chunk"]);
    for handle in handles {
        assert_eq!(handle.collect().unwrap(), 8);
    }
    assert_eq!(pool.submit(|| ()).unwrap().label(), None);
}

#[test]
fn a_labelled_call_that_is_refused_comes_back_with_its_label() {
    let pool = ThreadPool::new();
    pool.shutdown();
    let refused = pool.submit_labelled(String::from("late"), || 7).unwrap_err();
    let Labelled { label, call } = refused.into_inner();
    assert_eq!((&*label, call()), ("late", 7));
}

#[test]
fn a_label_is_in_the_report_of_a_failure_that_nobody_collects() {
    let (tell, told) = mpsc::channel();
    let pool = ThreadPool::builder()
        .name("reports")
        .on_uncollected(move |failure| {
            tell.send((failure.label().map(String::from), failure.to_string())).unwrap();
        })
        .build()
        .unwrap();
    let call = Labelled::new("parse", Fallible(|| "x".parse::<u8>()));
    drop(pool.submit(call).unwrap());
    let (label, text) = told.recv().unwrap();
    assert_eq!(label.as_deref(), Some("parse"));
    assert_eq!(
        text,
        "pool \"reports\": task 1 \"parse\", which nobody collected: the task failed: invalid digit \
         found in string"
    );
}

#[track_caller]
fn assert_shows(what: &impl Debug, expected: &str) {
    assert_eq!(format!("{what:?}"), expected);
}

#[test]
fn debug_of_handles_and_pools_tells_their_state() {
    let builder = ThreadPool::builder().name("shown").max_workers(1).capacity(9);
    assert_shows(
        &builder,
        "Builder { name: Some(\"shown\"), max_workers: Some(1), idle_timeout: Some(60s), \
         capacity: Some(9), measure_times: false, .. }",
    );
    let pool = builder.build().unwrap();
    let (release, released) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let running = pool.submit_labelled("busy", move || {
        started.send(()).unwrap();
        let _ = released.recv();
    });
    let running = running.unwrap();
    has_started.recv().unwrap();
    let pending = pool.submit(|| ()).unwrap();

    assert_shows(
        &running,
        "Handle { task_id: 1, label: \"busy\", status: Running, is_cancel_requested: false, \
         durations: None }",
    );
    assert_shows(
        &pending,
        "Handle { task_id: 2, status: Pending, is_cancel_requested: false, durations: None }",
    );
    let shown = "Pool { name: \"shown\", phase: Open, workers: 1, idle_workers: 0, max_workers: 1, \
                 pending_tasks: 1, .. }";
    assert_shows(&pool, shown);
    pool.scope(|scope| assert_shows(&scope, &format!("Scope {{ pool: {shown}, .. }}")));
    assert!(pending.cancel());
    let shown = format!("{pending:?}");
    let expected = "Handle { task_id: 2, status: Cancelled, is_cancel_requested: true, \
                    durations: Some(Durations { pending: ";
    assert!(shown.starts_with(expected), "{shown}");
    let filter = asyncpal::CompletionFilter::new();
    filter.put(pending);
    filter.put(pool.submit(|| ()).unwrap());
    assert_shows(&filter, "CompletionFilter { len: 2, .. }");
    drop(release);
    running.collect().unwrap();
}
