//! `examples/worker.py`: the protocol, as another language reads it from `docs/protocol.md`.

use core::time::Duration;
use std::process::{self, Command};
use std::{env, fs};

use asyncpal::process::{CommandPool, Named, WorkerCommand, worker_command};
use asyncpal::{BrokenCause, PoolError};
use libtest_mimic::{Completion, Failed, Trial};

use crate::{children, remote, told};

pub(crate) const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/worker.py");

type Counts = Vec<(String, u64)>;
type Bytes = Vec<u8>;

const SQUARE: Named<fn(u64) -> u64> = Named::new("square");
const COUNT_WORDS: Named<fn(String) -> Counts> = Named::new("count_words");
const DIVIDE: Named<fn(f64, f64) -> f64> = Named::new("divide");
const REPEAT: Named<fn(Bytes, u64) -> Bytes> = Named::new("repeat");

macro_rules! trials {
    ($($name:ident)*) => {
        pub(crate) fn trials() -> Vec<Trial> {
            vec![$(trial(stringify!($name), $name)),*]
        }
    };
}

trials! {
    python_squares
    python_maps
    an_exception_arrives_with_its_traceback_and_the_worker_lives_on
    a_name_that_python_does_not_know_is_told
    arguments_of_another_signature_are_an_exception
    a_bool_or_a_tag_that_is_neither_0_nor_1_is_an_exception
    a_result_over_the_limit_is_an_exception
    what_python_prints_does_not_come_between_the_frames
    a_python_worker_ends_when_its_pool_is_closed
    an_unknown_initializer_breaks_the_pool
    an_unknown_finalizer_breaks_the_pool_at_its_end
    an_initializer_and_a_finalizer_that_return_nothing_succeed
    a_message_that_is_not_unicode_is_told_and_the_worker_lives_on
    an_exception_without_a_readable_message_is_told_and_the_worker_lives_on
}

pub(crate) fn trial(name: &str, test: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        if Command::new("python3").arg("--version").output().is_err() {
            let missing = "there is no python3";
            let demanded = env::var("ASYNCPAL_TEST_LAUNCHERS").unwrap_or_default();
            if demanded.split(',').any(|demanded| demanded == "python") {
                return Err(Failed::from(missing));
            }
            return Ok(Completion::ignored_with(missing));
        }
        test();
        assert_eq!(children(), [], "no child is left, zombie or not");
        Ok(Completion::Completed)
    })
}

fn command() -> WorkerCommand {
    worker_command("python3").arg(WORKER)
}

/// A worker with functions of its own, which are in this folder.
fn command_of_tests() -> WorkerCommand {
    worker_command("python3")
        .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
        .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/worker_command/functions.py")])
}

fn pool(command: WorkerCommand) -> CommandPool {
    command.pool().max_workers(1).build().expect("valid")
}

fn python_squares() {
    let pool = pool(command());

    for n in [0, 12, u64::from(u32::MAX)] {
        let square = pool.submit_with(SQUARE, (n,)).expect("open");
        assert_eq!(square.collect().expect("no exception"), n * n);
    }
    let counted = pool.submit_with(COUNT_WORDS, ("ein Brötchen und ein Brot".into(),));

    let counted = counted.expect("open").collect().expect("no exception");
    let expected = [("Brot", 1), ("Brötchen", 1), ("ein", 2), ("und", 1)];
    assert_eq!(counted, expected.map(|(word, count)| (word.to_owned(), count)));
}

fn python_maps() {
    let pool = command().pool().max_workers(2).build().expect("valid");

    let squares: Result<Vec<_>, _> = pool.map(SQUARE, 0..500).chunk_size(50).collect();
    let halves: Result<Vec<_>, _> =
        pool.starmap(DIVIDE, (0..9_u8).map(|n| (f64::from(n), 2.0))).chunk_size(4).collect();

    assert!(squares.expect("no exception").into_iter().eq((0..500).map(|n| n * n)));
    let expected = (0..9_u8).map(|n| f64::from(n) / 2.0).collect::<Vec<_>>();
    assert_eq!(halves.expect("no exception"), expected);
}

fn an_exception_arrives_with_its_traceback_and_the_worker_lives_on() {
    let pool = pool(command());

    let error = pool.submit_with(DIVIDE, (1.0, 0.0)).expect("open").collect();

    let error = error.expect_err("no number");
    let error = remote(&error);
    assert_eq!(error.type_name(), "ZeroDivisionError");
    assert_eq!(error.message(), "float division by zero");
    assert!(error.backtrace().contains("return a / b"), "{}", error.backtrace());
    assert!(error.remote_traceback().contains("Traceback (most recent call last)"));
    assert_eq!(pool.submit_with(SQUARE, (2,)).expect("open").collect().expect("fine"), 4);
    let worker = children();
    assert_eq!(worker, [error.worker_pid()], "the same one");
}

fn a_name_that_python_does_not_know_is_told() {
    const CUBE: Named<fn(u64) -> u64> = Named::new("cube");
    let pool = pool(command());

    let error = pool.submit_with(CUBE, (3,)).expect("open").collect().expect_err("there is none");

    assert!(told(&error).contains("no function 'cube'"), "{}", told(&error));
    assert_eq!(pool.submit_with(SQUARE, (2,)).expect("open").collect().expect("fine"), 4);
}

