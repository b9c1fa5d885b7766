//! Workers that do not keep to the protocol, in the handshake or behind the back of a task: they are killed, the
//! task fails, and the cause says what was wrong.

use core::time::Duration;
use std::io::Write as _;
use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::thread::{self, sleep};
use std::time::Instant;
use std::{env, fs, process};

use asyncpal::process::error::{DecodeError, HandshakeError, LaunchError};
use asyncpal::process::proxy::{Launch, Proxy, Reply};
use asyncpal::process::remote::FunctionId;
use asyncpal::process::wire::frame::{Header, Kind};
use asyncpal::process::{LostCause, Within};
use asyncpal::{ProcessPool, TaskError};

use crate::faults;
use crate::hosts::plays;
use crate::roles::limit_descriptors;
use crate::tasks::{
    busy_worker, cause, kill_self, own_pid, pool, show_busy, signal, sleep_long, works,
};

faults![
    a_reply_to_another_task_is_refused,
    a_goodbye_in_the_place_of_a_reply_is_told_as_such,
    a_kind_that_no_frame_has_is_refused,
    words_that_are_no_frame_are_refused,
    a_claim_of_the_largest_length_is_refused_before_memory_is,
    a_result_that_claims_ten_gigabytes_fails_its_task_alone,
    half_a_reply_of_a_worker_that_ends_is_no_reply,
    half_a_reply_of_a_worker_that_lives_on_holds_up_nobody_else,
    a_reply_byte_by_byte_is_given_up_at_the_tasks_limit,
    a_second_reply_costs_the_worker_its_life_and_the_first_counts,
    a_second_reply_costs_no_task_that_was_not_read,
    a_reply_that_is_there_when_a_wait_is_refused_counts,
    a_greeting_that_is_no_frame_is_refused,
    half_a_greeting_is_waited_for_until_its_time_is_up,
    an_init_behind_the_start_of_threads_is_named_as_the_cause,
    an_init_behind_a_thread_that_is_about_to_end_waits_for_it,
];

/// What starts the names of workers that do not greet as they should.
const HOSTILE: &str = "hostile ";

/// The name of workers of that kind.
pub(crate) fn name(kind: &str) -> String {
    format!("{HOSTILE}{kind}")
}

/// In a worker of such a name: says what it likes in the place of HELLO.
pub(crate) fn speak_before_init() {
    if std::env::var_os("ASYNCPAL_WORKER").is_none() {
        return;
    }
    let name = std::env::args().next().unwrap_or_default();
    let Some(kind) = name.strip_prefix(HOSTILE) else { return };
    if kind.starts_with("killed") {
        kill_self();
    } else if kind.starts_with("noise") {
        reply(b"This is no greeting, and no frame of any other kind.");
    } else if kind.starts_with("half") {
        reply(&header(Kind::Hello, 0, 100)[..10]);
    } else if kind.starts_with("late") {
        // As a runtime does that is built round `main`.
        std::thread::spawn(sleep_long);
        return;
    } else if kind.starts_with("left") {
        // As one that has been joined and is still on its way out, but for longer.
        std::thread::spawn(|| sleep(Duration::from_millis(2)));
        return;
    }
    sleep_long();
}

/// Writes to the pipe on which the worker replies.
fn reply(bytes: &[u8]) {
    let pipe = std::fs::OpenOptions::new().write(true).open("/proc/self/fd/4");
    pipe.expect("a worker").write_all(bytes).expect("the parent reads");
}

