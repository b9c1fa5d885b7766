//! Ten thousand tasks while somebody kills a random worker every five milliseconds.
//!
//! The workers write down what they start, one line each, in a file that they append to. So the file says what no
//! pool says of itself: that no task is started twice, and which replies were written. A worker writes its reply
//! before it waits for the next request; so all tasks but its last were replied to, and so was the last, if the worker
//! was waiting when it was killed. The killer stops its victim and looks, before it kills it.

mod every_handshake;
mod killer;
mod ledger;
mod pauses;
#[path = "../common/processes.rs"]
mod processes;

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use core::time::Duration;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Instant;

use asyncpal::Handle;
use asyncpal::process::ProcessOptions;
use libtest_mimic::{Arguments, Trial};

use every_handshake::a_killer_of_every_handshake_breaks_the_pool_and_each_handle_resolves_once;
use killer::{Victims, kill_until};
use ledger::{Ledger, judge};
use pauses::{Diary, Pauses, starts_that_fail_are_further_apart_each_time_until_one_succeeds};
use processes::{children, eventually};

const TASKS: u64 = 10_000;
const WORKERS: usize = 4;

fn main() {
    asyncpal::process::init();
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials()).exit();
}

macro_rules! trials {
    ($($name:ident)*) => {
        fn trials() -> Vec<Trial> {
            vec![$(trial(stringify!($name), $name)),*]
        }
    };
}

trials! {
    no_task_is_lost_or_doubled_while_ready_workers_are_killed
    no_task_is_lost_or_doubled_while_workers_are_killed_at_any_time
    starts_that_fail_are_further_apart_each_time_until_one_succeeds
    a_killer_of_every_handshake_breaks_the_pool_and_each_handle_resolves_once
}

/// A test, after which nothing may be left.
fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        let before = descriptors();
        test();
        assert_eq!(children(), []);
        assert_eq!(descriptors(), before);
        Ok(())
    })
}

fn no_task_is_lost_or_doubled_while_ready_workers_are_killed() {
    run(Victims::Ready);
}

/// Whoever has looked at the clock before a start fails may still make the next one too early. Nobody else does.
fn no_task_is_lost_or_doubled_while_workers_are_killed_at_any_time() {
    let pauses = run(Victims::Any);
    println!("    {pauses:?}");
    assert!(pauses.all > 0 && pauses.anew > 0, "{pauses:?}");
    assert!(pauses.early * 8 <= pauses.all, "{pauses:?}");
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

fn run(victims: Victims) -> Pauses {
    let path = Ledger::create();
    let file = path.0.to_str().expect("it is text").to_owned();
    // Few tasks wait: three failed starts in a row cancel all that do.
    // And the killer must not pass for a program that cannot start.
    let options = ProcessOptions::new().crash_loop(0);
    let diary = Diary::default();
    let mut builder = options.pool().max_workers(WORKERS).capacity(4 * WORKERS);
    if victims == Victims::Any {
        // A handshake long enough to be killed in.
        builder = diary.watch(builder.initializer(|| sleep(Duration::from_millis(2))));
    }
    let pool = builder.build().expect("valid");
    let over = AtomicBool::new(false);
    let resolved = Resolved::new(TASKS as usize);

    let mut handles = Vec::new();
    let kills = thread::scope(|scope| {
        let killer = scope.spawn(|| kill_until(&over, victims, &path.0));
        for task in 0..TASKS {
            let handle = pool.submit_with(start, (file.clone(), task)).expect("open");
            resolved.watch(&handle, task as usize);
            handles.push(handle);
        }
        handles.iter().for_each(Handle::wait);
        // ORDERING: Relaxed: nothing else is read by it.
        over.store(true, Ordering::Relaxed);
        killer.join().expect("no panic")
    });
    let outcomes: Vec<_> = handles.into_iter().map(Handle::collect).collect();
    drop(pool);

    let started = path.read();
    let (completed, unstarted) = judge(&outcomes, &started, &kills);
    resolved.assert_once_each(TASKS as usize);
    if victims == Victims::Ready {
        // They were sent to workers who were about to die, and lay unread: others ran them, but for a few.
        assert!(unstarted * 8 < kills.times, "{unstarted} tasks were lost before their start");
        assert!(!kills.while_waiting.is_empty() || !killer::can_look(), "nobody had replied");
    }
    // Or else it shows nothing.
    assert!(completed > if victims == Victims::Ready { TASKS / 2 } else { 0 }, "{completed}");
    assert!(kills.times > 20 && (kills.handshakes > 0) == (victims == Victims::Any), "{kills:?}");
    Pauses::of(&diary.lives())
}

/// How often each handle was resolved.
struct Resolved(Arc<[AtomicU8]>);

impl Resolved {
    fn new(most: usize) -> Self {
        Self((0..most).map(|_| AtomicU8::new(0)).collect())
    }

    fn watch<T: Send + 'static>(&self, handle: &Handle<T>, nth: usize) {
        let times = self.0.clone();
        handle.add_callback(move |_| {
            // ORDERING: Relaxed: the pool has ended before the count is read.
            times[nth].fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Once the pool has ended.
    fn assert_once_each(&self, count: usize) {
        // ORDERING: Relaxed: see `watch`.
        let wrong = self.0[..count].iter().filter(|times| times.load(Ordering::Relaxed) != 1);
        assert_eq!(wrong.count(), 0, "handles that were not resolved exactly once");
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}
