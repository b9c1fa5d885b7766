//! Tasks of another program that are given up: out of time, or cancelled while they run.

use core::time::Duration;
use std::fs;
use std::time::Instant;

use asyncpal::kind::With;
use asyncpal::process::{CommandPool, LostCause, Within, WorkerCommand};

use crate::worker::*;
use crate::{children, eventually, lives, lost};

crate::trials! {
    a_task_that_runs_for_too_long_fails_with_its_limit_and_its_command_is_killed
    a_limit_of_one_call_counts_more_than_that_of_the_command
    a_cancel_kills_the_command_of_the_running_task_and_frees_its_slot
    a_cancelled_task_runs_on_unless_the_command_is_killed
    a_command_that_ignores_sigterm_is_killed_after_the_grace
    it_is_the_launcher_that_is_killed_and_the_worker_elsewhere_runs_on
}

const LIMIT: Duration = Duration::from_millis(500);

/// Longer than any test.
const FOR_EVER: u64 = 3_600_000;

fn pool(command: WorkerCommand) -> CommandPool {
    command.pool().max_workers(1).build().expect("valid")
}

/// A call that no limit of its pool ends.
fn in_time<C>(call: C) -> Within<C> {
    Within::new(Duration::from_millis(FOR_EVER), call)
}

fn pid(pool: &CommandPool) -> u32 {
    pool.submit(in_time(PID)).expect("open").collect().expect("in time")
}

fn a_task_that_runs_for_too_long_fails_with_its_limit_and_its_command_is_killed() {
    let pool = pool(this_program().task_timeout(LIMIT));
    let worker = pid(&pool);

    let begun = Instant::now();
    let late = pool.submit_with(NAP, (FOR_EVER,)).expect("open");
    let next = pool.submit(in_time(PID)).expect("open");

    let error = late.collect().expect_err("it sleeps for ever");
    assert!(begun.elapsed() >= LIMIT);
    assert_eq!(lost(&error).cause(), &LostCause::TimedOut(LIMIT));
    assert_eq!(lost(&error).pid(), worker);
    let next = next.collect().expect("it is not late");
    assert_ne!(next, worker);
    assert_eq!(children(), [next], "the other one was reaped");
}

fn a_limit_of_one_call_counts_more_than_that_of_the_command() {
    let pool = pool(this_program().task_timeout(LIMIT));

    let longer = With { function: NAP, arguments: (600,) };
    let longer = pool.submit(in_time(longer)).expect("open");
    let after = pool.submit_with(NAP, (FOR_EVER,)).expect("open");

    assert_eq!(longer.collect().expect("in its own time"), 600);
    let error = after.collect().expect_err("late");
    assert_eq!(lost(&error).cause(), &LostCause::TimedOut(LIMIT), "a limit is for one call");
}

fn a_cancel_kills_the_command_of_the_running_task_and_frees_its_slot() {
    let pool = pool(this_program().kill_on_cancel(true));
    let worker = pid(&pool);
    let napping = pool.submit_with(NAP, (FOR_EVER,)).expect("open");
    eventually(|| napping.is_running());

    assert!(!napping.cancel(), "it had started");

    let error = napping.collect().expect_err("cancelled");
    assert_eq!(lost(&error).cause(), &LostCause::Cancelled);
    assert_eq!(lost(&error).pid(), worker);
    assert_ne!(pid(&pool), worker);
}

fn a_cancelled_task_runs_on_unless_the_command_is_killed() {
    let pool = pool(this_program());
    let napping = pool.submit_with(NAP, (100,)).expect("open");
    eventually(|| !napping.is_pending());

    assert!(!napping.cancel());

    assert_eq!(napping.collect().expect("it runs on"), 100);
}

fn a_command_that_ignores_sigterm_is_killed_after_the_grace() {
    // A signal that is ignored stays so in the program that the shell becomes.
    let deaf = || shell("trap '' TERM; exec \"$0\" --serve").task_timeout(LIMIT);
    let grace = Duration::from_millis(300);

    for (command, least) in
        [(deaf().kill_grace(grace), LIMIT + grace), (deaf().kill_grace(Duration::ZERO), LIMIT)]
    {
        let pool = pool(command);
        pid(&pool);
        let begun = Instant::now();
        let late = pool.submit_with(NAP, (FOR_EVER,)).expect("open");
        let error = late.collect().expect_err("it sleeps for ever");
        let took = begun.elapsed();

        // The reason, and not the signal that came last.
        assert_eq!(lost(&error).cause(), &LostCause::TimedOut(LIMIT));
        assert!(took >= least, "{took:?}");
        println!("limit and grace together {least:?}: failed after {took:.2?}");
    }
}

/// A worker that has left the launcher's process group is to the pool like one on another host.
fn it_is_the_launcher_that_is_killed_and_the_worker_elsewhere_runs_on() {
    let gate = path("gate");
    let command = shell("setsid \"$0\" --serve; exit $?").task_timeout(LIMIT);
    let pool = pool(command);
    let far = pid(&pool);
    let [launcher] = children()[..] else { panic!("one launcher") };

    let waiting = pool.submit_with(AWAIT_FILE, (gate.clone(),)).expect("open");
    let error = waiting.collect().expect_err("there is no such file");

    assert_eq!(lost(&error).cause(), &LostCause::TimedOut(LIMIT));
    assert_eq!(lost(&error).pid(), launcher);
    eventually(|| !lives(launcher));
    assert!(lives(far), "nobody tells it");
    assert_ne!(pid(&pool), far, "its slot is free");
    fs::write(&gate, "").expect("writable");
    eventually(|| !lives(far));
    fs::remove_file(gate).expect("it is there");
}
