//! How workers end: closed, dropped, or orphaned.

use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use asyncpal_process::error::{CloseError, LostCause};
use asyncpal_process::proxy::{Launch, Proxy};
use asyncpal_process::remote::FunctionId;
use asyncpal_process::wire::exit;

use super::{Trials, call, exists, kill_self, launch, trials};

/// Tells this program to be the parent that is killed.
pub(crate) const PARENT: &str = "ASYNCPAL_TEST_PARENT";

/// … after it has forked a child that goes on.
const FORKING: &str = "forking";

pub(crate) fn trials() -> Trials {
    trials![
        descriptors_and_children_are_as_before,
        a_dropped_worker_is_killed_and_reaped,
        a_finalizer_that_fails_is_told,
        a_finalizer_that_hangs_is_terminated,
        a_worker_that_ignores_sigterm_is_killed,
        a_finalizer_that_dies_is_cut_short,
        a_worker_that_died_before_it_was_closed_is_a_loss,
        a_worker_that_ends_badly_when_its_finalizer_has_ended_is_a_loss,
        a_busy_worker_dies_with_its_parent,
        a_child_that_the_parent_has_forked_keeps_no_worker_alive,
        a_worker_without_a_parent_ends_with_its_code_though_nobody_listens,
    ]
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn children() -> String {
    // Only the thread that spawned them has them listed.
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let path = format!("/proc/{}/children", thread.display());
    std::fs::read_to_string(path).unwrap()
}

fn descriptors_and_children_are_as_before() {
    let before = open_descriptors();

    for _ in 0..20 {
        let mut proxy = launch();
        call(&mut proxy, || (), ());
        proxy.close().unwrap();
        drop(launch());
        let mut proxy = launch();
        let _ = proxy.call(1, FunctionId::plain::<_, ()>(kill_self).unwrap(), &[]).unwrap_err();
    }

    assert_eq!(open_descriptors(), before);
    assert_eq!(children(), "");
}

fn a_dropped_worker_is_killed_and_reaped() {
    let proxy = launch();
    let pid = proxy.pid();

    drop(proxy);

    assert!(!exists(pid));
}

/// On a busy machine the backtrace of a debug build may take a second to write.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);

fn close_with(finalizer: FunctionId, grace: Duration) -> CloseError {
    close(&Launch { finalizer: Some(finalizer), grace, ..Launch::new("worker") })
}

fn close(launch: &Launch) -> CloseError {
    let proxy = Proxy::launch(launch).unwrap();
    let pid = proxy.pid();
    let error = proxy.close().unwrap_err();
    assert!(!exists(pid));
    error
}

fn cannot_save() {
    panic!("cannot save");
}

fn a_finalizer_that_fails_is_told() {
    let error = close_with(FunctionId::plain::<_, ()>(cannot_save).unwrap(), LONG);

    let CloseError::Finalizer(error) = error else { panic!("{error:?}") };
    assert_eq!(error.message(), "cannot save");
    assert!(error.is_panic());
}

fn hang() {
    std::thread::sleep(Duration::from_secs(60));
}

fn ended_by(error: CloseError) -> LostCause {
    match error {
        CloseError::TimedOut(lost) => lost.cause().clone(),
        other => panic!("{other:?}"),
    }
}

fn a_finalizer_that_hangs_is_terminated() {
    let error = close_with(FunctionId::plain::<_, ()>(hang).unwrap(), SHORT);

    assert_eq!(ended_by(error), LostCause::Signal(libc::SIGTERM));
}

fn a_worker_that_ignores_sigterm_is_killed() {
    let ignore_sigterm = || {
        // SAFETY: SIG_IGN is a valid disposition.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    };

    let error = close(&Launch {
        initializer: Some(FunctionId::plain::<_, ()>(ignore_sigterm).unwrap()),
        finalizer: Some(FunctionId::plain::<_, ()>(hang).unwrap()),
        grace: SHORT,
        ..Launch::new("worker")
    });

    assert_eq!(ended_by(error), LostCause::Signal(libc::SIGKILL));
}

fn a_finalizer_that_dies_is_cut_short() {
    let error = close_with(FunctionId::plain::<_, ()>(kill_self).unwrap(), LONG);

    let CloseError::CutShort(lost) = error else { panic!("{error:?}") };
    assert_eq!(lost.cause(), &LostCause::Signal(libc::SIGKILL));
}

fn a_worker_that_died_before_it_was_closed_is_a_loss() {
    let launch = Launch {
        finalizer: Some(FunctionId::plain::<_, ()>(hang).unwrap()),
        ..Launch::new("worker")
    };
    let proxy = Proxy::launch(&launch).unwrap();
    // SAFETY: kill touches no memory; the worker is unreaped.
    unsafe { libc::kill(proxy.pid().try_into().unwrap(), libc::SIGKILL) };
    while !has_ended(proxy.pid()) {}

    let error = proxy.close().unwrap_err();

    assert!(matches!(error, CloseError::Lost(_)), "{error:?}");
}

fn a_worker_that_ends_badly_when_its_finalizer_has_ended_is_a_loss() {
    extern "C" fn leave() {
        // SAFETY: _exit has no preconditions.
        unsafe { libc::_exit(9) };
    }
    let finalizer = || {
        // SAFETY: the handler may be called at any exit.
        unsafe { libc::atexit(leave) };
    };

    let error = close_with(FunctionId::plain::<_, ()>(finalizer).unwrap(), LONG);

    let CloseError::Lost(lost) = error else { panic!("{error:?}") };
    assert_eq!(lost.cause(), &LostCause::Exited(9));
}

fn spin() {
    loop {
        core::hint::spin_loop();
    }
}

/// Starts a worker, tells its number, keeps it busy for ever. May have a child that lives as long.
pub(crate) fn be_a_parent() -> ! {
    let mut proxy = launch();
    println!("{}", proxy.pid());
    if std::env::var(PARENT).unwrap() == FORKING {
        // SAFETY: the child only sleeps.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: alarm touches no memory. It ends the child if nobody else does.
            unsafe { libc::alarm(60) };
            hang();
        }
        println!("{child}");
    }
    let _ = proxy.call(1, FunctionId::plain::<_, ()>(spin).unwrap(), &[]);
    unreachable!()
}

/// Whether a process has ended; whoever inherited it may not have reaped it.
fn has_ended(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(" Z "))
}

