//! What workers find round them.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;

use asyncpal::TaskError;
use asyncpal::process::{ProcessOptions, ProcessPool, WorkerOutput};

use crate::{options, own_pid, trials};

trials! {
    workers_have_the_variables_of_their_pool
    a_cleared_environment_has_nothing_else
    a_name_that_no_variable_can_have_is_the_cause_of_the_failed_start
    workers_start_in_their_folder
    a_folder_that_is_not_there_is_named
    what_workers_print_goes_to_the_file
    what_workers_print_can_go_nowhere
}

fn built(options: ProcessOptions) -> ProcessPool {
    options.pool().max_workers(1).build().expect("valid")
}

fn variable(name: String) -> Option<String> {
    env::var(name).ok()
}

fn ask(pool: &ProcessPool, name: &str) -> Option<String> {
    pool.submit_with(variable, (name.to_owned(),)).expect("open").collect().expect("no panic")
}

/// Why a worker could not start.
fn start_error(pool: &ProcessPool) -> String {
    let error = pool.run(own_pid).expect_err("no worker can start");
    let TaskError::Cancelled(cancelled) = &error else { panic!("{error:?}") };
    cancelled.cause().expect("the failed start").to_string()
}

fn workers_have_the_variables_of_their_pool() {
    assert!(env::var_os("PATH").is_some(), "the test removes it");
    let pool = built(options().env("ASYNCPAL_TEST_COLOUR", "größe").env_remove("PATH"));

    assert_eq!(ask(&pool, "ASYNCPAL_TEST_COLOUR").as_deref(), Some("größe"));
    assert_eq!(ask(&pool, "PATH"), None);
    assert_eq!(env::var_os("ASYNCPAL_TEST_COLOUR"), None, "they are the workers' only");
    assert!(ask(&built(options()), "PATH").is_some(), "another pool has what the program has");
}

fn a_cleared_environment_has_nothing_else() {
    fn all() -> Vec<String> {
        env::vars().map(|(key, value)| format!("{key}={value}")).collect()
    }

    let pool = built(options().env("GONE", "1").env_clear().env("LEFT", "2"));

    assert_eq!(pool.run(all).expect("no panic"), ["LEFT=2"]);
}

fn a_name_that_no_variable_can_have_is_the_cause_of_the_failed_start() {
    for (name, said) in [("", "\"\" cannot be"), ("A=B", "\"A=B\" cannot be"), ("A\0", "nul byte")]
    {
        let error = start_error(&built(options().env(name, "1")));

        assert!(error.contains(said), "{error}");
    }
}

fn folder() -> String {
    env::current_dir().expect("there").to_str().expect("plain").to_owned()
}

fn workers_start_in_their_folder() {
    let own = env::current_dir().expect("there");
    let pool = built(options().current_dir("/"));

    assert_eq!(pool.run(folder).expect("no panic"), "/");
    assert_eq!(env::current_dir().expect("there"), own);
    assert_eq!(PathBuf::from(built(options()).run(folder).expect("no panic")), own);
}

fn a_folder_that_is_not_there_is_named() {
    let error = start_error(&built(options().current_dir("/no/such/folder")));

    assert!(error.contains("/no/such/folder"), "{error}");
}

fn print(line: String) -> u8 {
    println!("out: {line}");
    eprintln!("err: {line}");
    1
}

fn what_workers_print_goes_to_the_file() {
    let path = |what| env::temp_dir().join(format!("asyncpal-limits-{what}-{}", own_pid()));
    let [out, err] = ["out", "err"].map(path);
    let create = |path| File::create(path).expect("writable");
    let options = options().stdout(create(&out)).stderr(create(&err));
    let pool = options.pool().max_workers(2).max_tasks_per_worker(1).build().expect("valid");

    // Four workers, one after the other: each goes on where the last one stopped.
    for line in ["a", "b", "c", "d"] {
        pool.submit_with(print, (line.to_owned(),)).expect("open").collect().expect("no panic");
    }
    pool.join();

    let mut lines = [&out, &err].map(|path| fs::read_to_string(path).expect("text"));
    assert_eq!(lines[0].lines().count(), 4);
    lines.iter_mut().for_each(|text| *text = text.replace('\n', " "));
    assert_eq!(lines, ["out: a out: b out: c out: d ", "err: a err: b err: c err: d "]);
    [out, err].iter().for_each(|path| fs::remove_file(path).expect("there"));
}

fn what_workers_print_can_go_nowhere() {
    fn targets() -> Vec<String> {
        let target = |fd| fs::read_link(format!("/proc/self/fd/{fd}")).expect("open");
        [0, 1, 2].map(|fd| target(fd).to_str().expect("plain").to_owned()).to_vec()
    }
    let null = || WorkerOutput::null();
    let pool = built(options().stdout(null()).stderr(null()));

    assert_eq!(pool.run(targets).expect("no panic"), ["/dev/null"; 3]);
    let inherited = options().stdout(null()).stdout(WorkerOutput::inherit());
    assert_eq!(built(inherited).run(targets).expect("no panic")[1..], targets()[1..]);
}
