//! What a pool tells its hook, and how labels reach it.

use core::fmt::Debug;
use core::time::Duration;
use std::panic;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, ThreadId};

use asyncpal::{
    Builder, Departure, Ending, Event, EventKind, ThreadPool, Threads, WhenFull, current_task,
};

/// An event, to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Started(usize, Option<String>),
    Ended(usize, Option<String>, &'static str),
    Worker,
    Left(Departure),
    NotSpawned(usize),
    Closed,
    Broken(String),
}

#[derive(Clone, Debug)]
struct Line {
    told: Told,
    worker: Option<usize>,
    thread: ThreadId,
    text: String,
}

fn keep(event: &Event<'_>) -> Line {
    let told = match event.kind {
        EventKind::TaskStarted { task, .. } => Told::Started(task.id, task.label.map(Into::into)),
        EventKind::TaskEnded { task, ending, ran, .. } => {
            let ending = match ending {
                Ending::Completed => "completed",
                Ending::Failed(_) => "failed",
                Ending::Cancelled => {
                    assert_eq!(ran, Duration::ZERO);
                    "cancelled"
                }
                _ => unreachable!(),
            };
            Told::Ended(task.id, task.label.map(Into::into), ending)
        }
        EventKind::WorkerStarted => Told::Worker,
        EventKind::WorkerLeft(why) => Told::Left(why),
        EventKind::SpawnFailed { worker, .. } => Told::NotSpawned(worker),
        EventKind::PoolClosed => Told::Closed,
        EventKind::PoolBroken(cause) => Told::Broken(cause.to_string()),
        _ => unreachable!("{event}"),
    };
    let thread = thread::current().id();
    Line { told, worker: event.worker, thread, text: event.to_string() }
}

fn watched(builder: Builder<Threads>) -> (ThreadPool, Receiver<Line>) {
    let (tell, told) = mpsc::channel();
    let pool = builder.on_event(move |event| tell.send(keep(event)).unwrap()).build().unwrap();
    (pool, told)
}

fn tolds(lines: Receiver<Line>) -> Vec<Told> {
    lines.into_iter().map(|line| line.told).collect()
}

#[test]
fn the_life_of_a_pool_is_told_in_order() {
    let (pool, lines) = watched(ThreadPool::builder().name("life").max_workers(1));

    pool.submit_labelled("one", || 1).unwrap().collect().unwrap();
    assert!(pool.submit_fallible(|| "x".parse::<u8>()).unwrap().collect().is_err());
    pool.shutdown();
    drop(pool);

    let mut told = tolds(lines);
    // A worker that is awake may see the close before the hook is told of it.
    told[5..].sort_by_key(|told| *told != Told::Closed);
    assert_eq!(
        told,
        [
            Told::Worker,
            Told::Started(1, Some("one".into())),
            Told::Ended(1, Some("one".into()), "completed"),
            Told::Started(2, None),
            Told::Ended(2, None, "failed"),
            Told::Closed,
            Told::Left(Departure::Dismissed),
        ]
    );
}

#[test]
fn a_handle_resolves_after_the_hook_was_told() {
    let (pool, lines) = watched(ThreadPool::builder());
    for round in 1..=100 {
        pool.submit(|| ()).unwrap().collect().unwrap();
        let ended =
            lines.try_iter().any(|line| matches!(line.told, Told::Ended(n, ..) if n == round));
        assert!(ended, "task {round} was collected before its end was told");
    }
}

#[test]
fn cancelled_tasks_are_told_of_whoever_cancels_them() {
    let (pool, lines) = watched(ThreadPool::builder().max_workers(1));
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let running = pool.submit(move || {
        started.send(()).unwrap();
        let _ = released.recv();
    });
    has_started.recv().unwrap();

    let by_handle = pool.submit_labelled(String::from("by handle"), || ()).unwrap();
    let by_pool = pool.submit(|| ()).unwrap();
    assert!(by_handle.cancel());
    let closer = thread::spawn(move || pool.shutdown());
    by_pool.wait();
    drop(release);
    closer.join().unwrap();

    let lines: Vec<_> = lines.into_iter().collect();
    let cancelled = |line: &&Line| matches!(line.told, Told::Ended(_, _, "cancelled"));
    let lines: Vec<_> = lines.iter().filter(cancelled).collect();
    assert_eq!(lines[0].told, Told::Ended(2, Some("by handle".into()), "cancelled"));
    assert_eq!((lines[0].thread, lines[0].worker), (thread::current().id(), None));
    assert!(
        lines[0].text.contains("task 2 \"by handle\" was cancelled after "),
        "{}",
        lines[0].text
    );
    assert_eq!(lines[1].told, Told::Ended(3, None, "cancelled"));
    assert_eq!(lines.len(), 2);
    drop(running);
}

