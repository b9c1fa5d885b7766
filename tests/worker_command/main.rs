//! Pools whose workers are other programs: this test program as a worker, behind a shell or not, and programs that
//! are no workers; and words that workers should not understand. The tests run one at a time: they count the program's children.

mod calls;
mod endings;
mod given_up;
mod handshake;
#[path = "../common/processes.rs"]
mod processes;
mod python;
mod refusals;
mod unread;
mod worker;

use core::error::Error;
use std::env;
use std::process::ExitCode;

use asyncpal::TaskError;
use asyncpal::process::{RemoteError, WorkerLost};
use libtest_mimic::{Arguments, Trial};

use processes::{children, eventually, lives};

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