fn arguments_of_another_signature_are_an_exception() {
    const WIDE: Named<fn(u64, u64) -> u64> = Named::new("square");
    const NARROW: Named<fn(u32) -> u64> = Named::new("square");
    let pool = pool(command());

    let wide = pool.submit_with(WIDE, (3, 4)).expect("open").collect();
    let narrow = pool.submit_with(NARROW, (3,)).expect("open").collect();

    assert!(told(&wide.expect_err("too long")).contains("8 bytes follow the value"));
    assert_eq!(remote(&narrow.expect_err("too short")).type_name(), "error");
    assert_eq!(pool.submit_with(SQUARE, (2,)).expect("open").collect().expect("fine"), 4);
}

fn a_bool_or_a_tag_that_is_neither_0_nor_1_is_an_exception() {
    const NOT: Named<fn(u8) -> bool> = Named::new("invert");
    const COUNT: Named<fn(u8) -> u64> = Named::new("count");
    let pool = pool(command_of_tests());

    assert!(pool.submit_with(NOT, (0,)).expect("open").collect().expect("it is false"));
    assert_eq!(pool.submit_with(COUNT, (0,)).expect("open").collect().expect("it is none"), 0);
    for error in [
        pool.submit_with(NOT, (2,)).expect("open").collect().expect_err("no bool"),
        pool.submit_with(COUNT, (2,)).expect("open").collect().expect_err("no tag"),
    ] {
        assert_eq!(remote(&error).message(), "2 where 0 or 1 is due");
    }
}

fn a_result_over_the_limit_is_an_exception() {
    let pool = pool(command().max_frame_bytes(1 << 20));

    let error = pool.submit_with(REPEAT, (vec![7], 1 << 20)).expect("open").collect();
    let fits = pool.submit_with(REPEAT, (vec![7], (1 << 20) - 8)).expect("open").collect();

    assert!(told(&error.expect_err("too large")).contains("a result of 1048584 bytes"));
    assert_eq!(fits.expect("it fits"), vec![7; (1 << 20) - 8]);
}

fn what_python_prints_does_not_come_between_the_frames() {
    let pool = pool(worker_command("sh").args(["-c", "exec python3 \"$0\" 2>/dev/null", WORKER]));

    let bytes = pool.submit_with(REPEAT, (b"ab".to_vec(), 2)).expect("open").collect();

    assert_eq!(bytes.expect("no frame is lost"), b"abab");
}

fn a_python_worker_ends_when_its_pool_is_closed() {
    let pool = pool(command().close_grace(Duration::from_secs(60)));
    assert_eq!(pool.submit_with(SQUARE, (2,)).expect("open").collect().expect("fine"), 4);
    let begun = std::time::Instant::now();

    pool.join();

    assert!(begun.elapsed() < Duration::from_secs(30), "it did as it was told");
    assert!(pool.check().is_ok(), "{pool:?}");
}

fn an_unknown_initializer_breaks_the_pool() {
    let pool = command().pool().max_workers(1).initializer(Named::new("prepare"));
    let pool = pool.build().expect("valid");

    assert!(pool.submit_with(SQUARE, (2,)).expect("open").collect().is_err());

    let Err(PoolError::Broken(cause)) = pool.check() else { panic!("{pool:?}") };
    let BrokenCause::Initializer(error) = &*cause else { panic!("{cause:?}") };
    assert!(error.to_string().contains("no function 'prepare'"), "{error}");
}

fn an_unknown_finalizer_breaks_the_pool_at_its_end() {
    let pool = command().pool().max_workers(1).finalizer(Named::new("clean"));
    let pool = pool.build().expect("valid");
    assert_eq!(pool.submit_with(SQUARE, (2,)).expect("open").collect().expect("fine"), 4);

    pool.join();

    let Err(PoolError::Broken(cause)) = pool.check() else { panic!("{pool:?}") };
    assert!(matches!(*cause, BrokenCause::Finalizer(_)), "{cause}");
}

/// `None` is the `()` that is due from them.
fn an_initializer_and_a_finalizer_that_return_nothing_succeed() {
    const PREPARED: Named<fn() -> u64> = Named::new("prepared");
    let left = env::temp_dir().join(format!("asyncpal-finalized-{}", process::id()));
    let command = command_of_tests().env("LEFT_BEHIND", &left);
    let pool = command.pool().max_workers(1).initializer(Named::new("prepare"));
    let pool = pool.finalizer(Named::new("leave")).build().expect("valid");

    assert_eq!(pool.submit(PREPARED).expect("open").collect().expect("no exception"), 1);
    pool.join();

    assert!(pool.check().is_ok(), "{pool:?}");
    assert!(fs::remove_file(left).is_ok(), "the finalizer has run");
}

/// Python's strings may hold what UTF-8 cannot say.
fn a_message_that_is_not_unicode_is_told_and_the_worker_lives_on() {
    let error = failure_of(Named::new("fail_with_a_surrogate"));

    assert_eq!((&*error.0, &*error.1), ("ValueError", r"no file \udcff"));
}

fn an_exception_without_a_readable_message_is_told_and_the_worker_lives_on() {
    let error = failure_of(Named::new("fail_unreadably"));

    assert_eq!(error.0, "Unreadable");
}

/// Type and message of what the function raises. Its worker lives on.
fn failure_of(function: Named<fn()>) -> (String, String) {
    let pool = pool(command_of_tests());

    let error = pool.submit(function).expect("open").collect().expect_err("it raises");

    let error = remote(&error);
    assert_eq!(pool.submit_with(SQUARE, (2,)).expect("open").collect().expect("fine"), 4);
    assert_eq!(children(), [error.worker_pid()], "the same one");
    (error.type_name().to_owned(), error.message().to_owned())
}
