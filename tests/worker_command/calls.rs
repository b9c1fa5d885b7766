//! Calls that reach a worker of another program.

use std::fs::File;

use asyncpal::process::{CommandPool, Named, WorkerCommand, worker_command};
use asyncpal::{BrokenCause, PoolError};

use crate::worker::*;
use crate::{eventually, remote, told};

crate::trials! {
    a_function_of_another_program_runs_by_name
    a_worker_behind_a_shell_is_as_good
    maps_reach_the_other_program_in_chunks
    an_error_arrives_with_its_chain_and_the_worker_lives_on
    a_panic_arrives_with_its_place_and_the_worker_lives_on
    an_unknown_name_is_told_with_those_that_are_known
    arguments_of_another_signature_fail_the_task_only
    what_a_function_prints_does_not_come_between_the_frames
    a_result_over_the_limit_fails_its_task_only
    arguments_over_the_limit_are_not_sent
    initializer_and_finalizer_are_called_by_name
    a_failing_initializer_breaks_the_pool
    an_initializer_of_no_known_name_breaks_the_pool
    environment_and_folder_are_the_commands
    variables_are_removed_and_cleared
    a_command_with_a_path_of_its_own_is_looked_for_there
    a_command_that_its_own_path_does_not_have_is_not_found
    a_relative_path_begins_where_the_command_starts
    what_a_command_says_of_itself_goes_where_it_is_sent
    an_idle_pool_has_no_process
}

fn pool(command: WorkerCommand) -> CommandPool {
    command.pool().max_workers(1).build().expect("valid")
}

fn pid(pool: &CommandPool) -> u32 {
    pool.submit(PID).expect("open").collect().expect("it has one")
}

fn a_function_of_another_program_runs_by_name() {
    let pool = pool(this_program());

    let square = pool.submit_with(SQUARE, (12,)).expect("open");
    let words = ["a", "b", "c"].map(String::from).to_vec();
    let joined = pool.submit_with(JOIN, (words, '-')).expect("open");

    assert_eq!(square.collect().expect("no panic"), 144);
    assert_eq!(joined.collect().expect("no panic"), "a-b-c");
    assert_ne!(pid(&pool), std::process::id());
}

fn a_worker_behind_a_shell_is_as_good() {
    let pool = pool(shell("read -r nothing </dev/null; \"$0\" --serve; exit $?"));

    assert_eq!(pool.submit_with(SQUARE, (12,)).expect("open").collect().expect("no panic"), 144);
}

fn maps_reach_the_other_program_in_chunks() {
    let pool = this_program().pool().max_workers(2).build().expect("valid");

    let squares: Result<Vec<_>, _> = pool.map(SQUARE, 0..1000).chunk_size(7).collect();
    let words = || (0..10).map(|n| (vec![n.to_string(); 2], '+'));
    let joined: Result<Vec<_>, _> = pool.starmap(JOIN, words()).chunk_size(3).collect();

    assert!(squares.expect("no panic").into_iter().eq((0..1000).map(|n| n * n)));
    assert!(joined.expect("no panic").into_iter().eq((0..10).map(|n| format!("{n}+{n}"))));
}

fn an_error_arrives_with_its_chain_and_the_worker_lives_on() {
    let pool = pool(this_program());
    let before = pid(&pool);

    let error = pool.submit_with(PARSE, ("300".into(),)).expect("open").collect();

    let error = error.expect_err("out of range");
    assert!(!remote(&error).is_panic());
    assert!(remote(&error).message().contains("too large"), "{error:?}");
    assert_eq!(remote(&error).worker_pid(), before);
    assert_eq!(pid(&pool), before);
    assert_eq!(pool.submit_with(PARSE, ("30".into(),)).expect("open").collect().ok(), Some(30));
}

