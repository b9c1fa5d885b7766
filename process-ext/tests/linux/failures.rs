//! Calls that fail: panics, errors, crashes, broken protocol.

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::panic::panic_any;
use std::time::Instant;

use asyncpal_process::error::{
    CallError, HandshakeError, LaunchError, LostCause, RemoteError, WorkerLost,
};
use asyncpal_process::proxy::{Launch, Proxy, Reply};
use asyncpal_process::remote::{FunctionId, RemoteFn};
use asyncpal_process::wire::frame::{Header, Kind};

use super::{Trials, call, encoded, exists, kill_self, launch, trials};

pub(crate) fn trials() -> Trials {
    trials![
        a_panic_arrives_with_message_location_and_backtrace,
        a_panic_whose_payload_breaks_when_it_is_dropped_costs_no_worker,
        an_error_arrives_with_its_chain,
        a_killed_task_loses_its_worker_and_leaves_no_zombie,
        an_exit_inside_a_task_is_a_loss,
        an_abort_inside_a_task_is_a_loss,
        a_grandchild_that_holds_the_pipes_does_not_hide_the_loss,
        a_forked_copy_that_returns_from_its_task_is_not_a_second_worker,
        a_worker_that_dies_idle_is_noticed_and_the_next_task_has_not_started,
        words_that_are_no_frame_cost_the_worker_its_life,
        a_claim_of_four_gigabytes_is_refused,
        a_reply_to_another_task_is_refused,
        an_ignored_sigchld_costs_at_most_the_status,
        an_initializer_that_fails_fails_the_launch,
        an_initializer_that_takes_too_long_fails_the_launch,
        an_initializer_that_dies_fails_the_launch,
    ]
}

/// Calls a function that is expected to cost the worker its life.
fn lose<F: RemoteFn<(), Output = ()>>(proxy: &mut Proxy, function: F) -> WorkerLost {
    let pid = proxy.pid();
    let function = FunctionId::plain::<_, ()>(function).unwrap();
    let error = proxy.call(1, function, &[]).unwrap_err();
    let CallError::Lost(lost) = error else { panic!("{error:?}") };
    assert_eq!(lost.pid(), pid);
    assert!(!proxy.is_alive());
    assert!(!exists(pid), "a zombie is left");
    let again = proxy.call(2, function, &[]).unwrap_err();
    assert!(matches!(again, CallError::NotStarted(_)), "{again:?}");
    lost
}

#[inline(never)]
fn divide(a: u32, b: u32) -> u32 {
    assert!(b != 0, "divided {a} by nothing");
    a / b
}

fn a_panic_arrives_with_message_location_and_backtrace() {
    let mut proxy = launch();

    for _ in 0..3 {
        let function = FunctionId::plain::<_, (u32, u32)>(divide).unwrap();
        let reply = proxy.call(1, function, &encoded((1_u32, 0_u32))).unwrap();

        let Reply::Panic(error) = reply else { panic!("{reply:?}") };
        assert!(error.is_panic());
        assert_eq!(error.message(), "divided 1 by nothing");
        assert!(error.location().unwrap().contains("failures.rs:"), "{error}");
        assert_eq!(error.thread_name(), Some("main"));
        assert!(error.backtrace().contains("divide"), "{}", error.backtrace());
        assert_eq!((error.worker_pid(), error.worker_name()), (proxy.pid(), "worker"));
        assert_eq!(call(&mut proxy, divide, (6, 2)), 3);
    }
}

/// A payload that panics when it is dropped, with another one, so many times.
struct Payload(u32);

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(rest) = self.0.checked_sub(1) {
            panic_any(Payload(rest));
        }
    }
}

fn a_panic_whose_payload_breaks_when_it_is_dropped_costs_no_worker() {
    let mut proxy = launch();
    let function = FunctionId::plain::<_, ()>(|| -> () { panic_any(Payload(3)) }).unwrap();

    let reply = proxy.call(1, function, &[]).unwrap();

    let Reply::Panic(error) = reply else { panic!("{reply:?}") };
    assert_eq!(error.message(), "a value that is no text");
    assert_eq!(call(&mut proxy, divide, (6, 2)), 3);
}

