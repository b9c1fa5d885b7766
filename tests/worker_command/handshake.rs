//! Commands that do not become workers. Each is a clear error, and no hang.

use core::time::Duration;
use std::time::Instant;

use asyncpal::process::{LostCause, WorkerCommand, worker_command};
use asyncpal::{BrokenCause, PoolError};

use crate::worker::*;
use crate::{lost, told};

crate::trials! {
    what_a_launcher_prints_first_is_told
    a_launcher_that_prompts_and_waits_is_noticed_at_once
    a_launcher_that_says_a_little_and_hangs_is_told_with_it
    a_launcher_that_hangs_is_given_up_after_the_handshake_timeout
    a_worker_that_hangs_before_it_is_ready_is_given_up_too
    a_launcher_that_dies_is_told_with_its_exit_code
    a_launcher_that_closes_its_output_and_lives_on_is_given_up
    a_program_that_is_not_there_is_named
    a_worker_of_another_version_is_told_with_it
    a_worker_of_a_version_with_other_bodies_is_told_with_it
    a_worker_that_claims_two_gigabytes_is_refused
    a_greeting_is_short_however_much_a_pool_takes
    launchers_that_die_break_the_pool_if_that_is_asked_for
}

/// What the first task of a pool of such workers fails with.
fn failure(command: WorkerCommand) -> asyncpal::TaskError {
    let pool = command.pool().max_workers(1).build().expect("valid");
    pool.submit_with(SQUARE, (12,)).expect("open").collect().expect_err("there is no worker")
}

fn launchers_that_die_break_the_pool_if_that_is_asked_for() {
    let pool = |starts| {
        let command = worker_command("false").crash_loop(starts);
        command.pool().max_workers(1).build().expect("valid")
    };
    let (trying, breaking) = (pool(0), pool(3));

    for pool in [&trying, &breaking] {
        for _ in 0..2 {
            let submitted = pool.submit_with(SQUARE, (12,));
            drop(submitted.map(|handle| handle.collect().expect_err("there is no worker")));
        }
    }

    assert!(trying.check().is_ok(), "the host may come back");
    let Err(PoolError::Broken(cause)) = breaking.check() else { panic!("{breaking:?}") };
    let BrokenCause::CrashLoop { starts: 3, .. } = &*cause else { panic!("{cause:?}") };
}

fn protocol_error(command: WorkerCommand) -> String {
    let error = failure(command);
    match lost(&error).cause() {
        LostCause::Protocol(what) => what.to_string(),
        cause => panic!("{cause}"),
    }
}

fn what_a_launcher_prints_first_is_told() {
    let what = protocol_error(shell("echo 'Welcome to the bakery'; exec \"$0\" --serve"));

    assert!(what.contains("it begins with \"Welcome to the bakery\\n"), "{what}");
}

fn a_launcher_that_prompts_and_waits_is_noticed_at_once() {
    let begun = Instant::now();

    let what = protocol_error(shell("printf 'Password: '; exec sleep 600"));

    assert!(what.contains("it begins with \"Password: \""), "{what}");
    assert!(begun.elapsed() < Duration::from_secs(20), "less than the timeout");
}

fn a_launcher_that_says_a_little_and_hangs_is_told_with_it() {
    let command = shell("printf '? '; exec sleep 600");

    let what = protocol_error(command.handshake_timeout(Duration::from_secs(2)));

    assert_eq!(what, "within 2s it said no more than \"? \"");
}

fn a_launcher_that_hangs_is_given_up_after_the_handshake_timeout() {
    let command = worker_command("sleep").arg("600");

    let error = failure(command.handshake_timeout(Duration::from_millis(100)));

    assert!(told(&error).contains("it was not ready within 100ms"), "{}", told(&error));
}

fn a_worker_that_hangs_before_it_is_ready_is_given_up_too() {
    let command = this_program().handshake_timeout(Duration::from_millis(500));
    let pool = command.pool().max_workers(1).initializer(SLEEP).build().expect("valid");

    let error = pool.submit(PID).expect("open").collect().expect_err("it sleeps");

    assert!(told(&error).contains("it was not ready within 500ms"), "{}", told(&error));
}

fn a_launcher_that_dies_is_told_with_its_exit_code() {
    let error = failure(shell("exit 7"));

    assert_eq!(lost(&error).cause(), &LostCause::Exited(7));
}

fn a_launcher_that_closes_its_output_and_lives_on_is_given_up() {
    let what = protocol_error(shell("exec >&-; exec sleep 600"));

    assert!(what.contains("closed its reply pipe"), "{what}");
}

fn a_program_that_is_not_there_is_named() {
    let error = failure(worker_command("/nowhere/to be found"));

    assert!(told(&error).contains("/nowhere/to be found"), "{}", told(&error));
}

fn a_worker_of_another_version_is_told_with_it() {
    // HELLO: 16 bytes of body, version 77, pid 1, no build.
    check_that_version_77_is_told(r"\020", r"\115\0\0\0\001\0\0\0\0\0\0\0\0\0\0\0");
}

fn a_worker_of_a_version_with_other_bodies_is_told_with_it() {
    check_that_version_77_is_told(r"\004", r"\115\0\0\0");
    check_that_version_77_is_told(r"\021", r"\115\0\0\0\001\0\0\0\0\0\0\0\0\0\0\0\001");
}

fn check_that_version_77_is_told(length: &str, body: &str) {
    let head = r"\0\0\0\001\0PA\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    let error = failure(shell(&format!("printf '{length}{head}{body}'; exec sleep 600")));

    assert!(told(&error).contains("speaks version 77 of the protocol"), "{}", told(&error));
}

fn a_worker_that_claims_two_gigabytes_is_refused() {
    let head = r"\0\0\0\200\001\0PA\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    let what = protocol_error(shell(&format!("printf '{head}'; exec sleep 600")));

    assert!(what.contains("a frame of 2147483648 bytes exceeds the limit"), "{what}");
}

/// The limit of its pool's results is for what comes after it.
fn a_greeting_is_short_however_much_a_pool_takes() {
    // HELLO: a body of 256 KiB and one byte.
    let head = r"\001\0\004\0\001\0PA\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let command = shell(&format!("printf '{head}'; exec sleep 600"));

    let what = protocol_error(command.handshake_timeout(Duration::from_secs(10)));

    assert_eq!(what, "a frame of 262145 bytes exceeds the limit of 262144 bytes");
}
