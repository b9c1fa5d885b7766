//! Programs that fork on a worker's thread, or have a worker that waits for a thread: the child has a copy of it, and
//! there must not be two. Each test starts this program again; that one forks, and says what it saw on stdout.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use core::time::Duration;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::sleep;

use asyncpal::{Builder, EventKind, ThreadPool, Threads, WorkerThread, is_cancel_requested};
use libtest_mimic::Arguments;

#[path = "common/fork.rs"]
mod fork;
#[path = "common/program.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod program;

use fork::{fork, reap, test};
use program::ending;

fn main() {
    if let Some(ending) = ending() {
        return run(&ending);
    }
    const RUN: &[&str] = &["first", "second", "third"];
    const OBSERVED: &[&str] = &["first", "ended", "second", "ended", "third", "ended"];
    let trials = vec![
        test("a_copy_of_a_worker_ends_with_its_task", "task", RUN),
        test("the_end_of_a_copy_of_a_worker_is_no_event", "observed-task", OBSERVED),
        test("a_copy_of_a_worker_ends_with_its_callback", "callback", RUN),
        test("a_copy_of_a_worker_ends_with_its_destructor", "destructor", RUN),
        test("a_copy_of_a_worker_ends_with_its_hook", "hook", RUN),
        test("a_copy_of_a_worker_ends_with_its_initializer", "initializer", RUN),
        test("a_copy_of_a_worker_that_exits_takes_no_lock", "exit", &["exited"]),
        test("a_copy_of_a_worker_may_exit_while_the_program_ends", "exit-at-the-end", &["exited"]),
        test("a_child_runs_no_worker_of_its_parents_spawner", "spawner-run", &["ran"]),
        test("a_child_drops_no_worker_of_its_parents_spawner", "spawner-drop", &["ran"]),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn run(ending: &str) {
    let builder = ThreadPool::builder;
    match ending {
        "task" => fork_in_a_task(builder()),
        "observed-task" => fork_in_a_task(builder().on_event(|event| {
            if let EventKind::TaskEnded { .. } = event.kind {
                println!("ended");
            }
        })),
        "callback" => fork_behind_the_first(builder(), true, || ()),
        "destructor" => fork_behind_the_first(builder(), false, || Forking),
        "hook" => fork_behind_the_first(
            builder().on_event(|event| {
                if matches!(event.kind, EventKind::TaskEnded { task, .. } if task.id == 1) {
                    fork_once();
                }
            }),
            false,
            || (),
        ),
        "initializer" => fork_behind_the_first(builder().initializer(fork_once), false, || ()),
        "exit" => exit_in_a_task(),
        "exit-at-the-end" => exit_in_a_task_at_the_end(),
        "spawner-run" => spawner(WorkerThread::run),
        "spawner-drop" => spawner(drop),
        other => panic!("no such ending: {other}"),
    }
}

/// The copy has the queue of its parent, too.
fn fork_in_a_task(builder: Builder<Threads>) {
    let pool = builder.max_workers(1).build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let first = pool.submit(move || {
        let _ = closed.recv();
        let child = fork();
        if child.is_some() {
            println!("first");
        }
        child
    });
    let second = pool.submit(|| println!("second")).expect("open");
    drop(gate);

    let child = first.expect("open").collect().expect("no panic").expect("of the parent");

    assert_eq!(reap(child), Some(0));
    second.collect().expect("once");
    pool.run(|| println!("third")).expect("by the same worker");
}

static CHILD: Mutex<Option<i32>> = Mutex::new(None);

/// Forks and returns in both.
fn fork_once() {
    if let Some(child) = fork() {
        *CHILD.lock().expect("no panic") = Some(child);
    }
}

struct Forking;

impl Drop for Forking {
    fn drop(&mut self) {
        fork_once();
    }
}

/// Something forks on the worker's thread, outside of any task. `first` is what the first one returns.
fn fork_behind_the_first<T: Send + 'static>(
    builder: Builder<Threads>,
    calls_back: bool,
    first: fn() -> T,
) {
    let pool = builder.max_workers(1).build().expect("valid");
    let (gate, closed) = mpsc::channel::<()>();
    let task = move || {
        let _ = closed.recv();
        println!("first");
        first()
    };
    let task = pool.submit(task).expect("open");
    if calls_back {
        task.add_callback(|_| fork_once());
    }
    drop(task);
    pool.spawn(|| println!("second")).expect("open");
    drop(gate);

    pool.join();

    let child = CHILD.lock().expect("no panic").take().expect("it has forked");
    assert_eq!(reap(child), Some(0));
    pool.run(|| println!("third")).expect("open");
}

/// Others have the lock of the pool's book all the time.
fn exit_in_a_task() {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");
    let over = Arc::new(AtomicBool::new(false));
    let is_over = over.clone();
    let task = move || {
        for _ in 0..100 {
            let Some(child) = fork() else {
                // SAFETY: this process has one thread.
                unsafe { libc::exit(6) }
            };
            assert_eq!(reap(child), Some(6));
        }
        is_over.store(true, Relaxed);
    };
    let task = pool.submit(task).expect("open");

    while task.is_pending() {
        std::thread::yield_now();
    }
    while !over.load(Relaxed) && !task.is_done() {
        pool.shutdown_timeout(Duration::ZERO);
    }

    task.collect().expect("no child was in its parent's way");
    println!("exited");
}

/// By way of exit handlers, if the C library has no lock round them, which a thread that is not here has.
fn leave_by_handlers(code: i32) -> ! {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it has no preconditions.
        let version = unsafe { libc::gnu_get_libc_version() };
        // SAFETY: it is a static string that ends with a zero byte.
        let version = unsafe { core::ffi::CStr::from_ptr(version) };
        let minor = version.to_str().ok().and_then(|text| text.split('.').nth(1)?.parse().ok());
        if minor.is_some_and(|minor: u32| minor < 41) {
            // SAFETY: this process has one thread.
            unsafe { libc::exit(code) }
        }
    }
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

fn exit_in_a_task_at_the_end() {
    let pool = ThreadPool::builder().max_workers(1).build().expect("valid");
    let (started, has_started) = mpsc::channel();
    let task = move || {
        started.send(()).expect("waited for");
        while !is_cancel_requested() {
            sleep(Duration::from_millis(1));
        }
        // `exit` has begun: only it asks.
        let Some(child) = fork() else {
            leave_by_handlers(6);
        };
        assert_eq!(reap(child), Some(6));
        println!("exited");
    };
    Box::leak(Box::new(pool)).spawn(task).expect("open");
    has_started.recv().expect("started");
}

/// A worker waits for its thread; what the child does with it is nothing to the parent.
fn spawner(in_child: fn(WorkerThread)) {
    let (offer, offered) = mpsc::channel();
    let builder = ThreadPool::builder().max_workers(1);
    let builder = builder.spawner(move |worker| {
        offer.send(worker).expect("waited for");
        Ok(())
    });
    let pool = builder.build().expect("valid");
    let task = pool.submit(|| println!("ran")).expect("open");
    task.add_callback(|status| assert_eq!(status, asyncpal::Status::Completed));
    let worker = offered.recv().expect("one is wanted");

    let Some(child) = fork() else {
        in_child(worker);
        // SAFETY: _exit has no preconditions.
        unsafe { libc::_exit(if task.is_pending() { 0 } else { 1 }) }
    };

    assert_eq!(reap(child), Some(0));
    let thread = std::thread::spawn(|| worker.run());
    task.collect().expect("once");
    drop(pool);
    thread.join().expect("no panic");
}