fn a_busy_worker_dies_with_its_parent() {
    orphan("alone");
}

fn a_child_that_the_parent_has_forked_keeps_no_worker_alive() {
    orphan(FORKING);
}

fn orphan(how: &str) {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .env(PARENT, how)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let mut number = || lines.next().unwrap().unwrap().parse::<u32>().unwrap();
    let worker = number();
    let child = (how == FORKING).then(number);
    std::thread::sleep(Duration::from_millis(100));
    assert!(!has_ended(worker));

    let killed = Instant::now();
    parent.kill().unwrap();
    while !has_ended(worker) {
        if killed.elapsed() > Duration::from_secs(15) {
            // SAFETY: kill touches no memory; the orphan runs, so its number is its own.
            unsafe { libc::kill(worker.try_into().unwrap(), libc::SIGKILL) };
            panic!("worker {worker} became an orphan");
        }
        std::thread::yield_now();
    }

    println!("    the orphan lived for {:?}", killed.elapsed());
    parent.wait().unwrap();
    if let Some(child) = child {
        assert!(!has_ended(child), "or else it shows nothing");
        // SAFETY: kill touches no memory; the child runs, so its number is its own.
        unsafe { libc::kill(child.try_into().unwrap(), libc::SIGKILL) };
    }
}

/// It panicked, as it could not say why it ends, and its code was 101.
fn a_worker_without_a_parent_ends_with_its_code_though_nobody_listens() {
    let mut listener = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let stderr = listener.stdin.take().unwrap();
    listener.wait().unwrap();
    let mut worker = Command::new(std::env::current_exe().unwrap());

    let worker = worker.env("ASYNCPAL_WORKER", "1").stderr(stderr).status().unwrap();

    assert_eq!(worker.code(), Some(exit::NO_PARENT));
}
