//! How long a start may take, and how much may be said.

use std::time::Instant;

use asyncpal::process::error::{HandshakeError, LaunchError};
use asyncpal::process::{Named, worker_command};
use asyncpal::{BuildError, TaskError};

use crate::{eventually, millis, options, own_pid, spin, trials};

trials! {
    a_process_that_does_not_greet_in_time_is_given_up
    an_initializer_that_takes_too_long_is_given_up
    the_end_of_a_pool_waits_for_its_grace_and_not_for_the_start_of_a_worker
    a_worker_that_greets_after_the_end_of_its_pool_has_what_is_left_of_the_grace
    arguments_and_results_over_the_limit_fail_their_tasks_alone
    a_limit_that_no_frame_can_have_is_an_error_of_build
}

/// A worker with this variable says nothing.
pub(crate) const SILENT: &str = "ASYNCPAL_TEST_SILENT";

/// A worker with this variable takes its time before it greets.
pub(crate) const SLOW: &str = "ASYNCPAL_TEST_SLOW";

/// Why no worker got ready.
fn handshake(error: &TaskError) -> &HandshakeError {
    let TaskError::Cancelled(cancelled) = error else { panic!("{error:?}") };
    match cancelled.cause().and_then(|cause| cause.downcast_ref()) {
        Some(LaunchError::Handshake(error)) => error,
        _ => panic!("{error:?}"),
    }
}

fn a_process_that_does_not_greet_in_time_is_given_up() {
    let options = options().env(SILENT, "").handshake_timeout(millis(200));
    let pool = options.pool().max_workers(1).build().expect("valid");

    let error = pool.run(own_pid).expect_err("it says nothing");

    let in_time =
        matches!(handshake(&error), HandshakeError::TimedOut(time) if *time == millis(200));
    assert!(in_time, "{error:?}");
}

fn an_initializer_that_takes_too_long_is_given_up() {
    fn endless() {
        spin();
    }
    let options = options().handshake_timeout(millis(60_000)).initializer_timeout(millis(200));
    let pool = options.pool().max_workers(1).initializer(endless).build().expect("valid");
    let error = pool.run(own_pid).expect_err("it is never ready");

    let in_time =
        matches!(handshake(&error), HandshakeError::TimedOut(time) if *time == millis(200));
    assert!(in_time, "{error:?}");
    drop(pool);
    eventually(|| crate::children().is_empty());
}

fn arguments_and_results_over_the_limit_fail_their_tasks_alone() {
    let pool = options().max_frame_bytes(1000).pool().max_workers(1).build().expect("valid");
    let worker = pool.run(own_pid).expect("no panic");

    let length = |bytes: usize| {
        pool.submit_with(|bytes: Vec<u8>| bytes.len(), (vec![1; bytes],)).expect("open").collect()
    };
    let bytes = |length: usize| {
        pool.submit_with(|length: usize| vec![1_u8; length], (length,)).expect("open").collect()
    };
    let arguments = length(1001).expect_err("so much is not sent").to_string();
    let result = bytes(1001).expect_err("so much is not sent").to_string();

    assert!(arguments.contains("exceed the limit of 1000 bytes"), "{arguments}");
    assert!(result.contains("exceeds the limit of 1000 bytes"), "{result}");
    assert_eq!(length(900).expect("it fits"), 900);
    assert_eq!(bytes(900).expect("it fits").len(), 900);
    assert_eq!(pool.run(own_pid).expect("no panic"), worker);
}

fn a_limit_that_no_frame_can_have_is_an_error_of_build() {
    let too_large = usize::try_from(1_u64 << 32).unwrap_or(1 << 31);
    let own = |bytes| options().max_frame_bytes(bytes).pool().build().map(drop);
    let foreign = |bytes| worker_command("true").max_frame_bytes(bytes).pool().build().map(drop);

    for result in [own(too_large), foreign(too_large)] {
        let error = result.expect_err("lengths have 32 bits");
        let text = error.to_string();
        assert!(
            matches!(error, BuildError::System(_)) && text.contains("max_frame_bytes"),
            "{text}"
        );
    }
    for result in [own(too_large - 1), foreign(too_large - 1)] {
        result.expect("valid");
    }
}

fn the_end_of_a_pool_waits_for_its_grace_and_not_for_the_start_of_a_worker() {
    fn endless() {
        spin();
    }
    let own = || options().handshake_timeout(millis(60_000)).close_grace(millis(100));
    let silent = own().env(SILENT, "").pool().max_workers(1).build().expect("valid");
    let initializing = own().pool().max_workers(1).initializer(endless).build().expect("valid");
    let command = worker_command("sleep").arg("60").handshake_timeout(millis(60_000));
    let command = command.close_grace(millis(100)).pool().max_workers(1).build().expect("valid");
    let tasks = [&silent, &initializing].map(|pool| pool.submit(own_pid).expect("open"));
    let named = command.submit(Named::<fn() -> u32>::new("pid")).expect("open");
    eventually(|| crate::children().len() == 3);

    let begun = Instant::now();
    drop((silent, initializing, command));

    assert!(begun.elapsed() < millis(20_000), "{:?}", begun.elapsed());
    for task in tasks.into_iter().chain([named]) {
        assert!(task.collect().expect_err("it was pending").is_cancelled());
    }
}

fn a_worker_that_greets_after_the_end_of_its_pool_has_what_is_left_of_the_grace() {
    fn endless() {
        spin();
    }
    let options = options().env(SLOW, "").handshake_timeout(millis(60_000));
    let pool = options.close_grace(millis(500)).pool().max_workers(1).initializer(endless);
    let pool = pool.build().expect("valid");
    let task = pool.submit(own_pid).expect("open");
    eventually(|| crate::children().len() == 1);

    let begun = Instant::now();
    drop(pool);

    assert!(begun.elapsed() < millis(20_000), "{:?}", begun.elapsed());
    assert!(task.collect().expect_err("it was pending").is_cancelled());
}
