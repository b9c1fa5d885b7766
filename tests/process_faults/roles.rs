//! What the hosts do.

use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::thread::{self, sleep};
use std::time::Instant;

use asyncpal::process::parker::{ProcessParker, Unparked};
use asyncpal::process::{LaunchError, LostCause};
use asyncpal::{Handle, ProcessPool, TaskError};

use crate::clean::Clean;
use crate::processes::{children, eventually};
use crate::tasks::{busy_worker, cause, kill_self, own_pid, pool, show_busy, signal, spin, works};
use crate::{hosts, kernels, namespaces, privileges, surrender, tracers, words};

pub(crate) fn play(role: &str) {
    match role {
        "busy-and-idle" => {
            let _pool = busy_and_idle();
            say("ready");
            sleep(Duration::from_secs(60));
        }
        "starts-workers" => {
            let pool = ProcessPool::builder().max_workers(4).initializer(spin).build();
            let pool = pool.expect("valid");
            say("ready");
            (0..4).for_each(|_| drop(pool.submit(own_pid)));
            sleep(Duration::from_secs(60));
        }
        "leaves" => {
            let _pool = busy_and_idle();
            say("ready");
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(3) };
        }
        "returns" => returns(),
        "in-a-group" => {
            lead();
            let _pool = busy_and_idle();
            say("ready");
            sleep(Duration::from_secs(60));
        }
        "in-a-group-and-patient" => patient(),
        "sigchld-ignored" => {
            dispose(libc::SIGCHLD, libc::SIG_IGN);
            checked(deaths);
        }
        "thief" => thief(),
        "sigpipe-default" => {
            dispose(libc::SIGPIPE, libc::SIG_DFL);
            checked(deaths_at_any_time);
        }
        "descriptors" => checked(few_descriptors),
        "deleted" => {
            std::fs::remove_file(this_file()).expect("it is there");
            checked(|| assert!(works(&pool(2))));
        }
        "replaced" => {
            let other = this_file().with_extension("other");
            std::fs::copy("/bin/true", &other).expect("there is room");
            std::fs::rename(other, this_file()).expect("the same folder");
            checked(|| assert!(works(&pool(2))));
        }
        "ends-its-main-thread" => hosts::end_main_thread(),
        "prints" => checked(prints),
        "lowered-limit" => checked(lowered_limit),
        "lowered-limit-behind-a-reply" => checked(words::lowered_limit_behind_a_reply),
        "without-null" => without_null(),
        "builds" => privileges::build(),
        "builds-when-its-file-is-plain" => privileges::build_when_plain(),
        "drops-privileges" => surrender::drop_privileges(),
        "serves" => surrender::serve(),
        "drops-privileges-before-a-command" => surrender::drop_privileges_before_a_command(),
        "drops-privileges-before-a-call" => surrender::drop_privileges_before_a_call(),
        "enters" => privileges::enter(),
        "kills-without-groups" => kernels::kill_without_groups(),
        "masks-signals" => surrender::mask_signals(),
        "is-numbered-anew" => namespaces::number_anew(),
        "limits-workers" => namespaces::limit_workers(),
        other => {
            if let Some(call) = other.strip_prefix(kernels::LACKS) {
                kernels::build_without(call);
            } else if let Some(worker) = other.strip_prefix(tracers::TRACES) {
                tracers::trace(worker);
            } else {
                panic!("no such role: {other}");
            }
        }
    }
}

pub(crate) fn say(what: &str) {
    println!("{what}");
}

/// Does something after which all is as before.
pub(crate) fn checked(what: fn()) {
    let clean = Clean::before();
    what();
    clean.check();
    say("clean");
}

pub(crate) fn this_file() -> std::path::PathBuf {
    std::env::current_exe().expect("a test program has a path")
}

pub(crate) fn dispose(signal: i32, disposition: libc::sighandler_t) {
    // SAFETY: it is one of the two dispositions that are no functions.
    let before = unsafe { libc::signal(signal, disposition) };
    assert_ne!(before, libc::SIG_ERR);
}

/// Leads a process group of its own, as a shell sees to it.
fn lead() {
    // SAFETY: setpgid touches no memory.
    assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
}

