//! A machine without threads, for real: this program starts itself again, limits the child's address
//! space so that a few large stacks fill it, and lifts the limit later. That binds for every user, root
//! included, whereas a limit of processes (`RLIMIT_NPROC`) does not bind for root. It needs `prlimit` of
//! util-linux, which is part of every Debian.

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use core::time::Duration;
use std::process::{Command, Stdio, id};
use std::sync::{Arc, Mutex, mpsc};
use std::{env, fs, io, thread};

use asyncpal::{Handle, PoolError, TaskError, ThreadPool};
use libtest_mimic::{Arguments, Failed, Trial};

const CHILD: &str = "ASYNCPAL_TEST_CHILD";
const STACK: usize = 64 << 20;
const MAX_WORKERS: usize = 12;

fn main() {
    if env::var_os(CHILD).is_some() {
        return child();
    }
    let trial = Trial::test("a_pool_lives_with_few_threads_and_grows_when_there_are_more", parent);
    let trials = vec![trial.with_ignored_flag(cfg!(not(target_os = "linux")))];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn parent() -> Result<(), Failed> {
    let this = env::current_exe()?;
    // One arena: those of further threads are address space, too, of a size that nobody chose.
    let mut child = Command::new(this)
        .envs([(CHILD, "1"), ("MALLOC_ARENA_MAX", "1")])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let reader = child.stdout.take().expect("a pipe");
    let (tell, told) = mpsc::channel();
    let reading = thread::spawn(move || tell.send(io::read_to_string(reader)));
    match told.recv_timeout(Duration::from_secs(120)) {
        Ok(read) => said = read?,
        Err(_) => child.kill()?,
    }
    let status = child.wait()?;
    reading.join().expect("no panic").ok();
    if status.success() && said.ends_with("all is settled\n") {
        return Ok(());
    }
    Err(format!("the child hung or failed: {status}, having said:\n{said}").into())
}

/// Sets the soft limit of this process' address space.
fn limit(bytes: &str) {
    let arguments = [format!("--pid={}", id()), format!("--as={bytes}:")];
    let run = Command::new("prlimit").args(&arguments).status();
    let done = run.as_ref().is_ok_and(std::process::ExitStatus::success);
    assert!(done, "this machine cannot run the test: `prlimit` of util-linux: {run:?}");
}

/// How much address space this process has.
fn size() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("its size");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

fn pool() -> ThreadPool {
    ThreadPool::builder().max_workers(MAX_WORKERS).stack_size(STACK).build().expect("valid")
}

/// Whether it ran; else there was no thread for it.
fn ran<T>(handle: Handle<T>) -> bool {
    match handle.collect() {
        Ok(_) => true,
        Err(TaskError::Cancelled(cancelled)) => {
            cancelled.cause().expect("nobody else cancels");
            false
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn child() {
    limit(&(size() + 4 * STACK).to_string());
    let count = Arc::new(AtomicUsize::new(0));
    let few = pool();

    // A burst, of tasks that wait for tasks.
    let few = Arc::new(few);
    let handles: Vec<_> = (0..500)
        .filter_map(|_| {
            let (count, inside) = (count.clone(), few.clone());
            few.submit(move || {
                count.fetch_add(usize::from(inside.submit(|| ()).is_ok_and(ran)), SeqCst)
            })
            .ok()
        })
        .collect();
    let taken = handles.len();
    let done = handles.into_iter().map(ran).filter(|&ran| ran).count();
    println!("{done} of {taken} tasks ran, {} inner ones", count.load(SeqCst));
    assert_eq!((done, count.load(SeqCst)), (500, 500), "somebody lived all the time");

    // As many workers as there can be, and all of them busy.
    let (release, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let blocked = |pool: &ThreadPool| {
        let gate = gate.clone();
        pool.submit(move || gate.lock().expect("no panic").recv().is_err()).expect("somebody lives")
    };
    let mut handles: Vec<_> = (0..MAX_WORKERS).map(|_| blocked(&few)).collect();
    println!("{} workers with the limit", few.count_workers());
    assert!(few.count_workers() < MAX_WORKERS, "this machine cannot run the test: no limit binds");

    // Nobody lives, and nobody can.
    let none = ThreadPool::builder().stack_size(4 * STACK).build().expect("valid");
    let error = none.submit(|| ()).expect_err("there is no thread");
    println!("{error}");
    assert!(matches!(error.reason(), PoolError::Spawn(_)));
    assert_eq!((none.count_workers(), none.count_pending_tasks()), (0, 0));

    // Threads again: the load makes the pool grow, as soon as that is due.
    limit("unlimited");
    assert_eq!(none.run(|| 7).expect("there is a thread"), 7);
    while few.count_workers() < MAX_WORKERS {
        handles.push(blocked(&few));
        thread::yield_now();
    }
    println!("{} workers without the limit", few.count_workers());
    drop(release);
    assert!(handles.into_iter().all(ran));
    few.shutdown();
    none.shutdown();
    assert_eq!((few.count_workers(), few.count_pending_tasks()), (0, 0));
    println!("all is settled");
}