fn header(kind: Kind, task_id: u64, length: u32) -> [u8; 24] {
    let mut bytes = Header { task_id, ..Header::new(kind) }.encode(0).expect("nothing is short");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// What a pool says of a worker whose first task does this.
fn protocol(task: fn(&ProcessPool) -> TaskError) -> String {
    let pool = pool(1);
    let error = task(&pool);
    let LostCause::Protocol(what) = cause(&error).clone() else { panic!("{error:?}") };
    assert!(works(&pool));
    what.into()
}

fn a_reply_to_another_task_is_refused() {
    let what = protocol(|pool| {
        let task = || {
            reply(&header(Kind::Result, 99, 0));
            sleep_long();
        };
        pool.run(task).expect_err("it is no reply")
    });

    assert_eq!(what, "it replied to task 99 instead of 1");
}

fn a_goodbye_in_the_place_of_a_reply_is_told_as_such() {
    let what = protocol(|pool| {
        let task = || {
            reply(&header(Kind::Bye, 0, 0));
            sleep_long();
        };
        pool.run(task).expect_err("it is no reply")
    });

    assert_eq!(what, "it sent Bye out of turn");
}

fn a_kind_that_no_frame_has_is_refused() {
    let what = protocol(|pool| {
        let task = || {
            let mut bytes = header(Kind::Result, 1, 0);
            bytes[4] = 0x7f;
            reply(&bytes);
            sleep_long();
        };
        pool.run(task).expect_err("it is no reply")
    });

    assert_eq!(what, "no frame has the kind 0x7f");
}

fn words_that_are_no_frame_are_refused() {
    let what = protocol(|pool| {
        let task = || {
            reply(b"Hello, this is not a frame at all.");
            sleep_long();
        };
        pool.run(task).expect_err("it is no reply")
    });

    assert!(what.contains("wrong magic"), "{what}");
}

/// The most memory that this program has had, in bytes of address space.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).expect("Linux");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

/// Less than what is claimed, and more than threads and the like may take.
const LITTLE_BYTES: u64 = 1 << 30;

/// 4 GiB less one byte: the header has no room for more.
fn a_claim_of_the_largest_length_is_refused_before_memory_is() {
    let before = peak_bytes();
    let what = protocol(|pool| {
        let task = || {
            reply(&header(Kind::Result, 1, u32::MAX));
            sleep_long();
        };
        pool.run(task).expect_err("it is no reply")
    });

    assert!(what.contains("4294967295 bytes exceeds the limit"), "{what}");
    assert!(peak_bytes() - before < LITTLE_BYTES);
}

/// Replies with a list of two bytes which claims to be so long.
fn claim(count: u64) -> Vec<u8> {
    let body = [&count.to_le_bytes(), b"ab".as_slice()].concat();
    reply(&header(Kind::Result, 1, 10));
    reply(&body);
    process::exit(0)
}

fn a_result_that_claims_ten_gigabytes_fails_its_task_alone() {
    let before = peak_bytes();
    let claimed = |pool: &ProcessPool, count| pool.submit_with(claim, (count,)).expect("open");
    let pools = [pool(1), pool(1)];

    let true_claim = claimed(&pools[0], 2).collect();
    let claim = claimed(&pools[1], 10_000_000_000).collect().expect_err("there are no such bytes");

    assert_eq!(true_claim.expect("they are there"), b"ab");
    assert!(claim.downcast_ref::<DecodeError>().is_some(), "{claim:?}");
    assert!(peak_bytes() - before < LITTLE_BYTES);
    assert!(pools.iter().all(works));
}

fn half_a_reply_of_a_worker_that_ends_is_no_reply() {
    let pool = pool(1);

    let error = pool.run(|| {
        reply(&header(Kind::Result, 1, 100)[..20]);
        process::exit(7);
    });

    let error: TaskError = error.map(|()| unreachable!()).expect_err("it is no reply");
    assert_eq!(cause(&error), &LostCause::Exited(7));
    assert!(works(&pool));
}

fn half_a_reply_of_a_worker_that_lives_on_holds_up_nobody_else() {
    let pool = pool(2);
    let task = || {
        reply(&header(Kind::Result, 1, 100));
        show_busy();
        sleep_long();
    };
    let mut task = pool.submit(task).expect("open");
    let worker = busy_worker();

    assert!(works(&pool));
    let error = task.collect_timeout(Duration::from_millis(10)).expect_err("it is not over");
    assert!(error.is_timeout(), "{error:?}");
    signal(worker, libc::SIGKILL);

    let error = task.collect().expect_err("its worker was killed");
    assert_eq!(cause(&error), &LostCause::Signal(libc::SIGKILL));
}

fn a_reply_byte_by_byte_is_given_up_at_the_tasks_limit() {
    let pool = pool(1);
    let limit = Duration::from_millis(100);
    let task = || {
        reply(&header(Kind::Result, 1, 200 << 20));
        let pipe = std::fs::OpenOptions::new().write(true).open("/proc/self/fd/4");
        let mut pipe = pipe.expect("a worker");
        while pipe.write_all(b"a").is_ok() {}
    };

    let begun = Instant::now();
    let error = pool.run(Within::new(limit, task)).expect_err("it never ends");

    assert_eq!(cause(&error), &LostCause::TimedOut(limit));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(works(&pool));
}

fn a_second_reply_costs_the_worker_its_life_and_the_first_counts() {
    let pool = pool(1);
    let worker = pool.run(own_pid).expect("no panic");

    let task = || {
        let frame = |value: u8| [header(Kind::Result, 2, 1).as_slice(), &[value]].concat();
        reply(&[frame(7), frame(8)].concat());
        sleep_long();
        9_u8
    };

    assert_eq!(pool.run(task).expect("the first is a reply"), 7);
    assert_ne!(pool.run(own_pid).expect("by another worker"), worker);
    assert!(works(&pool));
}

/// In a worker: waits until there is something to read.
fn await_request() {
    let mut requests = libc::pollfd { fd: 3, events: libc::POLLIN, revents: 0 };
    // SAFETY: it reads and writes one pollfd.
    assert_eq!(unsafe { libc::poll(&raw mut requests, 1, 60_000) }, 1);
}

/// The breach comes when the next task has been sent.
fn a_second_reply_costs_no_task_that_was_not_read() {
    let pool = pool(1);
    let worker = pool.run(own_pid).expect("no panic");

    let task = || {
        reply(&header(Kind::Result, 2, 0));
        await_request();
        reply(&header(Kind::Result, 2, 0));
        sleep_long();
    };

    pool.run(task).expect("the first is a reply");
    assert_ne!(pool.run(own_pid).expect("by another worker"), worker);
    assert!(works(&pool));
}

/// In a worker whose parent has this process id: where it is told to go on.
fn gate(parent: u32) -> PathBuf {
    env::temp_dir().join(format!("asyncpal-early-{parent}"))
}

/// Replies to the next task before that is sent, once it may.
fn reply_early() {
    thread::spawn(|| {
        let gate = gate(parent_id());
        while !gate.exists() {
            sleep(Duration::from_millis(1));
        }
        reply(&header(Kind::Result, 2, 0));
        show_busy();
    });
}

/// A host that is not let wait for a reply, which is there already.
pub(crate) fn lowered_limit_behind_a_reply() {
    let mut proxy = Proxy::launch(&Launch::new("early")).expect("`init` has run");
    let function = FunctionId::plain::<_, ()>(reply_early).expect("it is part of this program");
    assert!(matches!(proxy.call(1, function, &[]), Ok(Reply::Result(_))));
    fs::write(gate(own_pid()), "").expect("it may be written");
    busy_worker();
    fs::remove_file(gate(own_pid())).expect("it is there");

    limit_descriptors(1);
    let early = proxy.call(2, function, &[]);
    limit_descriptors(256);

    assert!(matches!(early, Ok(Reply::Result(_))), "{early:?}");
}

fn a_reply_that_is_there_when_a_wait_is_refused_counts() {
    plays("lowered-limit-behind-a-reply");
}

fn launch(kind: &str, timeout: Duration) -> HandshakeError {
    let launch = Launch { handshake_timeout: timeout, ..Launch::new(name(kind)) };
    match Proxy::launch(&launch) {
        Err(LaunchError::Handshake(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn a_greeting_that_is_no_frame_is_refused() {
    let error = launch("noise", Duration::from_secs(60));

    let HandshakeError::Lost(lost) = error else { panic!("{error:?}") };
    assert!(matches!(lost.cause(), LostCause::Protocol(what) if what.contains("magic")), "{lost}");
}

fn half_a_greeting_is_waited_for_until_its_time_is_up() {
    let error = launch("half", Duration::from_millis(300));

    assert!(matches!(error, HandshakeError::TimedOut(_)), "{error:?}");
}

/// The worker would close the descriptors of a runtime that runs already, whose threads abort.
fn an_init_behind_the_start_of_threads_is_named_as_the_cause() {
    let error = launch("late", Duration::from_secs(60));
    assert!(matches!(error, HandshakeError::InitLate), "{error:?}");

    let builder = ProcessPool::builder().max_workers(1).name(name("late"));
    let pool = builder.build().expect("valid");
    let error = pool.run(own_pid).expect_err("no worker gets ready").to_string();

    assert!(error.contains("`init()` ran after other threads were started"), "{error}");
}

/// The kernel counts a thread for a moment after it was joined.
fn an_init_behind_a_thread_that_is_about_to_end_waits_for_it() {
    let pool = ProcessPool::builder().max_workers(1).name(name("left")).build().expect("valid");

    pool.run(own_pid).expect("it is alone soon");
}