/// A pool with one worker that computes for ever, and one that has nothing to do.
fn busy_and_idle() -> ProcessPool {
    let pool = pool(2);
    pool.spawn_max_workers().expect("open");
    eventually(|| pool.stats().idle_workers == 2);
    let busy = || {
        show_busy();
        spin();
    };
    drop(pool.submit(busy).expect("open"));
    busy_worker();
    assert_eq!((children().len(), pool.stats().idle_workers), (2, 1));
    pool
}

fn returns() {
    let builder = ProcessPool::builder().max_workers(1).grace(Duration::from_millis(100));
    let pool = Box::leak(Box::new(builder.build().expect("valid")));
    let busy: Handle<()> = pool.submit(spin).expect("open");
    eventually(|| busy.is_running() && !children().is_empty());
    say("ready");
}

static GO_ON: AtomicBool = AtomicBool::new(false);

extern "C" fn go_on(_: i32) {
    GO_ON.store(true, Ordering::Relaxed);
}

fn patient() {
    lead();
    dispose(libc::SIGINT, libc::SIG_IGN);
    let handler = go_on as extern "C" fn(i32);
    dispose(libc::SIGUSR1, handler as *const () as libc::sighandler_t);
    say("ready");
    let clean = Clean::before();
    {
        let pool = pool(1);
        pool.run(own_pid).expect("no panic");
        let nap = pool.submit(|| {
            sleep(Duration::from_secs(1));
            42
        });
        let nap = nap.expect("open");
        eventually(|| !nap.is_pending());
        say("worker");
        eventually(|| GO_ON.load(Ordering::Relaxed));
        println!("{}", nap.collect().expect("it was not disturbed"));
    }
    clean.check();
    say("clean");
}

fn check_loss(error: &TaskError) {
    let killed = matches!(cause(error), LostCause::Signal(libc::SIGKILL) | LostCause::StatusTaken);
    assert!(killed, "{error:?}");
}

/// Workers that die in a task, and when they are idle.
fn deaths() {
    let pool = pool(2);
    for _ in 0..10 {
        check_loss(&pool.run(kill_self).expect_err("its worker is gone"));
        let worker = pool.run(own_pid).expect("another one");
        signal(worker, libc::SIGKILL);
        // What was sent to it just now may have started, for all that one can know.
        eventually(|| !children().contains(&worker));
        assert!(works(&pool));
    }
}

/// Somebody in the host takes whatever status there is.
fn thief() {
    let clean = Clean::before();
    // It ends with the program.
    thread::spawn(|| {
        loop {
            // SAFETY: waitpid accepts a null status.
            if unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } == -1 {
                thread::yield_now();
            }
        }
    });
    deaths();
    clean.check();
    say("clean");
}

/// Workers that die while they are written to.
fn deaths_at_any_time() {
    let pool = pool(1);
    for round in 0..50_u64 {
        let worker = pool.run(own_pid).expect("no panic");
        let task =
            pool.submit_with(|bytes: Vec<u8>| bytes.len(), (vec![1; 4 << 20],)).expect("open");
        // Somewhere in the four megabytes.
        sleep(Duration::from_micros(round * 20));
        signal(worker, libc::SIGKILL);
        match task.collect() {
            Ok(length) => assert_eq!(length, 4 << 20),
            Err(error) => check_loss(&error),
        }
        eventually(|| !children().contains(&worker));
    }
    check_loss(&pool.run(kill_self).expect_err("its worker is gone"));
    assert!(works(&pool));
}

/// All but so many descriptors of a small table are taken.
fn few_descriptors() {
    const TABLE: libc::rlim_t = 64;
    limit_descriptors(TABLE);
    let (mut failures, mut results) = (0, 0);
    for left in 0..24 {
        let mut taken = Vec::new();
        let nothing = loop {
            match File::open("/dev/null") {
                Ok(file) => taken.push(file),
                Err(error) => break error,
            }
        };
        assert_eq!(nothing.raw_os_error(), Some(libc::EMFILE));
        taken.truncate(taken.len() - left);
        let pool = pool(2);

        let tasks: Vec<_> =
            (0..4).map(|_| pool.submit(own_pid).expect("threads there are")).collect();
        for task in tasks {
            match task.collect() {
                Ok(_) => results += 1,
                Err(error) => {
                    assert!(error.is_cancelled() && names_the_refusal(&error), "{error:?}");
                    failures += 1;
                }
            }
        }
        drop(taken);
        // A try that began before may be the last of three.
        eventually(|| works(&pool));
    }
    assert!(failures >= 8 && results >= 8, "{failures} failures, {results} results");
}

