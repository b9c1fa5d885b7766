//! Process pools, on real child processes. The workers are this test program, so its `main` calls
//! `init` first, and the tests run one at a time: they count the program's children.

mod calls;
mod capacity;
mod endings;
mod failures;
#[path = "../common/gate.rs"]
mod gate;
#[path = "../common/processes.rs"]
mod processes;
mod workers;

use core::time::Duration;
use std::thread::sleep;
use std::{env, process};

use asyncpal::{BuildError, ProcessPool};
use libtest_mimic::Arguments;

use processes::{children, eventually};

fn main() {
    if env::var_os(endings::WITHOUT_INIT).is_some() {
        let built = ProcessPool::builder().build();
        process::exit(if matches!(built, Err(BuildError::InitMissing)) { 0 } else { 1 });
    }
    asyncpal::process::init();
    if env::var_os(endings::OPEN_AT_EXIT).is_some() {
        return endings::leave_a_pool_open();
    }
    if env::var_os(endings::EXIT_ON_BORROWED).is_some() {
        return endings::exit_on_a_borrowed_seat();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = [
        calls::trials(),
        capacity::trials(),
        failures::trials(),
        workers::trials(),
        endings::trials(),
    ];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit();
}

macro_rules! trials {
    ($($name:ident)*) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(libtest_mimic::Trial::test(stringify!($name), || {
                $name();
                assert_eq!(crate::children(), [], "no child is left, zombie or not");
                Ok(())
            })),*]
        }
    };
}
use trials;

fn pool(max_workers: usize) -> ProcessPool {
    ProcessPool::builder().max_workers(max_workers).build().expect("`init` has run")
}

fn kill(pid: u32) {
    let pid = pid.try_into().expect("a process");
    // SAFETY: kill touches no memory.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
}

fn own_pid() -> u32 {
    process::id()
}

fn nap(millis: u64) -> u64 {
    sleep(Duration::from_millis(millis));
    millis
}
