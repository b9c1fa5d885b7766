//! Faults of workers and of the program whose they are, each on real processes; `docs/faults.md` lists them.
//!
//! The workers are this program: its `main` calls `init` first. The hosts that are killed, or whose signals or
//! descriptors are as they should not be, are this program, too, with a role. After each test there are as many
//! descriptors as before, no worker and no orphan. A test for which something is missing is ignored, or a failure if
//! `ASYNCPAL_TEST_FAULTS` names that: `root`, `world`, `loader`, `tracing`.

use libtest_mimic::Arguments;

#[cfg(target_os = "linux")]
mod clean;
#[cfg(target_os = "linux")]
mod copy;
#[cfg(target_os = "linux")]
mod crashes;
#[cfg(target_os = "linux")]
mod families;
#[cfg(target_os = "linux")]
mod hosts;
#[cfg(target_os = "linux")]
mod kernels;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod pipes;
#[cfg(target_os = "linux")]
mod privileges;
#[cfg(target_os = "linux")]
#[path = "../common/processes.rs"]
mod processes;
#[cfg(target_os = "linux")]
#[path = "../common/program.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod program;
#[cfg(target_os = "linux")]
mod roles;
#[cfg(target_os = "linux")]
mod surrender;
#[cfg(target_os = "linux")]
mod tracers;
#[cfg(target_os = "linux")]
mod words;

fn main() {
    #[cfg(target_os = "linux")]
    words::speak_before_init();
    asyncpal::process::init();
    #[cfg(target_os = "linux")]
    if let Some(role) = program::ending() {
        return roles::play(&role);
    }
    #[cfg(target_os = "linux")]
    clean::adopt_orphans();
    // They count descriptors and processes, so one at a time.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials()).exit();
}

#[cfg(target_os = "linux")]
fn trials() -> Vec<libtest_mimic::Trial> {
    let trials = [
        crashes::trials(),
        families::trials(),
        hosts::trials(),
        kernels::trials(),
        namespaces::trials(),
        pipes::trials(),
        privileges::trials(),
        surrender::trials(),
        tracers::trials(),
        words::trials(),
    ];
    trials.into_iter().flatten().collect()
}

#[cfg(not(target_os = "linux"))]
fn trials() -> Vec<libtest_mimic::Trial> {
    Vec::new()
}

/// Trials named as their functions; after each all is as before. One for which something may be missing returns a
/// `Result`.
macro_rules! faults {
    ($($test:ident),* $(,)?) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(libtest_mimic::Trial::ignorable_test(stringify!($test), || {
                let clean = $crate::clean::Clean::before();
                let finding = $test();
                clean.check();
                $crate::missing::Finding::completion(finding)
            })),*]
        }
    };
}
#[cfg(target_os = "linux")]
pub(crate) use faults;

#[cfg(target_os = "linux")]
mod missing {
    //! What tests need and not every machine has.

    use libtest_mimic::{Completion, Failed};

    /// The variable that lists what must be there.
    const DEMANDED: &str = "ASYNCPAL_TEST_FAULTS";

    /// What is not there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Missing {
        /// Somebody who can make programs with privileges.
        Root,
        /// The right to see another `/dev` than others, and other process ids.
        World,
        /// A program that the kernel starts this one by.
        Loader,
        /// The right to trace other processes.
        Tracing,
    }

    impl Missing {
        /// Its name in the list, and how it is told.
        fn told(self) -> (&'static str, &'static str) {
            match self {
                Self::Root => {
                    ("root", "it is for root, and a folder whose programs may have privileges")
                }
                Self::World => ("world", "it may have no namespace of its own"),
                Self::Loader => ("loader", "this program has no loader"),
                Self::Tracing => ("tracing", "it may not trace another process"),
            }
        }
    }

    /// What a test returns.
    pub(crate) trait Finding {
        fn completion(self) -> Result<Completion, Failed>;
    }

    impl Finding for () {
        fn completion(self) -> Result<Completion, Failed> {
            Ok(Completion::Completed)
        }
    }

    impl Finding for Result<(), Missing> {
        fn completion(self) -> Result<Completion, Failed> {
            let Err(missing) = self else { return Ok(Completion::Completed) };
            let (name, told) = missing.told();
            let demanded = std::env::var(DEMANDED).unwrap_or_default();
            if demanded.split(',').any(|demanded| demanded == name) {
                return Err(Failed::from(told));
            }
            Ok(Completion::ignored_with(told))
        }
    }
}

#[cfg(target_os = "linux")]
mod tasks {
    //! What the tests submit, and what they ask of failures.

    use core::time::Duration;
    use std::thread::sleep;
    use std::time::Instant;

    use asyncpal::process::{LostCause, WorkerLost};
    use asyncpal::{ProcessPool, TaskError};

    use crate::processes::children;

    pub(crate) fn pool(max_workers: usize) -> ProcessPool {
        ProcessPool::builder().max_workers(max_workers).build().expect("`init` has run")
    }

    pub(crate) fn own_pid() -> u32 {
        std::process::id()
    }

    pub(crate) fn sleep_long() {
        sleep(Duration::from_secs(60));
    }

    pub(crate) fn spin() {
        // SAFETY: alarm has no preconditions. It ends a worker whom nobody else ends.
        unsafe { libc::alarm(20) };
        loop {
            core::hint::spin_loop();
        }
    }

    /// Lets the worker's name say that a task has started in it; that a handle says so may be earlier.
    pub(crate) fn show_busy() {
        std::fs::write("/proc/self/comm", "busy").expect("Linux");
    }

    /// Waits for the worker that shows itself busy.
    pub(crate) fn busy_worker() -> u32 {
        let begun = Instant::now();
        loop {
            let is_busy = |pid: u32| {
                std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "busy\n")
            };
            let busy = children().into_iter().find(|&child| is_busy(child));
            if let Some(worker) = busy {
                return worker;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "no worker is busy");
            sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn kill_self() {
        // SAFETY: raise has no preconditions.
        unsafe { libc::raise(libc::SIGKILL) };
    }

    /// Sends a signal to a process.
    pub(crate) fn signal(pid: u32, signal: i32) {
        let pid: i32 = pid.try_into().expect("a process");
        // SAFETY: kill touches no memory.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
    }

    /// Sends a signal to the group that this process leads.
    pub(crate) fn signal_group(leader: u32, signal: i32) {
        let leader: i32 = leader.try_into().expect("a process");
        // SAFETY: killpg touches no memory.
        let sent = unsafe { libc::killpg(leader, signal) };
        assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
    }

    /// The loss behind a failure.
    pub(crate) fn lost(error: &TaskError) -> &WorkerLost {
        WorkerLost::of(error).unwrap_or_else(|| panic!("no worker was lost: {error:?}"))
    }

    pub(crate) fn cause(error: &TaskError) -> &LostCause {
        lost(error).cause()
    }

    /// Whether a pool still does what a pool does.
    pub(crate) fn works(pool: &ProcessPool) -> bool {
        let pids = pool.map(|n: u32| (n, std::process::id()), 0..20).collect::<Result<Vec<_>, _>>();
        pids.is_ok_and(|pids| {
            (0..).zip(&pids).all(|(n, &(it, pid))| n == it && pid != std::process::id())
        })
    }
}
