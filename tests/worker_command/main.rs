//! Pools whose workers are other programs: this test program as a worker, behind a shell or not, and programs that
//! are no workers; and words that workers should not understand. The tests run one at a time: they count the program's children.

mod calls;
mod endings;
mod given_up;
mod handshake;
mod python;
mod refusals;
mod unread;
mod worker;

use core::error::Error;
use core::time::Duration;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Instant;
use std::{env, fs};

use asyncpal::TaskError;
use asyncpal::process::{RemoteError, WorkerLost};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some(worker::SERVE) => return worker::serve(),
        Some(endings::HOST) => return endings::host(),
        Some(unread::BABBLE) => return unread::babble(),
        _ => {}
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = [
        calls::trials(),
        handshake::trials(),
        endings::trials(),
        given_up::trials(),
        python::trials(),
        refusals::trials(),
        unread::trials(),
    ];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}

/// A test, after which no child may be left.
fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        assert_eq!(children(), [], "no child is left, zombie or not");
        Ok(())
    })
}

macro_rules! trials {
    ($($name:ident)*) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(crate::trial(stringify!($name), $name)),*]
        }
    };
}
use trials;

/// The process ids of this program's children, zombies included.
fn children() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let lists =
        tasks.map(|task| fs::read_to_string(task.expect("readable").path().join("children")));
    let ids = lists.flat_map(|list| {
        let list = list.unwrap_or_default();
        list.split_whitespace().map(|id| id.parse().expect("a number")).collect::<Vec<_>>()
    });
    ids.collect()
}

/// Whether this process is there and no zombie.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z"))
}

fn eventually(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not happen");
        sleep(Duration::from_millis(1));
    }
}

fn remote(error: &TaskError) -> &RemoteError {
    error.downcast_ref().expect("it failed in the worker")
}

fn lost(error: &TaskError) -> &WorkerLost {
    WorkerLost::of(error).expect("its worker was lost")
}

/// All that the error says.
fn told(error: &TaskError) -> String {
    let chain = core::iter::successors(Some(error as &dyn Error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
