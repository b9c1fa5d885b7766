//! Ten thousand tasks while somebody kills a random worker every five milliseconds.
//!
//! The workers write down what they start, one line each, in a file that they append to. So the file says what no
//! pool says of itself: that no task is started twice, and which replies were written. A worker writes its reply
//! before it waits for the next request; so all tasks but its last were replied to, and so was the last, if the worker
//! was waiting when it was killed. The killer stops its victim and looks, before it kills it.

mod killer;
mod ledger;

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Instant;

use asyncpal::process::ProcessOptions;
use libtest_mimic::{Arguments, Trial};

use killer::{Victims, children, kill_until};
use ledger::{Ledger, judge};

const TASKS: u64 = 10_000;
const WORKERS: usize = 4;

fn main() {
    asyncpal::process::init();
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let trials = vec![
        Trial::test("no_task_is_lost_or_doubled_while_ready_workers_are_killed", || {
            run(Victims::Ready);
            Ok(())
        }),
        Trial::test("no_task_is_lost_or_doubled_while_workers_are_killed_at_any_time", || {
            run(Victims::Any);
            Ok(())
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// What a long reply is filled up with: it is read in several steps, and fits the pipe.
const LONG_REPLY_BYTES: usize = 150_000;

/// The task: writes its number and its worker's, and returns its number, sometimes with much behind it.
fn start(path: String, task: u64) -> (u64, String) {
    let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
    let line = format!("{task} {}\n", std::process::id());
    // One write: lines of several workers do not mix.
    let written = file.write(line.as_bytes()).expect("there is room");
    assert_eq!(written, line.len());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(task % 7 * 100) {
        core::hint::spin_loop();
    }
    (task, "x".repeat(if task % 2 == 0 { LONG_REPLY_BYTES } else { 0 }))
}

fn run(victims: Victims) {
    let before = descriptors();
    let path = Ledger::create();
    let file = path.0.to_str().expect("it is text").to_owned();
    // Few tasks wait: three failed starts in a row cancel all that do.
    // And the killer must not pass for a program that cannot start.
    let options = ProcessOptions::new().crash_loop(0);
    let mut builder = options.pool().max_workers(WORKERS).capacity(4 * WORKERS);
    if victims == Victims::Any {
        // A handshake long enough to be killed in.
        builder = builder.initializer(|| sleep(Duration::from_millis(2)));
    }
    let pool = builder.build().expect("valid");
    let over = AtomicBool::new(false);
    let resolved: Arc<[AtomicU8]> = (0..TASKS).map(|_| AtomicU8::new(0)).collect();

    let mut handles = Vec::new();
    let kills = thread::scope(|scope| {
        let killer = scope.spawn(|| kill_until(&over, victims, &path.0));
        for task in 0..TASKS {
            let handle = pool.submit_with(start, (file.clone(), task)).expect("open");
            let resolved = resolved.clone();
            handle.add_callback(move |_| {
                // ORDERING: Relaxed: `collect` comes before the count is read.
                resolved[task as usize].fetch_add(1, Ordering::Relaxed);
            });
            handles.push(handle);
        }
        handles.iter().for_each(asyncpal::Handle::wait);
        // ORDERING: Relaxed: nothing else is read by it.
        over.store(true, Ordering::Relaxed);
        killer.join().expect("no panic")
    });
    let outcomes: Vec<_> = handles.into_iter().map(asyncpal::Handle::collect).collect();
    drop(pool);

    let started = path.read();
    let (completed, unstarted) = judge(&outcomes, &started, &kills);
    // ORDERING: Relaxed: see above; and the pool has ended.
    let doubled = resolved.iter().filter(|times| times.load(Ordering::Relaxed) != 1).count();
    assert_eq!(doubled, 0, "handles that were not resolved exactly once");
    if victims == Victims::Ready {
        // They were sent to workers who were about to die, and lay unread: others ran them, but for a few.
        assert!(unstarted * 8 < kills.times, "{unstarted} tasks were lost before their start");
    }
    // Or else it shows nothing.
    assert!(completed > if victims == Victims::Ready { TASKS / 2 } else { 0 }, "{completed}");
    assert!(kills.times > 20 && (kills.handshakes > 0) == (victims == Victims::Any), "{kills:?}");
    assert_eq!(children(), BTreeSet::new());
    assert_eq!(descriptors(), before);
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}
