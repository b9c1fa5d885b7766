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
    // What type a resource's number has, each C library says otherwise, and not all of them by a name: it is inferred.
    let resources = [
        ("address space", libc::RLIMIT_AS, limits.address_space, 0),
        ("processor time", libc::RLIMIT_CPU, limits.cpu_seconds, 1),
    ];
    for (name, resource, soft, spare) in resources {
        let Some(soft) = soft else { continue };
        let pid = pid as libc::pid_t;
        let mut present = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: it writes one rlimit64, and is given no new value.
        check(unsafe { libc::prlimit64(pid, resource, ptr::null(), &raw mut present) })
            .map_err(|error| (name, error))?;
        let hard = hard_limit(soft, spare, present.rlim_max);
        let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
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

/// So much later than the soft one if it need not be raised for that, which takes a privilege.
fn hard_limit(soft: u64, spare: u64, present: u64) -> u64 {
    soft.saturating_add(spare).min(present.max(soft))
}

fn set_nice(pid: u32, nice: i32) -> io::Result<()> {
    // SAFETY: setpriority touches no memory of ours.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, pid, nice) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So who may have so many seconds and no more can limit workers to them.
    #[test]
    fn the_hard_limit_is_a_second_later_if_it_may() {
        assert_eq!(hard_limit(10, 1, libc::RLIM64_INFINITY), 11);
        assert_eq!(hard_limit(10, 1, 11), 11);
        assert_eq!(hard_limit(10, 1, 10), 10);
        // It is raised all the same, or refused.
        assert_eq!(hard_limit(10, 1, 9), 10);
        assert_eq!(hard_limit(10, 0, 20), 10);
        assert_eq!(hard_limit(u64::MAX, 1, u64::MAX), u64::MAX);
    }
}