#[derive(Debug)]
struct Layer(&'static str, Option<Box<Layer>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Layer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|layer| layer as _)
    }
}

fn fail(really: bool) -> Result<u8, Layer> {
    let layer = |text, below: Option<Layer>| Layer(text, below.map(Box::new));
    let chain = layer("outer", Some(layer("middle", Some(layer("inner", None)))));
    if really { Err(chain) } else { Ok(1) }
}

fn an_error_arrives_with_its_chain() {
    let mut proxy = launch();
    let function = FunctionId::fallible::<_, (bool,), _, _>(fail).unwrap();

    let good = proxy.call(1, function, &encoded((false,))).unwrap();
    let bad = proxy.call(2, function, &encoded((true,))).unwrap();

    assert!(matches!(good, Reply::Result(bytes) if bytes == [1]));
    let Reply::Error(error) = bad else { panic!("{bad:?}") };
    assert!(error.type_name().ends_with("failures::Layer"), "{}", error.type_name());
    let mut chain = Vec::new();
    let mut next: Option<&dyn Error> = Some(&error);
    while let Some(link) = next {
        chain.push(link.to_string());
        next = link.source();
    }
    assert_eq!(chain, ["outer", "middle", "inner"]);
    assert!(error.remote_traceback().contains("caused by: inner"));
}

fn a_killed_task_loses_its_worker_and_leaves_no_zombie() {
    let mut proxy = launch();
    let pid = proxy.pid();

    let lost = lose(&mut proxy, kill_self);

    assert_eq!(lost.cause(), &LostCause::Signal(libc::SIGKILL));
    assert_eq!(lost.to_string(), format!("worker {pid} (\"worker\") was killed by SIGKILL"));
}

fn an_exit_inside_a_task_is_a_loss() {
    let lost = lose(&mut launch(), || std::process::exit(0));
    assert_eq!(lost.cause(), &LostCause::Exited(0));

    let lost = lose(&mut launch(), || std::process::exit(42));
    assert_eq!(lost.cause(), &LostCause::Exited(42));
}

fn an_abort_inside_a_task_is_a_loss() {
    let lost = lose(&mut launch(), || std::process::abort());

    assert_eq!(lost.cause(), &LostCause::Signal(libc::SIGABRT));
}

fn fork_and_die() {
    // SAFETY: the child calls nothing but async-signal-safe functions.
    if unsafe { libc::fork() } == 0 {
        loop {
            // SAFETY: pause touches no memory.
            unsafe { libc::pause() };
        }
    }
    kill_self();
}

fn a_grandchild_that_holds_the_pipes_does_not_hide_the_loss() {
    let mut proxy = launch();
    let start = Instant::now();

    let lost = lose(&mut proxy, fork_and_die);

    assert_eq!(lost.cause(), &LostCause::Signal(libc::SIGKILL));
    assert!(start.elapsed() < Duration::from_secs(30), "the grandchild has no end");
}

fn fork_and_return() -> u32 {
    // SAFETY: the child goes back to the worker's loop, which ends it at once.
    unsafe { libc::fork() };
    7
}

fn a_forked_copy_that_returns_from_its_task_is_not_a_second_worker() {
    let mut proxy = launch();

    for _ in 0..20 {
        assert_eq!(call(&mut proxy, fork_and_return, ()), 7);
    }

    proxy.close().unwrap();
}

