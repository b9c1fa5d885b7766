//! Kernels that lack a call which children are held by, or deny it: a filter stands in for them.

use std::io;

use asyncpal::ProcessPool;
use asyncpal::process::worker_command;

use crate::faults;
use crate::program::Program;
use crate::roles::{all_of, say};

faults![a_kernel_that_lacks_a_call_is_told_as_such_when_a_pool_is_built];

/// What says of a role which call it lacks.
pub(crate) const LACKS: &str = "lacks-";

/// The calls, what Linux says to those that it does not know, and the kind of child that `waitid` must know.
fn lacking(call: &str) -> (libc::c_long, i32, Option<u32>) {
    match call {
        "pidfd_open" => (libc::SYS_pidfd_open, libc::ENOSYS, None),
        "pidfd_send_signal" => (libc::SYS_pidfd_send_signal, libc::EPERM, None),
        "waitid" => (libc::SYS_waitid, libc::EINVAL, Some(libc::P_PIDFD)),
        other => panic!("no such call: {other}"),
    }
}

const fn step(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// From now on the kernel refuses the call.
fn lack(call: &str) {
    let (number, error, first_argument) = lacking(call);
    let (load, equals, answer) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    // Where the call's number is in what a filter sees, and the lower half of its first argument.
    let (at_number, at_argument) = (0, if cfg!(target_endian = "big") { 20 } else { 16 });
    let number = number.try_into().expect("a call");
    let mut filter = vec![step(load, at_number, 0, 0)];
    match first_argument {
        None => filter.push(step(equals, number, 0, 1)),
        Some(argument) => filter.extend([
            step(equals, number, 0, 3),
            step(load, at_argument, 0, 0),
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
