//! What a pool costs while it has nothing, or little, to do. A test program of its own with one
//! test: it counts the threads of the whole process and their wake-ups.

#![cfg(target_os = "linux")]

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Barrier};
use std::thread::{sleep, yield_now};
use std::time::Instant;

use asyncpal::ThreadPool;

/// How long what takes a second may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the kernel says about the threads whose name starts with `prefix`.
fn statuses(prefix: &str) -> impl Iterator<Item = String> {
    let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).ok();
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let statuses = tasks.filter_map(move |task| status(task.expect("readable")));
    statuses.filter(move |status| field(status, "Name:").starts_with(prefix))
}

fn field<'s>(status: &'s str, name: &str) -> &'s str {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.expect("a field of every status").trim()
}

/// These threads, each with its voluntary context switches.
fn threads(prefix: &str) -> BTreeMap<String, u64> {
    statuses(prefix)
        .map(|status| {
            let id = format!("{} {}", field(&status, "Name:"), field(&status, "Pid:"));
            (id, field(&status, "voluntary_ctxt_switches:").parse().expect("a number"))
        })
        .collect()
}

/// Returns once all eight workers have announced themselves idle and sleep.
fn await_sleep(pool: &ThreadPool) {
    let sleeps = |status: String| field(&status, "State:").starts_with('S');
    while pool.stats().idle_workers < 8 || !statuses(pool.name()).all(sleeps) {
        yield_now();
    }
}

/// A burst that needs all eight workers at once.
fn burst(pool: &ThreadPool) {
    let all_here = Arc::new(Barrier::new(8));
    let handles: Vec<_> = (0..8)
        .map(|_| {
            let all_here = all_here.clone();
            pool.submit(move || all_here.wait().is_leader()).expect("open")
        })
        .collect();
    handles.into_iter().for_each(|handle| {
        handle.collect().expect("no panic");
    });
}

fn pool(name: &str, idle_timeout: Duration) -> ThreadPool {
    let builder = ThreadPool::builder().name(name).max_workers(8).idle_timeout(idle_timeout);
    builder.build().expect("valid")
}

#[test]
fn a_trickle_shrinks_the_pool_and_an_idle_pool_costs_nothing() {
    // While all eight are idle, none wakes: their timers are the only ones.
    let quiet = pool("quiet", Duration::from_secs(600));
    burst(&quiet);
    await_sleep(&quiet);
    let before = threads("quiet");
    assert_eq!(before.len(), 8);
    sleep(Duration::from_millis(500));
    assert_eq!(threads("quiet"), before, "no voluntary context switch while idle");
    quiet.shutdown();

    // 20 tiny tasks per second, one at a time.
    let trickle = pool("trickle", Duration::from_secs(1));
    burst(&trickle);
    let begun = Instant::now();
    loop {
        trickle.run(|| ()).expect("no panic");
        sleep(Duration::from_millis(50));
        let left = threads("trickle");
        if left.len() <= 2 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{left:?}");
    }

    // Then nothing: down to none.
    let begun = Instant::now();
    while !threads("trickle").is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{trickle:?}");
        sleep(Duration::from_millis(10));
    }
    assert_eq!(trickle.count_workers(), 0);
}
