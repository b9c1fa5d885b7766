//! Limits of process pools, on real child processes. The workers are this test program, so its `main` calls `init`
//! first, and the tests run one at a time: they count the program's children.

use core::time::Duration;
use std::process;
use std::thread::sleep;

use asyncpal::TaskError;
use asyncpal::process::{LostCause, ProcessOptions, Within, WorkerLost};
use libtest_mimic::Arguments;

use processes::{children, eventually};

mod cancel;
mod crash_loop;
mod deadlines;
#[path = "../common/gate.rs"]
mod gate;
#[path = "../common/processes.rs"]
mod processes;
mod recycling;
mod starts;
mod surroundings;
mod worker_limits;

fn main() {
    if std::env::var_os(starts::SILENT).is_some() {
        sleep(Duration::from_secs(60));
    }
    if std::env::var_os(starts::SLOW).is_some() {
        sleep(Duration::from_millis(200));
    }
    asyncpal::process::init();
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = [
        cancel::trials(),
        crash_loop::trials(),
        deadlines::trials(),
        recycling::trials(),
        starts::trials(),
        surroundings::trials(),
        worker_limits::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

macro_rules! trials {
    ($($name:ident)*) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(libtest_mimic::Trial::test(stringify!($name), || {
                $name();
                assert!(crate::children().is_empty(), "no child is left, zombie or not");
                Ok(())
            })),*]
        }
    };
}
pub(crate) use trials;

fn options() -> ProcessOptions {
    ProcessOptions::new()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn own_pid() -> u32 {
    process::id()
}

fn kill(pid: u32) {
    let pid = pid.try_into().expect("a process");
    // SAFETY: kill touches no memory.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
}

/// A call that no limit of its pool ends.
fn in_time<C>(call: C) -> Within<C> {
    Within::new(Duration::from_secs(3600), call)
}

/// A task that computes without end, and never looks at anything.
fn spin() -> u32 {
    // SAFETY: alarm touches no memory. It ends a worker whom nobody else ends.
    unsafe { libc::alarm(60) };
    let mut rounds = 0_u32;
    loop {
        rounds = core::hint::black_box(rounds.wrapping_add(1));
    }
}

/// The loss that a task failed with.
fn lost(error: &TaskError) -> &WorkerLost {
    let TaskError::Failed(error) = error else { panic!("{error:?}") };
    error.downcast_ref().unwrap_or_else(|| panic!("{error:?}"))
}

fn cause(error: &TaskError) -> &LostCause {
    lost(error).cause()
}
