//! Programs that SIGTERM or SIGINT is to end gracefully. Each test starts this program again and sends
//! it signals when it says that it is ready; its tasks say what became of them on stdout.

use core::time::Duration;
use std::os::unix::process::ExitStatusExt as _;
use std::process::exit;
use std::sync::mpsc;
use std::thread::{park, sleep};

use asyncpal::signal::{SignalError, drain_on_signals};
use asyncpal::{ProcessPool, ThreadPool, is_cancel_requested};
use libc::{SIGINT, SIGTERM};
use libtest_mimic::{Arguments, Failed, Trial};

#[path = "common/program.rs"]
mod program;

use program::{Ended, Program, be_mortal, ending};

const HOUR: Duration = Duration::from_secs(3600);
const FINISHED: &[&str] = &["running task finished"];

type Verdict = Result<(), Failed>;

macro_rules! trials {
    ($($name:ident)*) => {
        vec![$(Trial::test(stringify!($name), $name)),*]
    };
}

fn main() {
    asyncpal::process::init();
    if let Some(ending) = ending() {
        return run(&ending);
    }
    let trials = trials! {
        sigterm_lets_running_tasks_finish_and_ends_the_program
        sigint_lets_running_tasks_finish_and_ends_the_program
        every_open_pool_is_drained
        a_second_signal_ends_the_program_at_once
        the_deadline_ends_what_does_not_stop
        the_deadline_holds_whatever_destructors_do
        the_grace_of_a_pool_ends_its_part
        a_return_from_main_waits_for_the_signals_end
        a_task_that_exits_when_it_is_asked_to_stop_holds_nothing_up
        an_exit_that_came_first_keeps_its_code
        a_signal_puts_its_deadline_to_an_exit_that_came_first
        what_was_printed_is_flushed
        a_handler_of_the_program_stays
        an_ignored_signal_stays_ignored
        a_second_call_is_refused
        a_forked_child_ends_at_once_and_the_parent_goes_on
        a_forked_child_can_attend_to_its_own_signals
        a_worker_process_finishes_its_task_after_a_ctrl_c
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Starts the program, waits until it is ready, sends the signals, each once it has answered.
fn signalled(ending: &str, signals: &[(i32, &str)]) -> Result<Ended, Failed> {
    let mut program = Program::start(ending);
    program.expect("ready")?;
    for (number, (signal, answer)) in signals.iter().enumerate() {
        if number > 0 {
            program.expect(answer)?;
        }
        kill(program.id() as i32, *signal);
    }
    program.finish()
}

fn kill(process: i32, signal: i32) {
    // SAFETY: kill touches no memory.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0);
}

fn sigterm_lets_running_tasks_finish_and_ends_the_program() -> Verdict {
    signalled("park", &[(SIGTERM, "")])?.check_signal(SIGTERM, FINISHED)
}

fn sigint_lets_running_tasks_finish_and_ends_the_program() -> Verdict {
    signalled("park", &[(SIGINT, "")])?.check_signal(SIGINT, FINISHED)
}

fn every_open_pool_is_drained() -> Verdict {
    let twice = [FINISHED, FINISHED].concat();
    signalled("two-pools", &[(SIGTERM, "")])?.check_signal(SIGTERM, &twice)
}

fn a_second_signal_ends_the_program_at_once() -> Verdict {
    // The task answers once it is asked to stop, and goes on: the drain has begun, and has an hour.
    let signals = [(SIGTERM, ""), (SIGINT, "asked to stop")];
    signalled("stubborn", &signals)?.check_signal(SIGINT, &[])?;
    let signals = [(SIGTERM, ""), (SIGTERM, "asked to stop")];
    signalled("stubborn", &signals)?.check_signal(SIGTERM, &[])
}

fn the_deadline_ends_what_does_not_stop() -> Verdict {
    let ended = signalled("stuck", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &["asked to stop"])?;
    ended.check_time(Duration::from_millis(300), Duration::from_secs(20))
}

fn the_deadline_holds_whatever_destructors_do() -> Verdict {
    let ended = signalled("destructor", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &["the destructor has begun"])?;
    ended.check_time(Duration::from_millis(300), Duration::from_secs(20))
}

fn the_grace_of_a_pool_ends_its_part() -> Verdict {
    let ended = signalled("grace", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &["asked to stop"])?;
    ended.check_time(Duration::from_millis(300), Duration::from_secs(20))?;
    if ended.stderr.contains("\"graceful\"") {
        Ok(())
    } else {
        Err(format!("a word on stderr was expected: {ended:?}").into())
    }
}

fn a_return_from_main_waits_for_the_signals_end() -> Verdict {
    signalled("return", &[(SIGTERM, "")])?.check_signal(SIGTERM, FINISHED)
}

fn a_task_that_exits_when_it_is_asked_to_stop_holds_nothing_up() -> Verdict {
    let ended = signalled("task-exits", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &["asked to stop"])?;
    ended.check_time(Duration::ZERO, Duration::from_secs(20))
}

fn an_exit_that_came_first_keeps_its_code() -> Verdict {
    signalled("exit-first", &[(SIGTERM, "")])?.check(7, FINISHED)
}

fn a_signal_puts_its_deadline_to_an_exit_that_came_first() -> Verdict {
    let ended = signalled("exit-stuck", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &[])?;
    ended.check_time(Duration::from_millis(300), Duration::from_secs(20))
}

fn what_was_printed_is_flushed() -> Verdict {
    signalled("print", &[(SIGTERM, "")])?.check_signal(SIGTERM, &["half a line"])
}

fn a_handler_of_the_program_stays() -> Verdict {
    Program::start("own-handler").finish()?.check(0, &["SIGINT is handled by the program"])
}

fn an_ignored_signal_stays_ignored() -> Verdict {
    signalled("ignored", &[(SIGINT, ""), (SIGTERM, "alive")])?.check_signal(SIGTERM, FINISHED)
}

fn a_second_call_is_refused() -> Verdict {
    Program::start("twice").finish()?.check(0, &["called before"])
}

fn a_forked_child_ends_at_once_and_the_parent_goes_on() -> Verdict {
    let lines = ["SIGTERM has ended the child", "the pool is open"];
    Program::start("fork").finish()?.check(0, &lines)
}

fn a_forked_child_can_attend_to_its_own_signals() -> Verdict {
    let lines = ["running task finished", "SIGTERM has ended the child", "the pool is open"];
    Program::start("fork-again").finish()?.check(0, &lines)
}

fn a_worker_process_finishes_its_task_after_a_ctrl_c() -> Verdict {
    let mut program = Program::start("process");
    program.expect("ready")?;
    // As the terminal does: to the whole group, which the program leads.
    kill(-(program.id() as i32), SIGINT);
    program.finish()?.check_signal(SIGINT, FINISHED)
}

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

fn run(ending: &str) {
    let soon = Duration::from_millis(300);
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
        "stuck" => {
            drain(soon);
            block(pool());
            ready();
        }
        "destructor" => destructor(soon),
        "grace" => {
            drain(HOUR);
            let pool = ThreadPool::builder().name("graceful").grace(soon).build().expect("valid");
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
        "exit-first" | "exit-stuck" => {
            drain(if ending == "exit-first" { HOUR } else { soon });
            let stuck = ending == "exit-stuck";
            start(pool(), move || {
                until_asked();
                // `exit` has begun: only it asks.
                println!("ready");
                sleep(if stuck { HOUR } else { Duration::from_millis(300) });
                println!("running task finished");
            });
            exit(7);
        }
        "print" => {
            drain(HOUR);
            // Under one lock: who flushes comes after both.
            print!("ready\nhalf a line");
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
        "fork" | "fork-again" => fork(ending == "fork-again"),
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

fn own_handler() {
    extern "C" fn handler(_: i32) {}
    let handler = handler as extern "C" fn(i32) as libc::sighandler_t;
    // SAFETY: a handler that does nothing may do so at any time.
    unsafe { libc::signal(SIGINT, handler) };
    let error = drain_on_signals(HOUR).expect_err("one of them has a handler");
    assert!(matches!(error, SignalError::HandledElsewhere { signal: SIGINT }), "{error}");
    // SAFETY: raise touches no memory.
    unsafe { libc::raise(SIGINT) };
    println!("SIGINT is handled by the program");
    // SAFETY: SIG_DFL is a valid disposition.
    assert_eq!(unsafe { libc::signal(SIGINT, libc::SIG_DFL) }, handler);
    drain(HOUR);
}

fn fork(again: bool) {
    drain(HOUR);
    let pool = pool();
    let [mut reader, writer] = pipe();
    // SAFETY: what the child does is what this test is about.
    let child = unsafe { libc::fork() };
    if child == 0 {
        be_mortal();
        if again {
            drain(HOUR);
            occupy(self::pool());
        }
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