#[test]
fn a_task_that_a_waiting_one_runs_is_told_inside_it_on_its_thread() {
    let (tell, lines) = mpsc::channel();
    let hook = move |event: &Event<'_>| tell.send(keep(event)).unwrap();
    let pool = ThreadPool::builder().max_workers(1).on_event(hook).build().unwrap();
    let pool = Arc::new(pool);
    let inside = Arc::clone(&pool);

    let outer = pool.submit_labelled("outer", move || {
        let inner = inside.submit_labelled("inner", || current_task().unwrap());
        let inner = inner.unwrap().collect().unwrap();
        assert_eq!(current_task().unwrap().label(), Some("outer"));
        inner
    });
    let inner = outer.unwrap().collect().unwrap();
    pool.join();
    drop(pool);

    assert_eq!((inner.id(), inner.label()), (2, Some("inner")));
    let lines: Vec<_> = lines.into_iter().collect();
    let tasks: Vec<_> = lines.iter().filter(|line| line.text.contains("task ")).collect();
    let label = |label: &str| Some(String::from(label));
    let told: Vec<_> = tasks.iter().map(|line| line.told.clone()).collect();
    let expected = [
        Told::Started(1, label("outer")),
        Told::Started(2, label("inner")),
        Told::Ended(2, label("inner"), "completed"),
        Told::Ended(1, label("outer"), "completed"),
    ];
    assert_eq!(told, expected);
    assert!(tasks.iter().all(|line| line.worker == Some(0) && line.thread == tasks[0].thread));
}

#[test]
fn a_task_that_its_submitter_runs_is_told_on_the_submitters_thread() {
    let (pool, lines) =
        watched(ThreadPool::builder().max_workers(1).capacity(1).when_full(WhenFull::RunHere));
    let (release, released) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    drop(pool.submit(move || {
        started.send(()).unwrap();
        let _ = released.recv();
    }));
    has_started.recv().unwrap();
    drop(pool.submit(|| ()).unwrap());

    drop(pool.submit_labelled("here", || ()).unwrap());
    drop(release);
    drop(pool);

    let here: Vec<_> = lines.into_iter().filter(|line| line.text.contains("here")).collect();
    assert_eq!(here.len(), 2);
    for line in here {
        assert_eq!((line.thread, line.worker), (thread::current().id(), None));
    }
}

#[test]
fn a_hook_that_panics_harms_nobody() {
    let pool = ThreadPool::builder()
        .on_event(|_| panic::resume_unwind(Box::new("on purpose")))
        .build()
        .unwrap();
    assert_eq!(pool.run(|| 1).unwrap(), 1);
    assert!(pool.submit(|| 2).unwrap().collect().is_ok());
    assert!(pool.shutdown());
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn a_hook_may_use_its_pool() {
    let pool = Arc::new(Mutex::new(None::<ThreadPool>));
    let (tell, told) = mpsc::channel();
    let itself = Arc::clone(&pool);
    let hook = move |event: &Event<'_>| {
        if let EventKind::TaskEnded { task, .. } = event.kind {
            if task.label.is_none() {
                let pool = itself.lock().unwrap();
                let pool = pool.as_ref().unwrap();
                let tell = tell.clone();
                drop(pool.submit_labelled("follower", move || tell.send(()).unwrap()));
                assert!(pool.stats().submitted >= 1);
            }
        }
    };
    *pool.lock().unwrap() = Some(ThreadPool::builder().on_event(hook).build().unwrap());

    let first = pool.lock().unwrap().as_ref().unwrap().submit(|| 1).unwrap();
    assert_eq!(first.collect().unwrap(), 1);

    told.recv().unwrap();
    let pool = pool.lock().unwrap().take();
    drop(pool);
}