fn a_panic_arrives_with_its_place_and_the_worker_lives_on() {
    let pool = pool(this_program());
    let before = pid(&pool);

    let error = pool.submit_with(BURN, ("bread".into(),)).expect("open").collect();

    let error = error.expect_err("it panicked");
    assert!(remote(&error).is_panic());
    assert_eq!(remote(&error).message(), "burnt bread");
    assert!(remote(&error).location().is_some_and(|place| place.contains("worker.rs")));
    assert_eq!(pid(&pool), before);
}

fn an_unknown_name_is_told_with_those_that_are_known() {
    const CUBE: Named<fn(u64) -> u64> = Named::new("cube");
    let pool = pool(this_program());
    let before = pid(&pool);

    let error = pool.submit_with(CUBE, (3,)).expect("open").collect().expect_err("there is none");

    assert!(told(&error).contains("no function \"cube\""), "{}", told(&error));
    assert!(told(&error).contains("\"square\""), "{}", told(&error));
    assert_eq!(pid(&pool), before);
}

fn arguments_of_another_signature_fail_the_task_only() {
    const NARROW: Named<fn(u32) -> u64> = Named::new(SQUARE.name());
    const TEXT: Named<fn(u64) -> String> = Named::new(SQUARE.name());
    let pool = pool(this_program());
    let before = pid(&pool);

    let narrow = pool.submit_with(NARROW, (3,)).expect("open").collect();
    let text = pool.submit_with(TEXT, (3,)).expect("open").collect();

    assert!(told(&narrow.expect_err("too short")).contains("end inside a value"));
    assert!(text.is_err(), "there is no such string");
    assert_eq!(pid(&pool), before);
}

fn what_a_function_prints_does_not_come_between_the_frames() {
    let pool = pool(shell("exec \"$0\" --serve 2>/dev/null"));

    let read = pool.submit_with(SAY, ("frames are not printed".repeat(100),)).expect("open");

    assert_eq!(read.collect().expect("no frame is lost"), "", "nothing to read, either");
    assert_eq!(pool.submit_with(SQUARE, (2,)).expect("open").collect().expect("no panic"), 4);
}

fn a_result_over_the_limit_fails_its_task_only() {
    let pool = pool(this_program().max_frame_bytes(1000));
    let before = pid(&pool);

    let error = pool.submit_with(ZEROS, (1001,)).expect("open").collect().expect_err("too large");

    assert!(told(&error).contains("a result of 1009 bytes"), "{}", told(&error));
    assert_eq!(pool.submit_with(ZEROS, (992,)).expect("open").collect().expect("fits").len(), 992);
    assert_eq!(pid(&pool), before);
}

fn arguments_over_the_limit_are_not_sent() {
    let pool = pool(this_program().max_frame_bytes(1000));
    let before = pid(&pool);

    let error = pool.submit_with(SAY, ("x".repeat(1000),)).expect("open").collect();

    let error = error.expect_err("too large");
    assert!(told(&error).contains("arguments of 1011 bytes"), "{}", told(&error));
    assert_eq!(pid(&pool), before);
}

fn initializer_and_finalizer_are_called_by_name() {
    let builder = this_program().pool().max_workers(1);
    let pool = builder.initializer(PREPARE).finalizer(FAIL).build().expect("valid");

    assert_eq!(pool.submit(PREPARED).expect("open").collect().expect("no panic"), 1);
    assert_eq!(pool.submit(PREPARED).expect("open").collect().expect("no panic"), 1);
    pool.join();

    let Err(PoolError::Broken(cause)) = pool.check() else { panic!("{pool:?}") };
    let BrokenCause::Finalizer(error) = &*cause else { panic!("{cause:?}") };
    assert!(error.to_string().contains("no flour"), "{error}");
}

fn broken_by_initializer(initializer: Named<fn()>) -> String {
    let pool = this_program().pool().max_workers(1).initializer(initializer);
    let pool = pool.build().expect("valid");

    let handle = pool.submit(PID).expect("open");

    assert!(handle.collect().expect_err("cancelled").is_cancelled());
    let Err(PoolError::Broken(cause)) = pool.check() else { panic!("{pool:?}") };
    let BrokenCause::Initializer(error) = &*cause else { panic!("{cause:?}") };
    error.to_string()
}

