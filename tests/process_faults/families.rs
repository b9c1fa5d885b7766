//! Children of workers: they end with the worker if they are in its group, and hold up nobody if they are not.

use core::time::Duration;
use std::time::Instant;

use asyncpal::process::LostCause;

use crate::clean::{bury, child_processes};
use crate::faults;
use crate::processes::eventually;
use crate::tasks::{cause, kill_self, pool, signal, works};

faults![
    a_child_of_a_lost_worker_ends_with_it,
    a_child_that_left_the_group_and_holds_the_pipes_hides_no_loss,
    a_child_that_holds_the_pipes_does_not_keep_a_pool_from_ending,
];

/// A copy of the worker, with its pipes, that sleeps for a minute.
pub(crate) fn fork(leaves_the_group: bool) -> u32 {
    // SAFETY: the child calls what may be called there.
    let child = unsafe { libc::fork() };
    if child == 0 {
        if leaves_the_group {
            // SAFETY: setsid has no preconditions.
            unsafe { libc::setsid() };
        }
        // SAFETY: alarm has no preconditions.
        unsafe { libc::alarm(60) };
        loop {
            // SAFETY: pause has no preconditions.
            unsafe { libc::pause() };
        }
    }
    // It is in a group of its own before this worker can be killed with the one that they share.
    // SAFETY: getpgid touches no memory.
    while leaves_the_group && unsafe { libc::getpgid(child) } != child {
        std::thread::yield_now();
    }
    child.try_into().expect("there is room for a process")
}

/// Whether it runs, and is this process's child.
fn is_orphan(pid: u32) -> bool {
    child_processes().iter().any(|child| child.pid == pid && !child.is_zombie)
}

fn end(pid: u32) {
    assert!(is_orphan(pid), "or else it shows nothing");
    signal(pid, libc::SIGKILL);
    eventually(|| !is_orphan(pid));
    child_processes().iter().filter(|child| child.pid == pid).for_each(bury);
}

fn a_child_of_a_lost_worker_ends_with_it() {
    let pool = pool(1);
    let child = pool.run(|| fork(false)).expect("no panic");
    assert!(std::fs::exists(format!("/proc/{child}")).expect("Linux"));

    let error = pool.run(kill_self).expect_err("its worker is gone");

    assert_eq!(cause(&error), &LostCause::Signal(libc::SIGKILL));
    eventually(|| !is_orphan(child));
    assert!(works(&pool));
}

fn a_child_that_left_the_group_and_holds_the_pipes_hides_no_loss() {
    let pool = pool(1);
    let child = pool.run(|| fork(true)).expect("no panic");
    let begun = Instant::now();

    let error = pool.run(kill_self).expect_err("its worker is gone");

    assert_eq!(cause(&error), &LostCause::Signal(libc::SIGKILL));
    assert!(begun.elapsed() < Duration::from_secs(30), "the child would hold them for a minute");
    assert!(works(&pool));
    drop(pool);
    end(child);
}

fn a_child_that_holds_the_pipes_does_not_keep_a_pool_from_ending() {
    let pool = pool(1);
    let child = pool.run(|| fork(true)).expect("no panic");
    let begun = Instant::now();

    drop(pool);

    assert!(begun.elapsed() < Duration::from_secs(30), "the child would hold them for a minute");
    end(child);
}
