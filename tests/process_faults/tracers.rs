//! Workers that somebody else traces (a debugger, `strace`): their statuses are the tracer's before they are ours.

use core::time::Duration;
use std::thread::sleep;

use asyncpal::process::LostCause;
use asyncpal::process::error::CallError;
use asyncpal::process::proxy::{Launch, Proxy};
use asyncpal::process::remote::FunctionId;

use crate::faults;
use crate::missing::Missing;
use crate::processes::{children, eventually, lives};
use crate::program::Program;
use crate::roles::say;
use crate::tasks::kill_self;

faults![
    a_worker_that_dies_while_it_is_traced_is_lost_by_its_signal,
    a_worker_that_ends_as_told_while_it_is_traced_has_ended_well,
];

/// What says of a role whom it traces.
pub(crate) const TRACES: &str = "traces-";

/// Traces a worker, and takes no notice of its end for a while.
pub(crate) fn trace(worker: &str) {
    let worker: libc::pid_t = worker.parse().expect("a process");
    let nothing = core::ptr::null_mut::<libc::c_void>();
    // SAFETY: it touches no memory of ours.
    if unsafe { libc::ptrace(libc::PTRACE_SEIZE, worker, nothing, nothing) } != 0 {
        return say("refused");
    }
    say("ready");
    eventually(|| !lives(worker.unsigned_abs()));
    sleep(Duration::from_millis(300));
}

/// Where nobody but a parent may trace (Yama), anybody may trace this worker.
fn be_traceable() {
    // SAFETY: it takes numbers and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };
}

fn traced() -> Result<(Proxy, Program), Missing> {
    let initializer = FunctionId::plain::<_, ()>(be_traceable).expect("it is part of this program");
    let launch = Launch { initializer: Some(initializer), ..Launch::new("traced") };
    let proxy = Proxy::launch(&launch).expect("`init` has run");
    let mut tracer = Program::start(&format!("{TRACES}{}", proxy.pid()));
    tracer.expect("ready").map_err(|_| Missing::Tracing)?;
    Ok((proxy, tracer))
}

fn a_worker_that_dies_while_it_is_traced_is_lost_by_its_signal() -> Result<(), Missing> {
    let (mut proxy, tracer) = traced()?;
    let kill = FunctionId::plain::<_, ()>(kill_self).expect("it is part of this program");

    let error = proxy.call(1, kill, &[]).expect_err("it is gone");

    let CallError::Lost(lost) = error else { panic!("{error:?}") };
    assert_eq!(lost.cause(), &LostCause::Signal(libc::SIGKILL));
    assert!(!children().contains(&proxy.pid()), "it was reaped");
    tracer.finish().expect("it ends").check(0, &[]).expect("it has let go");
    Ok(())
}

fn a_worker_that_ends_as_told_while_it_is_traced_has_ended_well() -> Result<(), Missing> {
    let (proxy, tracer) = traced()?;

    proxy.close().expect("it was not killed");

    tracer.finish().expect("it ends").check(0, &[]).expect("it has let go");
    Ok(())
}