fn a_failing_initializer_breaks_the_pool() {
    assert_eq!(broken_by_initializer(FAIL), "no flour");
}

fn an_initializer_of_no_known_name_breaks_the_pool() {
    let error = broken_by_initializer(Named::new("unheard of"));

    assert!(error.contains("no function \"unheard of\""), "{error}");
}

fn environment_and_folder_are_the_commands() {
    let pool = pool(this_program().env("ASYNCPAL_TEST_FLOUR", "rye").current_dir("/"));

    let flour = pool.submit_with(VARIABLE, ("ASYNCPAL_TEST_FLOUR".into(),)).expect("open");

    assert_eq!(flour.collect().expect("no panic").as_deref(), Some("rye"));
    assert_eq!(pool.submit(FOLDER).expect("open").collect().expect("no panic"), "/");
}

fn variables_are_removed_and_cleared() {
    let ask = |pool: &CommandPool, name: &str| {
        pool.submit_with(VARIABLE, (name.into(),)).expect("open").collect().expect("no panic")
    };
    assert!(std::env::var_os("PATH").is_some(), "the test removes it");

    assert_eq!(ask(&pool(this_program().env_remove("PATH")), "PATH"), None);
    let cleared = pool(this_program().env("GONE", "1").env_clear().env("LEFT", "2"));
    assert_eq!(ask(&cleared, "PATH").or(ask(&cleared, "GONE")), None);
    assert_eq!(ask(&cleared, "LEFT").as_deref(), Some("2"));
}

fn a_command_with_a_path_of_its_own_is_looked_for_there() {
    let this = std::env::current_exe().expect("a test program has a path");
    let dir = this.parent().expect("a folder");
    let command = worker_command(this.file_name().expect("a name")).arg(SERVE);

    let pool = pool(command.env("PATH", dir));

    assert_eq!(pool.submit_with(SQUARE, (3,)).expect("open").collect().expect("no panic"), 9);
}

fn a_command_that_its_own_path_does_not_have_is_not_found() {
    let command = worker_command("sh").env("PATH", "/dev/null:/nowhere");

    let error = pool(command).submit(PID).expect("open").collect().expect_err("it is nowhere");

    assert!(error.to_string().contains("sh: No such file or directory"), "{error}");
}

/// An empty entry of a `PATH` means the folder that the command starts in, too.
fn a_relative_path_begins_where_the_command_starts() {
    let this = std::env::current_exe().expect("a test program has a path");
    let dir = this.parent().expect("a folder");
    let above = dir.parent().expect("another folder");
    let command = || worker_command(this.file_name().expect("a name")).arg(SERVE);

    for (start, path) in
        [(dir, "".as_ref()), (dir, ".".as_ref()), (above, dir.file_name().expect("a name"))]
    {
        let pool = pool(command().current_dir(start).env("PATH", path));

        assert_eq!(pool.submit_with(SQUARE, (3,)).expect("open").collect().expect("no panic"), 9);
    }
}

fn what_a_command_says_of_itself_goes_where_it_is_sent() {
    let path = std::env::temp_dir().join(format!("asyncpal-said-{}", std::process::id()));
    let pool = pool(this_program().stderr(File::create(&path).expect("writable")));

    let said = pool.submit_with(SAY, ("rye".into(),)).expect("open").collect();

    assert_eq!(said.expect("no panic"), "");
    assert_eq!(std::fs::read_to_string(&path).expect("text"), "rye\n");
    let _ = std::fs::remove_file(path);
}

fn an_idle_pool_has_no_process() {
    let idle = core::time::Duration::from_millis(30);
    let pool = this_program().pool().max_workers(2).idle_timeout(idle).build().expect("valid");
    assert!(crate::children().is_empty(), "before its first task");

    pid(&pool);

    eventually(|| pool.count_workers() == 0 && crate::children().is_empty());
}
