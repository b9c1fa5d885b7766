//! Calls that a command was sent and has not read when it is lost.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::ExitCode;
use std::{env, fs, process};

use asyncpal::process::wire::frame::{Header, Kind};
use asyncpal::process::wire::message::{Hello, PROTOCOL_VERSION};
use asyncpal::process::{LostCause, worker_command};

use crate::lost;
use crate::worker::*;

crate::trials! {
    a_command_that_replies_and_reads_no_call_is_replaced_once_for_each
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

fn append(path: &str, line: &str) {
    let file = File::options().create(true).append(true).open(path);
    writeln!(file.expect("it may be written"), "{line}").expect("there is room");
}

fn path(name: &str) -> String {
    let path = env::temp_dir().join(format!("asyncpal-{name}-{}", process::id()));
    path.to_str().expect("plain").to_owned()
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
