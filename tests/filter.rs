//! The completion filter.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashSet;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use asyncpal::{CompletionFilter, Handle, ThreadPool, wait};
use tasks::{LONG, SHORT, gated, pool};

#[path = "common/tasks.rs"]
mod tasks;

fn done(pool: &ThreadPool, value: u32) -> Handle<u32> {
    let handle = pool.submit(move || value).expect("open");
    handle.wait();
    handle
}

fn value(handle: Option<Handle<u32>>) -> u32 {
    let mut handle = handle.expect("one is left");
    handle.try_collect().expect("what is got is done")
}

#[test]
fn what_was_put_is_got_as_it_is_done() {
    let pool = pool(3);
    let filter = CompletionFilter::new();
    let (handles, gates): (Vec<_>, Vec<_>) = (0..3).map(|n| gated(&pool, n)).unzip();
    handles.into_iter().for_each(|handle| filter.put(handle));

    for (n, gate) in gates.into_iter().enumerate().rev() {
        drop(gate);
        assert_eq!(value(filter.get()), n as u32);
    }

    assert!(filter.get().is_none());
}

#[test]
fn what_a_filter_was_populated_with_is_got_as_it_is_done() {
    let pool = pool(3);
    let (handles, gates): (Vec<_>, Vec<_>) = (0..3).map(|n| gated(&pool, n)).unzip();
    let mut handles = handles.into_iter();
    let filter: CompletionFilter<_> = handles.by_ref().take(1).collect();
    filter.populate(handles);
    assert_eq!(filter.len(), 3);

    for (n, gate) in gates.into_iter().enumerate().rev() {
        drop(gate);
        assert_eq!(value(filter.get_timeout(LONG)), n as u32);
    }

    assert!(filter.is_empty());
}

#[test]
fn get_waits_for_what_is_in_the_filter_and_for_nothing_else() {
    let pool = pool(1);
    let filter = CompletionFilter::new();

    assert!(filter.get().is_none(), "nothing is in it");
    filter.put(done(&pool, 1));
    assert_eq!(value(filter.get()), 1);
    let (handle, gate) = gated(&pool, 2);
    filter.put(handle);
    thread::scope(|scope| {
        let getter = scope.spawn(|| value(filter.get()));
        drop(gate);
        assert_eq!(getter.join().expect("no panic"), 2);
    });
    assert!(filter.get().is_none());
}

#[test]
fn try_get_does_not_wait() {
    let pool = pool(1);
    let filter = CompletionFilter::new();

    assert!(filter.try_get().is_none(), "nothing is in it");
    filter.put(done(&pool, 1));
    let (handle, gate) = gated(&pool, 2);
    filter.put(handle);
    assert_eq!(value(filter.try_get()), 1);
    assert!(filter.try_get().is_none(), "the other waits for its gate");

    assert_eq!(filter.len(), 1);
    drop(gate);
    assert_eq!(value(filter.get()), 2);
}

#[test]
fn get_ends_at_its_timeout_and_nothing_is_lost() {
    let pool = pool(1);
    let (handle, gate) = gated(&pool, 5);
    let filter = CompletionFilter::from_iter([handle]);

    assert!(filter.get_timeout(SHORT).is_none());
    assert!(filter.get_timeout(Duration::ZERO).is_none());
    assert!(!filter.is_empty());

    drop(gate);
    assert_eq!(value(filter.get_timeout(LONG)), 5);
}

#[test]
fn get_all_returns_everything_and_what_is_put_meanwhile() {
    for timeout in [None, Some(LONG)] {
        let pool = pool(2);
        let filter: CompletionFilter<_> = (0..3).map(|n| done(&pool, n)).collect();
        let mut all = filter.get_all();
        if let Some(timeout) = timeout {
            all = all.timeout(timeout);
        }

        let mut values = Vec::new();
        for handle in all {
            let value = value(Some(handle));
            if value < 10 {
                filter.put(done(&pool, value + 10));
            }
            values.push(value);
        }

        assert_eq!(values, [0, 1, 2, 10, 11, 12]);
    }
}

#[test]
fn get_all_ends_at_its_timeout_and_the_rest_stays() {
    let pool = pool(1);
    let quick = done(&pool, 1);
    let (stuck, gate) = gated(&pool, 2);
    let filter: CompletionFilter<_> = [stuck, quick].into_iter().collect();

    let got: Vec<_> = filter.get_all().timeout(SHORT).map(|handle| value(Some(handle))).collect();

    assert_eq!(got, [1]);
    let rest: Vec<_> = filter.into_rest().collect();
    drop(gate);
    assert!(wait(&rest, None));
    assert_eq!(value(rest.into_iter().next()), 2);
}

#[test]
fn a_cancelled_task_is_done() {
    let pool = pool(1);
    let (stuck, gate) = gated(&pool, 1);
    let pending = pool.submit(|| 2).expect("open");
    let cancelled = pool.submit(|| 3).expect("open");
    let filter: CompletionFilter<_> = [stuck, pending].into_iter().collect();
    cancelled.cancel();
    filter.put(cancelled);

    assert!(filter.get().expect("three are in it").is_cancelled());

    drop(gate);
}

#[test]
fn a_put_wakes_a_thread_that_waits_for_another_task() {
    let pool = pool(2);
    let (stuck, gate) = gated(&pool, 1);
    let filter = CompletionFilter::from_iter([stuck]);
    thread::scope(|scope| {
        let getter = scope.spawn(|| value(filter.get()));

        filter.put(done(&pool, 2));

        assert_eq!(getter.join().expect("no panic"), 2);
    });
    drop(gate);
}

