//! Programs that SIGTERM or SIGINT is to end gracefully. Each test starts this program again and sends
//! it signals when it says that it is ready; its tasks say what became of them on stdout.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use libc::{SIGINT, SIGTERM};
use libtest_mimic::{Arguments, Failed, Trial};

mod programs;

#[path = "../common/allocations.rs"]
mod allocations;
#[path = "../common/program.rs"]
mod program;

use allocations::Observed;
use program::{Ended, Program, ending};
use programs::SOON;

#[global_allocator]
static ALLOCATOR: Observed = Observed;

const HOUR: Duration = Duration::from_secs(3600);
const FINISHED: &[&str] = &["running task finished"];

/// A signal that comes so long after another one is a second one.
const NO_ECHO: Duration = Duration::from_millis(600);

type Verdict = Result<(), Failed>;

macro_rules! trials {
    ($($name:ident)*) => {
        vec![$(Trial::test(stringify!($name), $name)),*]
    };
}

fn main() {
    asyncpal::process::init();
    if let Some(ending) = ending() {
        return programs::run(&ending);
    }
    let trials = trials! {
        sigterm_lets_running_tasks_finish_and_ends_the_program
        sigint_lets_running_tasks_finish_and_ends_the_program
        every_open_pool_is_drained
        a_second_signal_ends_the_program_at_once
        a_signal_that_is_sent_twice_is_one
        the_deadline_ends_what_does_not_stop
        the_deadline_holds_whatever_destructors_do
        the_grace_of_a_pool_ends_its_part
        a_return_from_main_waits_for_the_signals_end
        a_task_that_exits_when_it_is_asked_to_stop_holds_nothing_up
        an_exit_that_came_first_keeps_its_code
        a_signal_puts_its_deadline_to_an_exit_that_came_first
        a_signal_finds_a_stack_after_an_exit_of_another_thread_than_main
        what_was_printed_is_flushed
        an_output_that_is_held_does_not_hold_up_the_end
        a_handler_of_the_program_stays
        an_ignored_signal_stays_ignored
        a_second_call_is_refused
        a_forked_child_ends_at_once_and_the_parent_goes_on
        a_forked_child_can_attend_to_its_own_signals
        a_forked_child_that_prepares_to_attend_ends_alone
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
            sleep(NO_ECHO);
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

fn a_signal_that_is_sent_twice_is_one() -> Verdict {
    let mut verdict = Ok(());
    for _ in 0..5 {
        let mut program = Program::start("stubborn-for-a-while");
        program.expect("ready")?;
        let first = Instant::now();
        kill(program.id() as i32, SIGTERM);
        program.expect("asked to stop")?;
        // What GNU's `timeout` sends to the program's group.
        kill(program.id() as i32, SIGTERM);
        let is_echo = first.elapsed() < NO_ECHO / 3;
        verdict = program.finish()?.check_signal(SIGTERM, FINISHED);
        if is_echo && verdict.is_ok() {
            break;
        }
        // The machine may have been busy with other things, this time.
    }
    verdict
}

fn the_deadline_ends_what_does_not_stop() -> Verdict {
    let ended = signalled("stuck", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &["asked to stop"])?;
    ended.check_time(SOON, Duration::from_secs(20))
}

fn the_deadline_holds_whatever_destructors_do() -> Verdict {
    let ended = signalled("destructor", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &["the destructor has begun"])?;
    ended.check_time(SOON, Duration::from_secs(20))
}

fn the_grace_of_a_pool_ends_its_part() -> Verdict {
    let ended = signalled("grace", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &["asked to stop"])?;
    ended.check_time(SOON, Duration::from_secs(20))?;
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
    ended.check_time(SOON, Duration::from_secs(20))
}

/// `std::process::exit` takes the main thread's stack for signals away, whoever calls it (rust-lang/rust#161018).
fn a_signal_finds_a_stack_after_an_exit_of_another_thread_than_main() -> Verdict {
    signalled("exit-elsewhere", &[(SIGTERM, "")])?.check(7, FINISHED)
}

fn what_was_printed_is_flushed() -> Verdict {
    signalled("print", &[(SIGTERM, "")])?.check_signal(SIGTERM, &["half a line"])
}

fn an_output_that_is_held_does_not_hold_up_the_end() -> Verdict {
    let ended = signalled("held-output", &[(SIGTERM, "")])?;
    ended.check_signal(SIGTERM, &[])?;
    ended.check_time(Duration::ZERO, Duration::from_secs(20))
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

fn a_forked_child_that_prepares_to_attend_ends_alone() -> Verdict {
    let lines = ["SIGTERM has ended the child", "the pool is open"];
    Program::start("fork-midway").finish()?.check(0, &lines)
}

fn a_worker_process_finishes_its_task_after_a_ctrl_c() -> Verdict {
    let mut program = Program::start("process");
    program.expect("ready")?;
    // As the terminal does: to the whole group, which the program leads.
    kill(-(program.id() as i32), SIGINT);
    program.finish()?.check_signal(SIGINT, FINISHED)
}
