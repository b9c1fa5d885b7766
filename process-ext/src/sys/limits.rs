//! Limits of a child, set by its parent: so they hold before the child runs anything of the user's, whatever program
//! it is, and a refusal is an error here.

#![expect(unsafe_code, reason = "it calls the C library")]

use core::ptr;
use std::io;

use super::child::Child;
use super::pipe::check;
use super::procfs;
use crate::worker_limits::WorkerLimits;

/// Sets the limits of a child that has not been reaped. `Err` names the one that was refused.
///
/// The child runs no more than its one thread yet: niceness belongs to threads, and is inherited.
pub(crate) fn impose(
    child: &Child,
    limits: &WorkerLimits,
) -> Result<(), (&'static str, io::Error)> {
    let pid = child.pid();
    let address_space = limits.address_space.map(|bytes| (bytes, bytes));
    let cpu_seconds = limits.cpu_seconds.map(|seconds| (seconds, seconds.saturating_add(1)));
    // What type a resource's number has, each C library says otherwise, and not all of them by a name: it is inferred.
    let resources = [
        ("address space", libc::RLIMIT_AS, address_space),
        ("processor time", libc::RLIMIT_CPU, cpu_seconds),
    ];
    for (name, resource, limit) in resources {
        let Some((soft, hard)) = limit else { continue };
        let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
        let pid = pid as libc::pid_t;
        // SAFETY: it reads one rlimit64, which lives, and is asked for no old value.
        check(unsafe { libc::prlimit64(pid, resource, &raw const limit, ptr::null_mut()) })
            .map_err(|error| (name, error))?;
    }
    if let Some(nice) = limits.nice {
        set_nice(pid, nice).map_err(|error| ("niceness", error))?;
    }
    if let Some(score) = limits.oom_score_adj {
        procfs::folder_of(child.exit_fd())
            .and_then(|folder| std::fs::write(folder.join("oom_score_adj"), score.to_string()))
            .map_err(|error| ("oom_score_adj", error))?;
    }
    Ok(())
}

fn set_nice(pid: u32, nice: i32) -> io::Result<()> {
    // SAFETY: setpriority touches no memory of ours.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, pid, nice) }).map(drop)
}
