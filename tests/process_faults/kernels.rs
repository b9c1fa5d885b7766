//! Kernels that lack a call which children are held by, or deny it: a filter stands in for them.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::io;
use std::thread::{self, sleep};

use asyncpal::ProcessPool;
use asyncpal::process::proxy::{Launch, Proxy, Reply};
use asyncpal::process::remote::FunctionId;
use asyncpal::process::wire::payload::Payload as _;
use asyncpal::process::worker_command;

use crate::families::fork;
use crate::faults;
use crate::hosts::plays;
use crate::processes::{eventually, lives};
use crate::program::Program;
use crate::roles::{all_of, checked, dispose, say};
use crate::tasks::own_pid;

faults![
    a_kernel_that_lacks_a_call_is_told_as_such_when_a_pool_is_built,
    children_of_a_killed_worker_end_with_it_where_its_number_is_free_at_once,
];

/// What says of a role which call it lacks.
pub(crate) const LACKS: &str = "lacks-";

/// The calls, what Linux says to those that it does not know, and the argument that it must know, with its number: the
/// kind of child of `waitid`, the flag that makes a signal one for a group.
fn lacking(call: &str) -> (libc::c_long, i32, Option<(u32, u32)>) {
    match call {
        "pidfd_open" => (libc::SYS_pidfd_open, libc::ENOSYS, None),
        "pidfd_send_signal" => (libc::SYS_pidfd_send_signal, libc::EPERM, None),
        "waitid" => (libc::SYS_waitid, libc::EINVAL, Some((0, libc::P_PIDFD))),
        "groups" => {
            let group = libc::PIDFD_SIGNAL_PROCESS_GROUP;
            (libc::SYS_pidfd_send_signal, libc::EINVAL, Some((3, group)))
        }
        other => panic!("no such call: {other}"),
    }
}

const fn step(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// From now on the kernel refuses the call.
fn lack(call: &str) {
    let (number, error, argument) = lacking(call);
    let (load, equals, answer) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    // Where the call's number is in what a filter sees, and the lower half of its first argument of 8 bytes.
    let (at_number, at_arguments) = (0, if cfg!(target_endian = "big") { 20 } else { 16 });
    let number = number.try_into().expect("a call");
    let mut filter = vec![step(load, at_number, 0, 0)];
    match argument {
        None => filter.push(step(equals, number, 0, 1)),
        Some((nth, argument)) => filter.extend([
            step(equals, number, 0, 3),
            step(load, at_arguments + 8 * nth, 0, 0),
            step(equals, argument, 0, 1),
        ]),
    }
    filter.push(step(answer, libc::SECCOMP_RET_ERRNO | error.unsigned_abs(), 0, 0));
    filter.push(step(answer, libc::SECCOMP_RET_ALLOW, 0, 0));
    let filter = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: it takes numbers and touches no memory.
    let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: it reads the filter, which lives.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!((promised, set), (0, 0), "{}", io::Error::last_os_error());
}

/// Says why no pool can be built.
pub(crate) fn build_without(call: &str) {
    lack(call);
    let own = ProcessPool::builder().build().map(drop);
    let foreign = worker_command("true").pool().build().map(drop);
    for built in [own, foreign] {
        match built {
            Ok(()) => say("built"),
            Err(error) => say(&all_of(&error)),
        }
    }
}

fn a_kernel_that_lacks_a_call_is_told_as_such_when_a_pool_is_built() {
    for call in ["pidfd_open", "pidfd_send_signal", "waitid"] {
        let ended = Program::start(&format!("{LACKS}{call}")).finish().expect("it ends");

        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(ended.stdout.lines().count(), 2, "{ended:?}");
        for said in ended.stdout.lines() {
            assert!(said.contains("Linux 5.4") && said.contains(call), "{ended:?}");
        }
    }
}

static NAPS: AtomicU32 = AtomicU32::new(0);

extern "C" fn nap(_: i32) {
    sleep(Duration::from_millis(1));
    NAPS.fetch_add(1, Ordering::Relaxed);
}

/// Does something with a pause after every few microseconds, as on a machine that has other things to do.
fn slowly(what: impl FnOnce()) {
    dispose(libc::SIGUSR1, nap as extern "C" fn(i32) as *const () as libc::sighandler_t);
    // SAFETY: gettid has no preconditions.
    let thread = unsafe { libc::gettid() };
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let naps = NAPS.load(Ordering::Relaxed);
                // SAFETY: it touches no memory.
                unsafe { libc::syscall(libc::SYS_tgkill, own_pid(), thread, libc::SIGUSR1) };
                // Sent while it naps, the next one would let it do nothing in between.
                while NAPS.load(Ordering::Relaxed) == naps {
                    thread::yield_now();
                }
                (0..100).for_each(|_| core::hint::spin_loop());
            }
        });
        what();
        is_done.store(true, Ordering::Relaxed);
    });
}

/// Where a signal cannot be one for a pidfd's group, in a host whose children are nobody's as soon as they end.
pub(crate) fn kill_without_groups() {
    lack("groups");
    dispose(libc::SIGCHLD, libc::SIG_IGN);
    checked(|| {
        let function = FunctionId::plain::<_, ()>(fork_one).expect("it is part of this program");
        for _ in 0..10 {
            let mut proxy = Proxy::launch(&Launch::new("forks")).expect("`init` has run");
            let Ok(Reply::Result(child)) = proxy.call(1, function, &[]) else { panic!("it forks") };
            let child = u32::decode(&child).expect("a number");

            slowly(|| drop(proxy));

            eventually(|| !lives(child));
        }
    });
}

fn fork_one() -> u32 {
    fork(false)
}

/// So the group is signalled before the worker, whose number it has.
fn children_of_a_killed_worker_end_with_it_where_its_number_is_free_at_once() {
    plays("kills-without-groups");
}