#[test]
fn a_hook_that_is_told_of_the_close_may_wait_for_the_end() {
    let (tell, told) = mpsc::channel::<Weak<ThreadPool>>();
    let told = Mutex::new(told);
    let hook = move |event: &Event<'_>| {
        if matches!(event.kind, EventKind::PoolClosed) {
            let pool = told.lock().unwrap().recv().unwrap().upgrade().unwrap();
            pool.shutdown();
            assert_eq!(pool.count_workers(), 0);
        }
    };
    let builder = ThreadPool::builder().min_workers(1).on_event(hook);
    let pool = Arc::new(builder.build().unwrap());
    pool.run(|| ()).unwrap();
    while pool.count_free_workers() == 0 {
        thread::yield_now();
    }
    tell.send(Arc::downgrade(&pool)).unwrap();

    assert!(pool.shutdown());
}

#[test]
fn a_pool_that_breaks_says_why_once() {
    let (pool, lines) = watched(ThreadPool::builder().initializer(|| Err("no database")));
    assert!(pool.run(|| 1).is_err());
    drop(pool);

    let tolds = tolds(lines);
    let broken = Told::Broken("an initializer failed: no database".into());
    assert_eq!(tolds.iter().filter(|told| **told == broken).count(), 1, "{tolds:?}");
    let at = |which: &Told| tolds.iter().position(|told| told == which).unwrap();
    assert_eq!(at(&Told::Worker), 0);
    assert!(at(&broken) < at(&Told::Left(Departure::NotOpened)), "{tolds:?}");
}

#[test]
fn workers_are_told_of_with_why_they_leave() {
    let (pool, lines) = watched(
        ThreadPool::builder()
            .max_workers(1)
            .max_tasks_per_worker(1)
            .idle_timeout(Duration::from_millis(1)),
    );
    pool.run(|| ()).unwrap();
    pool.spawn_workers(1).unwrap_or_default();
    while pool.count_workers() > 0 {
        thread::yield_now();
    }
    drop(pool);

    let left: Vec<_> =
        tolds(lines).into_iter().filter(|told| matches!(told, Told::Left(_))).collect();
    assert_eq!(left[0], Told::Left(Departure::Recycled));
    assert!(left[1..].iter().all(|told| *told == Told::Left(Departure::Idle)), "{left:?}");
}

#[test]
fn a_worker_that_cannot_be_spawned_is_told_of_and_counted() {
    // More than any address space holds.
    let stack = usize::MAX / 4 * 3;
    let (pool, lines) = watched(ThreadPool::builder().max_workers(1).stack_size(stack));

    assert!(pool.submit(|| 1).is_err());

    let failures = pool.stats().spawn_failures;
    assert!(failures >= 1);
    assert_eq!((pool.stats().spawned, pool.stats().most_workers), (0, 0));
    drop(pool);
    let told = tolds(lines);
    assert_eq!(told.iter().filter(|told| **told == Told::NotSpawned(0)).count(), failures);
}

#[test]
fn maps_and_scopes_label_their_tasks() {
    let (pool, lines) = watched(ThreadPool::builder());
    let squares = pool.map(|n: u32| n * n, 0..4).chunk_size(2).label("squares");
    assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 14);
    let local = String::from("borrowed");
    let length = pool.scope(|scope| {
        let handle = scope.submit_labelled("length", || local.len()).unwrap();
        assert_eq!(handle.label(), Some("length"));
        assert!(format!("{handle:?}").contains("label: \"length\""));
        handle.collect().unwrap()
    });
    assert_eq!(length, 8);
    drop(pool);

    let labels = tolds(lines).into_iter().filter_map(|told| match told {
        Told::Started(_, label) => label,
        _ => None,
    });
    assert_eq!(labels.collect::<Vec<_>>(), ["squares", "squares", "length"]);
}

#[test]
fn a_failed_spawn_is_told_with_what_the_system_said() {
    let (tell, told) = mpsc::channel();
    let pool = ThreadPool::builder()
        .name("none")
        .max_workers(1)
        .spawner(|_| Err::<(), _>(std::io::Error::other("no thread today")))
        .on_event(move |event| tell.send(event.to_string()).expect("waited for"))
        .build()
        .expect("valid");

    pool.submit(|| ()).expect_err("there is no worker");

    let text = told.iter().find(|text| text.contains("spawned")).expect("told");
    assert!(text.ends_with("worker 0 could not be spawned: no thread today"), "{text}");
}
