//! Workers of another program that end, by themselves or because they must.

use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use std::{env, fs, process, thread};

use asyncpal::process::{LostCause, WorkerCommand};

use crate::worker::*;
use crate::{children, eventually, lives, lost};

crate::trials! {
    a_worker_that_exits_in_a_task_is_lost_whatever_its_code
    a_worker_that_aborts_in_a_task_fails_that_task_and_no_other
    a_launcher_that_is_killed_in_a_task_takes_its_worker_along
    a_worker_that_does_not_end_when_it_is_closed_is_ended
    a_worker_that_outlives_its_launcher_is_ended_all_the_same
    what_a_launcher_has_started_ends_with_a_start_that_fails
    what_a_launcher_has_started_ends_with_a_worker_that_does_not_end_well
    a_launcher_that_takes_long_does_not_hold_up_the_end_of_its_pool
    an_idle_worker_ends_when_its_host_is_killed
    a_child_that_the_host_has_forked_keeps_no_idle_worker_alive
    a_child_that_the_host_has_forked_keeps_no_busy_worker_alive
}

/// The argument that makes this program the host of an idle worker.
pub(crate) const HOST: &str = "--host";

/// One more of them, and it forks a child that lives on.
const FORKING: &str = "--forking";

/// A third one, and the worker has a task, whose reply it writes when the host is gone.
const BUSY: &str = "--busy";

fn a_worker_that_exits_in_a_task_is_lost_whatever_its_code() {
    let pool = this_program().pool().max_workers(1).build().expect("valid");

    for code in [0, 3, 255] {
        let error = pool.submit_with(EXIT, (code,)).expect("open").collect();

        assert_eq!(lost(&error.expect_err("it is gone")).cause(), &LostCause::Exited(code));
    }
}

fn a_worker_that_aborts_in_a_task_fails_that_task_and_no_other() {
    let pool = this_program().pool().max_workers(1).build().expect("valid");
    let aborted = pool.submit(ABORT).expect("open");
    let others: Vec<_> = (0..5).map(|n| pool.submit_with(SQUARE, (n,)).expect("open")).collect();

    let error = aborted.collect().expect_err("it is gone");

    assert!(error.to_string().contains("SIGABRT"), "{error}");
    for (n, other) in (0..).zip(others) {
        assert_eq!(other.collect().expect("another worker's"), n * n);
    }
}

fn a_launcher_that_is_killed_in_a_task_takes_its_worker_along() {
    // The shell stays: it is the launcher, and the worker its child.
    let pool = shell("\"$0\" --serve; exit $?").pool().max_workers(1).build().expect("valid");
    let worker = pool.submit(PID).expect("open").collect().expect("no panic");
    let has_begun = path("launcher-killed");
    let begun = pool.submit_with(BEGIN, (has_begun.clone(),)).expect("open");
    eventually(|| fs::remove_file(&has_begun).is_ok());

    let [launcher] = children()[..] else { panic!("one launcher") };
    assert_ne!(launcher, worker);
    kill(launcher);

    let error = begun.collect().expect_err("its launcher is gone");
    assert_eq!(lost(&error).cause(), &LostCause::Signal(9));
    assert_eq!(lost(&error).pid(), launcher);
    eventually(|| !lives(worker));
}

fn a_worker_that_does_not_end_when_it_is_closed_is_ended() {
    let command = this_program().close_grace(Duration::from_millis(100));
    let pool = command.pool().max_workers(1).finalizer(SLEEP).build().expect("valid");
    pool.submit(PID).expect("open").collect().expect("no panic");
    let begun = Instant::now();

    pool.shutdown();

    // The finalizer sleeps for ten minutes; without the setting it has five seconds.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(children().is_empty());
}

/// The launcher heeds SIGTERM.
fn a_worker_that_outlives_its_launcher_is_ended_all_the_same() {
    let command = shell("\"$0\" --serve; exit $?").close_grace(Duration::from_millis(100));
    let pool = command.pool().max_workers(1).finalizer(SLEEP_DEAFLY).build().expect("valid");
    let worker = pool.submit(PID).expect("open").collect().expect("no panic");
    assert_ne!(children(), [worker]);

    pool.shutdown();

    eventually(|| !lives(worker));
}

