//! Tasks that fail in their workers, or with them.

use std::sync::mpsc;
use std::{fs, io, process};

use asyncpal::process::{LostCause, RemoteError, WorkerLost};
use asyncpal::{Handle, ProcessPool, TaskError};

use crate::{children, eventually, kill, nap, own_pid, pool};

crate::trials! {
    a_killed_worker_fails_its_own_task_and_no_other
    a_worker_killed_while_idle_is_reaped_and_replaced
    an_exit_inside_a_task_is_a_lost_worker
    a_failure_in_a_worker_that_nobody_collects_is_reported
    a_remote_panic_arrives_with_place_and_backtrace
    a_remote_error_arrives_with_its_chain
}

fn lost(error: &TaskError) -> &WorkerLost {
    WorkerLost::of(error).unwrap_or_else(|| panic!("no worker was lost: {error:?}"))
}

fn remote(error: &TaskError) -> &RemoteError {
    error.downcast_ref().unwrap_or_else(|| panic!("{error:?}"))
}

fn a_killed_worker_fails_its_own_task_and_no_other() {
    let pool = pool(2);
    let sleeper = pool.submit(own_pid).expect("open").collect().expect("no panic");
    let victim = pool.submit(|| {
        // The handle says that it runs before the worker has read it.
        fs::write("/proc/self/comm", "asleep").expect("Linux");
        nap(60_000)
    });
    let victim = victim.expect("open");
    let name = || fs::read_to_string(format!("/proc/{sleeper}/comm"));
    eventually(|| name().is_ok_and(|name| name == "asleep\n"));
    let others: Vec<Handle<u64>> =
        (0..20).map(|n| pool.submit_with(nap, (n,)).expect("open")).collect();

    // One worker so far, so that is the one which naps.
    kill(sleeper);

    let error = victim.collect().expect_err("its worker was killed");
    assert!(error.to_string().contains("SIGKILL"), "{error}");
    assert_eq!(lost(&error).cause(), &LostCause::Signal(9));
    assert_eq!(lost(&error).pid(), sleeper);
    for (n, other) in (0..).zip(others) {
        assert_eq!(other.collect().expect("not its worker"), n);
    }
    assert_eq!(pool.run(|| 1_u8).expect("the pool goes on"), 1);
}

fn a_worker_killed_while_idle_is_reaped_and_replaced() {
    let pool = pool(1);
    let first = pool.run(own_pid).expect("no panic");

    kill(first);

    eventually(|| children().is_empty());
    let second = pool.run(own_pid).expect("nothing was lost");
    assert_ne!(first, second);
}

fn an_exit_inside_a_task_is_a_lost_worker() {
    let pool = pool(1);

    let error = pool.run(|| -> () { process::exit(0) }).expect_err("its worker is gone");

    assert_eq!(lost(&error).cause(), &LostCause::Exited(0));
}

fn a_failure_in_a_worker_that_nobody_collects_is_reported() {
    let (tell, told) = mpsc::channel();
    let pool = ProcessPool::builder()
        .max_workers(1)
        .on_uncollected(move |failure| {
            let error = failure.error();
            let by = match error {
                TaskError::Failed(cause) if cause.is::<WorkerLost>() => "loss",
                TaskError::Panicked(_) => "panic",
                _ => "something else",
            };
            tell.send((failure.task_id(), by)).expect("waited for");
        })
        .build()
        .expect("valid");

    drop(pool.submit(|| -> () { panic!("nobody looks") }));
    drop(pool.submit(|| -> () { process::exit(0) }));
    pool.join();

    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(1, "panic"), (2, "loss")]);
}

fn a_remote_panic_arrives_with_place_and_backtrace() {
    fn burn(what: String) {
        panic!("burnt {what}");
    }
    let pool = pool(1);

    let handle = pool.submit_with(burn, ("bread".to_owned(),)).expect("open");
    let error = handle.collect().expect_err("it panicked");

    let TaskError::Panicked(panic) = &error else { panic!("{error:?}") };
    assert_eq!(panic.message(), Some("burnt bread"));
    assert!(error.is_panic());
    assert_eq!((pool.stats().panicked, pool.stats().failed), (1, 0));
    let text = error.to_string();
    assert!(text.starts_with("the task panicked at ") && text.ends_with(": burnt bread"), "{text}");
    let error = remote(&error);
    assert!(error.is_panic());
    assert_eq!(error.message(), "burnt bread");
    assert!(error.location().is_some_and(|place| place.contains(file!())), "{error:?}");
    assert!(error.backtrace().contains("burn"), "{}", error.backtrace());
    assert_ne!(error.worker_pid(), process::id());
    assert_eq!(pool.run(|| 1_u8).expect("the worker lives on"), 1);
}

fn a_remote_error_arrives_with_its_chain() {
    fn parse() -> Result<u8, io::Error> {
        "300".parse::<u8>().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
    let pool = pool(1);

    let error = pool.submit_fallible(parse).expect("open").collect().expect_err("out of range");

    let error = remote(&error);
    assert!(!error.is_panic());
    assert!(error.message().contains("too large"), "{error:?}");
    let fine = pool.submit_fallible(|| "30".parse::<u8>()).expect("open").collect();
    assert_eq!(fine.expect("in range"), 30);
}
