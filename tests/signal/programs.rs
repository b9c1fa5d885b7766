//! What the programs do that are signalled.

use core::time::Duration;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::exit;
use std::sync::mpsc;
use std::thread::{self, park, sleep};

use asyncpal::signal::{SignalError, drain_on_signals};
use asyncpal::{ProcessPool, ThreadPool, is_cancel_requested};
use libc::{SIGINT, SIGTERM};

use crate::allocations::at_each_allocation;
use crate::program::be_mortal;
use crate::{HOUR, kill};

/// A pool that nobody drops, of one worker.
fn pool() -> &'static ThreadPool {
    let pool = ThreadPool::single().name("graceful").grace(HOUR).build().expect("valid");
    Box::leak(Box::new(pool))
}

/// Occupies a pool with a task that ends 300 ms after it was asked to.
fn occupy(pool: &ThreadPool) {
    start(pool, || {
        until_asked();
        sleep(Duration::from_millis(300));
        println!("running task finished");
    });
    drop(pool.submit(|| println!("pending task ran")));
}

/// Occupies a pool with a task that never ends.
fn block(pool: &ThreadPool) {
    start(pool, || {
        until_asked();
        println!("asked to stop");
        sleep(HOUR);
    });
}

fn start(pool: &ThreadPool, task: impl FnOnce() + Send + 'static) {
    let (started, has_started) = mpsc::channel();
    drop(pool.submit(move || {
        started.send(()).expect("waited for");
        task();
    }));
    has_started.recv().expect("started");
}

fn until_asked() {
    while !is_cancel_requested() {
        sleep(Duration::from_millis(1));
    }
}

fn drain(deadline: Duration) {
    drain_on_signals(deadline).expect("nobody else wants them");
}

fn ready() -> ! {
    println!("ready");
    loop {
        park();
    }
}

fn remote_nap() {
    println!("ready");
    sleep(Duration::from_millis(300));
    println!("running task finished");
}

/// A deadline: long enough for a task that is asked to stop to say so before.
pub(crate) const SOON: Duration = Duration::from_secs(2);

pub(crate) fn run(ending: &str) {
    match ending {
        "park" => {
            drain(HOUR);
            occupy(pool());
            ready();
        }
        "task-exits" => {
            drain(HOUR);
            start(pool(), || {
                until_asked();
                println!("asked to stop");
                exit(3);
            });
            ready();
        }
        "two-pools" => {
            occupy(pool());
            drain(HOUR);
            occupy(pool());
            ready();
        }
        "stubborn" => {
            drain(HOUR);
            block(pool());
            ready();
        }
        "stubborn-for-a-while" => {
            drain(HOUR);
            start(pool(), || {
                until_asked();
                println!("asked to stop");
                sleep(Duration::from_millis(300));
                println!("running task finished");
            });
            ready();
        }
        "stuck" => {
            drain(SOON);
            block(pool());
            ready();
        }
        "destructor" => destructor(SOON),
        "grace" => {
            drain(HOUR);
            let pool = ThreadPool::builder().name("graceful").grace(SOON).build().expect("valid");
            block(&pool);
            ready();
        }
        "return" => {
            drain(HOUR);
            let pool = pool();
            occupy(pool);
            println!("ready");
            while !pool.is_closed() {
                sleep(Duration::from_millis(1));
            }
        }
        "exit-first" | "exit-stuck" | "exit-elsewhere" => {
            let stuck = ending == "exit-stuck";
            drain(if stuck { SOON } else { HOUR });
            start(pool(), move || {
                until_asked();
                // `exit` has begun: only it asks.
                println!("ready");
                sleep(if stuck { HOUR } else { Duration::from_millis(300) });
                println!("running task finished");
            });
            if ending != "exit-elsewhere" {
                exit(7);
            }
            thread::spawn(|| exit(7));
            loop {
                park();
            }
        }
        "print" => {
            drain(HOUR);
            // Under one lock: who flushes comes after both.
            print!("ready\nhalf a line");
            loop {
                park();
            }
        }
        "held-output" => {
            drain(HOUR);
            let mut held = io::stdout().lock();
            writeln!(held, "ready").expect("somebody reads");
            loop {
                park();
            }
        }
        "own-handler" => own_handler(),
        "ignored" => {
            // SAFETY: SIG_IGN is a valid disposition.
            unsafe { libc::signal(SIGINT, libc::SIG_IGN) };
            drain(HOUR);
            occupy(pool());
            println!("ready");
            println!("alive");
            loop {
                park();
            }
        }
        "twice" => {
            drain(HOUR);
            assert!(matches!(drain_on_signals(HOUR), Err(SignalError::CalledBefore)));
            println!("called before");
        }
        "fork" => fork(|| ()),
        "fork-again" => fork(|| {
            drain(HOUR);
            occupy(self::pool());
        }),
        "fork-midway" => fork(|| at_each_allocation(|| raise(SIGTERM), || drain(HOUR))),
        "process" => {
            // SAFETY: setpgid touches no memory.
            assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
            drain(HOUR);
            let pool = ProcessPool::single().build().expect("`init` has run");
            drop(pool.submit(remote_nap));
            loop {
                park();
            }
        }
        other => panic!("no such ending: {other}"),
    }
}

fn destructor(deadline: Duration) {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            println!("the destructor has begun");
            sleep(HOUR);
        }
    }
    drain(deadline);
    let pool = pool();
    let slow = Slow;
    start(pool, until_asked);
    drop(pool.submit(move || drop(slow)));
    ready();
}

fn raise(signal: i32) {
    // SAFETY: raise touches no memory.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

fn own_handler() {
    extern "C" fn handler(_: i32) {}
    let handler = handler as extern "C" fn(i32) as libc::sighandler_t;
    // SAFETY: a handler that does nothing may do so at any time.
    unsafe { libc::signal(SIGINT, handler) };
    let error = drain_on_signals(HOUR).expect_err("one of them has a handler");
    assert!(matches!(error, SignalError::HandledElsewhere { signal: SIGINT }), "{error}");
    raise(SIGINT);
    println!("SIGINT is handled by the program");
    // SAFETY: SIG_DFL is a valid disposition.
    assert_eq!(unsafe { libc::signal(SIGINT, libc::SIG_DFL) }, handler);
    drain(HOUR);
}

fn fork(in_child: fn()) {
    drain(HOUR);
    let pool = pool();
    let [mut reader, writer] = pipe();
    // SAFETY: what the child does is what this test is about.
    let child = unsafe { libc::fork() };
    if child == 0 {
        be_mortal();
        in_child();
        drop(writer);
        loop {
            park();
        }
    }
    drop(writer);
    // The end of file: the child is ready.
    std::io::Read::read_to_end(&mut reader, &mut Vec::new()).expect("a pipe");
    kill(child, SIGTERM);
    let mut status = 0;
    // SAFETY: waitpid writes one number to the place given.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(std::process::ExitStatus::from_raw(status).signal(), Some(SIGTERM));
    println!("SIGTERM has ended the child");
    pool.check().expect("the parent is not concerned");
    println!("the pool is open");
}

fn pipe() -> [std::fs::File; 2] {
    use std::os::fd::{FromRawFd as _, OwnedFd};

    let mut ends = [-1; 2];
    // SAFETY: there is room for two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: it was just opened, and is nobody else's.
    ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) }.into())
}