/// What a shell has started beside the worker that it launches must be gone after that. `ends` is how the shell ends.
fn takes_along(ends: &str, with: fn(WorkerCommand)) {
    let numbers = env::temp_dir().join(format!("asyncpal-started-{}", process::id()));
    let script = format!("sleep 600 >/dev/null 2>&1 & echo $! >>\"$1\"; \"$0\" --serve; {ends}");

    with(shell(&script).arg(&numbers));

    let started = fs::read_to_string(&numbers).expect("it was written");
    fs::remove_file(numbers).expect("it is there");
    for started in started.lines() {
        let started = started.parse().expect("a process");
        eventually(|| !lives(started));
    }
}

fn what_a_launcher_has_started_ends_with_a_start_that_fails() {
    takes_along("exit $?", |command| {
        let pool = command.pool().max_workers(1).initializer(FAIL).build().expect("valid");
        pool.submit(PID).expect("open").collect().expect_err("it fails");
    });
}

fn what_a_launcher_has_started_ends_with_a_worker_that_does_not_end_well() {
    takes_along("exit 3", |command| {
        let pool = command.pool().max_workers(1).build().expect("valid");
        pool.submit(PID).expect("open").collect().expect("no panic");
    });
}

fn a_launcher_that_takes_long_does_not_hold_up_the_end_of_its_pool() {
    let command = shell("sleep 0.2; exec \"$0\" --serve").close_grace(Duration::from_millis(500));
    let command = command.handshake_timeout(Duration::from_secs(60));
    let pool = command.pool().max_workers(1).initializer(SLEEP).build().expect("valid");
    let task = pool.submit(PID).expect("open");
    eventually(|| !children().is_empty());
    let begun = Instant::now();

    pool.shutdown();

    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(task.collect().expect_err("it was pending").is_cancelled());
}

fn an_idle_worker_ends_when_its_host_is_killed() {
    let orphan = orphan(&[]);

    eventually(|| !lives(orphan.worker));
}

/// An idle command waits for the end of its requests, whose write end the child has by birth.
fn a_child_that_the_host_has_forked_keeps_no_idle_worker_alive() {
    keeps_no_worker_alive(&[FORKING]);
}

/// A busy one waits for somebody to read its reply, whose read end the child has by birth, too.
fn a_child_that_the_host_has_forked_keeps_no_busy_worker_alive() {
    keeps_no_worker_alive(&[FORKING, BUSY]);
}

fn keeps_no_worker_alive(arguments: &[&str]) {
    let orphan = orphan(arguments);

    eventually(|| !lives(orphan.worker));

    let child = orphan.child.expect("it was forked");
    assert!(lives(child), "or else it shows nothing");
    kill(child);
}

struct Orphan {
    worker: u32,
    child: Option<u32>,
}

/// A worker, idle, whose host was killed.
fn orphan(arguments: &[&str]) -> Orphan {
    let this = env::current_exe().expect("a test program has a path");
    let mut host = Command::new(this);
    let mut host =
        host.arg(HOST).args(arguments).stdout(Stdio::piped()).spawn().expect("a program");
    let mut line = String::new();
    let mut said = BufReader::new(host.stdout.take().expect("piped"));
    said.read_line(&mut line).expect("readable");
    let mut numbers = line.split_whitespace().map(|number| number.parse().expect("a process"));
    let orphan = Orphan { worker: numbers.next().expect("a worker"), child: numbers.next() };
    assert!(lives(orphan.worker));

    host.kill().expect("it runs");
    host.wait().expect("it is ours");
    orphan
}

/// Has an idle worker, tells its number and perhaps that of a child, and stays.
pub(crate) fn host() -> ExitCode {
    let pool = this_program().pool().max_workers(1).idle_timeout(None).build().expect("valid");
    let worker = pool.submit(PID).expect("open").collect().expect("no panic");
    let arguments: Vec<_> = env::args().skip(2).collect();
    if arguments.iter().any(|it| it == BUSY) {
        let zeros = pool.submit(LAST_ZEROS).expect("open");
        eventually(|| zeros.is_running());
        // So that it is sent, as a rule, before this ends; that is not told.
        thread::sleep(Duration::from_millis(100));
    }
    if arguments.iter().any(|it| it == FORKING) {
        // SAFETY: the child only sleeps.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: alarm touches no memory. It ends the child if nobody else does.
            unsafe { libc::alarm(120) };
            stay();
        }
        println!("{worker} {child}");
    } else {
        println!("{worker}");
    }
    stay()
}

fn stay() -> ! {
    loop {
        thread::park();
    }
}

fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("it starts");
    assert!(status.success());
}
