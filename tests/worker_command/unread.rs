//! Calls that a command was sent and has not read when it is lost.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::ExitCode;
use std::{env, fs, process};

use asyncpal::process::wire::frame::{Header, Kind};
use asyncpal::process::wire::message::{Hello, PROTOCOL_VERSION};
use asyncpal::process::{LostCause, worker_command};

use crate::worker::*;
use crate::{children, eventually, lives, lost};

crate::trials! {
    a_command_that_replies_and_reads_no_call_is_replaced_once_for_each
    a_worker_elsewhere_that_goes_on_after_its_launchers_death_finds_no_call
}

/// The argument that makes a worker of this program which replies to what it was not asked, and does not read what it
/// is. The next one is a file for the starts of such workers.
pub(crate) const BABBLE: &str = "--babble";

pub(crate) fn babble() -> ExitCode {
    let starts = env::args().nth(2).expect("a file");
    append(&starts, "started");
    let hello = Hello { version: PROTOCOL_VERSION, pid: process::id(), build: Vec::new() }.encode();
    say(Kind::Hello, 0, &hello);
    // START, which comes whole, and nothing after it.
    let read = io::stdin().read(&mut [0; 4096]).expect("a pipe");
    assert!(read < 4096);
    say(Kind::Ready, 0, &[]);
    let mut call = libc::pollfd { fd: io::stdin().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: it reads and writes one pollfd.
    assert_eq!(unsafe { libc::poll(&raw mut call, 1, 60_000) }, 1);
    say(Kind::Result, 99, &[]);
    loop {
        std::thread::park();
    }
}

fn say(kind: Kind, task_id: u64, body: &[u8]) {
    let head = Header { task_id, ..Header::new(kind) }.encode(body.len()).expect("it is short");
    let mut out = io::stdout();
    out.write_all(&[&head, body].concat()).and_then(|()| out.flush()).expect("somebody reads");
}

/// What it was sent has not started, so another one gets it, which is no better.
fn a_command_that_replies_and_reads_no_call_is_replaced_once_for_each() {
    let starts = path("starts");
    let command = worker_command(env::current_exe().expect("a test program has a path"));
    let pool = command.args([BABBLE, &starts]).pool().max_workers(1).build().expect("valid");

    for calls in 1..=3 {
        let error = pool.submit(PID).expect("open").collect().expect_err("it is not read");

        let LostCause::Protocol(what) = lost(&error).cause() else { panic!("{error:?}") };
        assert!(what.contains("it replied to task 99"), "{what}");
        assert_eq!(fs::read_to_string(&starts).expect("text").lines().count(), 2 * calls);
    }
    fs::remove_file(starts).expect("it is there");
}

/// Another one runs the call meanwhile.
fn a_worker_elsewhere_that_goes_on_after_its_launchers_death_finds_no_call() {
    let calls = path("calls");
    // In a session of its own: what is killed with the launcher's group is not the worker.
    let command = shell("exec 3<&0; setsid \"$0\" --serve <&3 & wait");
    let pool = command.pool().max_workers(1).build().expect("valid");
    // Small ones, and more than the pipe that they are moved to takes at once.
    for line in ["small".to_owned(), "large".repeat(20_000)] {
        let far = pool.submit(PID).expect("open").collect().expect("no panic");
        let [launcher] = children()[..] else { panic!("one launcher") };
        signal(far, libc::SIGSTOP);
        eventually(|| is_stopped(far));

        let call = pool.submit_with(APPEND, (calls.clone(), line.clone())).expect("open");
        eventually(|| is_sent_something(launcher));
        signal(launcher, libc::SIGKILL);
        call.collect().expect("by another worker");
        assert!(is_stopped(far));
        signal(far, libc::SIGCONT);
        eventually(|| !lives(far));

        let said = fs::read_to_string(&calls).expect("text");
        let times = said.lines().filter(|&said| said == line).count();
        assert_eq!(times, 1, "{} bytes", line.len());
    }
    fs::remove_file(calls).expect("it is there");
}

/// Whether there is something to read on its standard input.
fn is_sent_something(pid: u32) -> bool {
    let input = File::open(format!("/proc/{pid}/fd/0")).expect("it is a pipe");
    let mut input = libc::pollfd { fd: input.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: it reads and writes one pollfd.
    unsafe { libc::poll(&raw mut input, 1, 0) == 1 }
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| stat.contains(") T"))
}

fn signal(pid: u32, signal: i32) {
    let pid = pid.try_into().expect("a process");
    // SAFETY: kill touches no memory.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "{}", io::Error::last_os_error());
}