fn names_the_refusal(error: &TaskError) -> bool {
    let system = error.downcast_ref().and_then(LaunchError::system);
    let system = system.or_else(|| error.downcast_ref());
    system.is_some_and(|error| error.raw_os_error() == Some(libc::EMFILE))
}

/// A task that prints four megabytes to each output.
fn prints() {
    fn print(bytes: usize) -> usize {
        let line = |what: &str| what.repeat(1023) + "\n";
        let (tildes, hashes) = (line("~"), line("#"));
        assert_eq!(io::stdout().as_raw_fd(), 1);
        let mut written = 0;
        while written < bytes {
            let length = (bytes - written).min(1023);
            io::stdout().write_all(&tildes.as_bytes()[..length]).expect("somebody reads");
            io::stderr().write_all(&hashes.as_bytes()[..length]).expect("somebody reads");
            written += length;
        }
        println!();
        written
    }
    let pool = pool(1);
    let printed = pool.submit_with(print, (4 << 20,)).expect("open").collect().expect("no panic");
    assert_eq!(printed, 4 << 20);
    assert!(works(&pool));
}

/// Lets descriptors be numbered below this; those that are open stay.
pub(crate) fn limit_descriptors(most: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes one rlimit.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit.rlim_cur = most;
    // SAFETY: it reads one rlimit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

/// The processor time of this process.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.try_into().expect("short"), time.tv_nsec.try_into().expect("short"))
}

/// What idle workers cost.
fn idle_time() -> Duration {
    let before = processor_time();
    sleep(Duration::from_millis(500));
    processor_time() - before
}

/// A pool that has a worker when its host may have fewer and fewer descriptors.
fn lowered_limit() {
    const LITTLE: Duration = Duration::from_millis(200);
    let pool = pool(1);
    // It takes its time: nobody finds its result before a wait.
    let ask = || {
        let nap = pool.submit(|| {
            sleep(Duration::from_millis(50));
            own_pid()
        });
        nap.expect("open").collect()
    };
    let worker = ask().expect("no panic");

    // As many as a wait needs.
    limit_descriptors(3);
    assert_eq!(ask().expect("it is there"), worker);
    assert!(idle_time() < LITTLE);

    // Fewer. If the worker has not read the task yet when it is lost, another one cannot be started.
    limit_descriptors(1);
    let error = ask().expect_err("nobody can wait for it");
    let said = all_of(&error);
    assert!(said.contains("cannot be waited for") || names_the_refusal(&error), "{said}");
    assert!(idle_time() < LITTLE);

    // Too few for a start, but for pipes.
    limit_descriptors(10);
    let said = all_of(&ask().expect_err("no descriptor is as high as it must be"));
    assert!(said.contains("RLIMIT_NOFILE is 10"), "{said}");

    // None at all: the kernel refuses every wait.
    let parker = ProcessParker::new();
    assert_eq!(parker.park(None, Some(Instant::now())), Unparked::TimedOut);
    limit_descriptors(0);
    let before = processor_time();
    let deadline = Instant::now() + Duration::from_millis(500);
    assert_eq!(parker.park(None, Some(deadline)), Unparked::TimedOut);
    assert!(processor_time() - before < LITTLE);
    parker.unpark();
    assert_eq!(parker.park(None, None), Unparked::Woken);
    drop(ask().expect_err("nothing can be opened"));

    limit_descriptors(256);
    eventually(|| works(&pool));
}

/// An error and its sources.
pub(crate) fn all_of(error: &dyn core::error::Error) -> String {
    let mut said = error.to_string();
    let mut link = error.source();
    while let Some(error) = link {
        said += &format!(": {error}");
        link = error.source();
    }
    said
}

/// A host in a world without devices.
fn without_null() {
    // SAFETY: unshare touches no memory.
    let refused = unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0
        || !mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE)
        || !mount(c"tmpfs", c"/dev", 0);
    if refused {
        return say("refused");
    }
    say(&all_of(&pool(1).run(own_pid).expect_err("no worker can start")));
}

fn mount(what: &core::ffi::CStr, onto: &core::ffi::CStr, flags: libc::c_ulong) -> bool {
    let (what, onto) = (what.as_ptr(), onto.as_ptr());
    // SAFETY: the strings end with a zero byte and live; no data are passed.
    unsafe { libc::mount(what, onto, what, flags, ptr::null()) == 0 }
}