#[test]
fn the_last_handle_ends_the_wait_of_all_other_threads() {
    let pool = pool(1);
    for _ in 0..100 {
        let (handle, gate) = gated(&pool, 1);
        let filter = CompletionFilter::from_iter([handle]);

        let got = thread::scope(|scope| {
            let getters: Vec<_> = (0..4).map(|_| scope.spawn(|| filter.get())).collect();
            drop(gate);
            let got = getters.into_iter().map(|getter| getter.join().expect("no panic"));
            got.flatten().count()
        });

        assert_eq!(got, 1);
    }
}

#[test]
fn of_several_feeders_and_drainers_nobody_loses_or_doubles_a_handle() {
    const FEEDERS: usize = 3;
    const EACH: usize = 2000;
    let pool = pool(3);
    let filter = CompletionFilter::new();
    let left_to_get = AtomicUsize::new(FEEDERS * EACH);

    let got: Vec<usize> = thread::scope(|scope| {
        for feeder in 0..FEEDERS {
            let (pool, filter) = (&pool, &filter);
            scope.spawn(move || {
                for n in 0..EACH {
                    filter.put(pool.submit(move || feeder * EACH + n).expect("open"));
                }
            });
        }
        let drainers: Vec<_> = (0..3)
            .map(|drainer| {
                let (filter, left_to_get) = (&filter, &left_to_get);
                scope.spawn(move || {
                    let mut got = Vec::new();
                    while left_to_get.load(Ordering::Relaxed) > 0 {
                        // Also empty meanwhile: the feeders may be behind.
                        let handle = match drainer {
                            0 => filter.get(),
                            1 => filter.get_timeout(SHORT),
                            _ => filter.try_get(),
                        };
                        let Some(mut handle) = handle else { continue };
                        left_to_get.fetch_sub(1, Ordering::Relaxed);
                        got.push(handle.try_collect().expect("done"));
                    }
                    got
                })
            })
            .collect();
        drainers.into_iter().flat_map(|drainer| drainer.join().expect("no panic")).collect()
    });

    assert_eq!(got.len(), FEEDERS * EACH);
    assert_eq!(got.into_iter().collect::<HashSet<_>>().len(), FEEDERS * EACH);
    assert!(filter.is_empty());
}

#[test]
fn a_worker_that_drains_a_filter_runs_its_own_pools_tasks_oldest_first() {
    let pool = Arc::new(pool(1));
    let inner = pool.clone();

    let started = pool.run(move || {
        let started = Arc::new(Mutex::new(Vec::new()));
        let filter = CompletionFilter::new();
        for n in 0..10 {
            let started = started.clone();
            let task = move || started.lock().expect("no panic").push(n);
            filter.put(inner.submit(task).expect("open"));
        }
        assert_eq!(filter.get_all().count(), 10);
        started.lock().expect("no panic").clone()
    });

    assert_eq!(started.expect("no panic"), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_timed_wait_of_a_worker_runs_no_task() {
    let pool = Arc::new(pool(1));
    let inner = pool.clone();

    let outcome = pool.run(move || {
        let filter = CompletionFilter::from_iter([inner.submit(|| 5).expect("open")]);
        let in_time = filter.get_timeout(SHORT).is_some();
        (in_time, value(filter.get()))
    });

    assert_eq!(outcome.expect("no panic"), (false, 5));
}

/// The pool's only worker waits for a task of another pool, and then for one that is put later and
/// that nobody else can run.
#[test]
fn a_put_wakes_a_worker_that_can_run_the_task() {
    let (mine, other) = (pool(1), pool(1));
    for round in 0..100 {
        let (stuck, gate) = gated(&other, 1);
        let filter = Arc::new(CompletionFilter::from_iter([stuck]));
        let theirs = filter.clone();
        let (started, is_draining) = mpsc::channel();
        let drained = mine.submit(move || {
            started.send(()).expect("waited for");
            (value(theirs.get()), value(theirs.get()))
        });
        is_draining.recv().expect("started");
        // In most rounds it sleeps by now.
        (0..round).for_each(|_| thread::yield_now());

        let (run, has_run) = mpsc::channel();
        let task = move || {
            run.send(()).expect("waited for");
            2
        };
        filter.put(mine.submit(task).expect("open"));
        has_run.recv_timeout(LONG).expect("the worker was woken");
        drop(gate);

        // The task has run; its end may come after the other one's.
        let (first, second) = drained.expect("open").collect().expect("no panic");
        assert_eq!((first.min(second), first.max(second)), (1, 2));
    }
}

/// Threads that are no workers take what a worker is just running off the board.
#[test]
fn workers_that_help_and_threads_that_wait_share_a_filter() {
    let pool = Arc::new(pool(2));
    for _ in 0..200 {
        let filter = Arc::new(CompletionFilter::new());
        for n in 0..20 {
            filter.put(pool.submit(move || n).expect("open"));
        }
        let helpers: Vec<_> = (0..2)
            .map(|_| {
                let filter = filter.clone();
                let drain = move || filter.get_all().map(|h| value(Some(h))).collect::<Vec<_>>();
                pool.submit(drain).expect("open")
            })
            .collect();

        let mut got: Vec<_> = filter.get_all().map(|handle| value(Some(handle))).collect();
        for helper in helpers {
            got.extend(helper.collect().expect("no panic"));
        }

        got.sort();
        assert!(got.into_iter().eq(0..20));
    }
}

#[test]
fn dropping_a_filter_detaches_its_tasks() {
    let pool = pool(1);
    let (done, wait) = mpsc::channel();
    let filter = CompletionFilter::new();
    filter.put(pool.submit(move || done.send(7).expect("waited for")).expect("open"));

    drop(filter);

    assert_eq!(wait.recv(), Ok(7));
}