fn a_worker_that_dies_idle_is_noticed_and_the_next_task_has_not_started() {
    let kill = |proxy: &Proxy| {
        let pid = proxy.pid().try_into().unwrap();
        // SAFETY: kill touches no memory; the worker is unreaped.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    };
    let mut proxy = launch();
    assert!(proxy.check().is_none());
    kill(&proxy);
    while proxy.check().is_none() {}
    assert_eq!(proxy.check().unwrap().cause(), &LostCause::Signal(libc::SIGTERM));

    let mut proxy = launch();
    kill(&proxy);
    let gone = || std::fs::read_to_string(format!("/proc/{}/stat", proxy.pid())).unwrap();
    while !gone().contains(" Z ") {}
    let error = proxy.call(1, FunctionId::plain::<_, ()>(kill_self).unwrap(), &[]).unwrap_err();
    assert!(matches!(error, CallError::NotStarted(_)), "{error:?}");
}

/// What a task writes to the reply pipe behind the worker's back.
fn write_reply(bytes: &[u8]) {
    std::fs::write("/proc/self/fd/4", bytes).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

fn broken_protocol(lost: &WorkerLost) -> &str {
    match lost.cause() {
        LostCause::Protocol(what) => what,
        other => panic!("{other:?}"),
    }
}

fn words_that_are_no_frame_cost_the_worker_its_life() {
    let lost = lose(&mut launch(), || write_reply(b"Hello, this is not a frame at all."));

    assert!(broken_protocol(&lost).contains("magic"), "{lost}");
}

fn a_claim_of_four_gigabytes_is_refused() {
    let lost = lose(&mut launch(), || {
        let mut head = Header::new(Kind::Result).encode(0).unwrap();
        head[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        write_reply(&head);
    });

    assert!(broken_protocol(&lost).contains("4294967295 bytes exceeds the limit"), "{lost}");
}

fn a_reply_to_another_task_is_refused() {
    let lost = lose(&mut launch(), || {
        let header = Header { task_id: 99, ..Header::new(Kind::Result) };
        write_reply(&header.encode(0).unwrap());
    });

    assert_eq!(broken_protocol(&lost), "it replied to task 99 instead of 1");
}

fn an_ignored_sigchld_costs_at_most_the_status() {
    let mut proxy = launch();
    // SAFETY: SIG_IGN is a valid disposition; no other thread of this test waits for children.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };

    let lost = lose(&mut proxy, kill_self);

    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    println!("    cause with SIGCHLD ignored: {:?}", lost.cause());
    assert!(matches!(lost.cause(), LostCause::Signal(libc::SIGKILL) | LostCause::StatusTaken));
}

fn launch_with(initializer: FunctionId, timeout: Option<Duration>) -> LaunchError {
    let launch = Launch {
        initializer: Some(initializer),
        initializer_timeout: timeout,
        ..Launch::new("worker")
    };
    Proxy::launch(&launch).unwrap_err()
}

fn not_ready() {
    panic!("not ready");
}

fn an_initializer_that_fails_fails_the_launch() {
    let message = |error: LaunchError| -> (bool, RemoteError) {
        let LaunchError::Initializer(error) = error else { panic!("{error:?}") };
        (error.is_panic(), error)
    };

    let panics = FunctionId::plain::<_, ()>(not_ready).unwrap();
    let (is_panic, error) = message(launch_with(panics, None));
    assert!(is_panic);
    assert_eq!(error.message(), "not ready");
    assert!(!exists(error.worker_pid()));

    let fails =
        FunctionId::fallible::<_, (), _, _>(|| Err::<(), _>(Layer("no licence", None))).unwrap();
    let (is_panic, error) = message(launch_with(fails, None));
    assert!(!is_panic);
    assert_eq!(error.message(), "no licence");
}

fn an_initializer_that_takes_too_long_fails_the_launch() {
    let slow = FunctionId::plain::<_, ()>(|| std::thread::sleep(Duration::from_secs(60))).unwrap();

    let error = launch_with(slow, Some(Duration::from_millis(300)));

    assert!(matches!(error, LaunchError::Handshake(HandshakeError::TimedOut(_))), "{error:?}");
}

fn an_initializer_that_dies_fails_the_launch() {
    let error = launch_with(FunctionId::plain::<_, ()>(kill_self).unwrap(), None);

    let LaunchError::Handshake(HandshakeError::Lost(lost)) = error else { panic!("{error:?}") };
    assert_eq!(lost.cause(), &LostCause::Signal(libc::SIGKILL));
    assert!(!exists(lost.pid()));
}
