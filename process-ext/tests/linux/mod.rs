//! The tests by theme, and what they share.

use std::process::ExitCode;

use asyncpal_process::proxy::{Launch, Proxy, Reply};
use asyncpal_process::remote::{FunctionId, RemoteFn};
use asyncpal_process::wire::payload::{Arguments, Payload};
use libtest_mimic::{Arguments as Options, Trial};

mod calls;
mod endings;
mod failures;
mod measure;
mod surroundings;
#[cfg(feature = "serde")]
mod unwinding;

pub(crate) fn main() -> ExitCode {
    if std::env::var_os(endings::PARENT).is_some() {
        endings::be_a_parent();
    }
    if std::env::var_os(surroundings::DELETED).is_some() {
        surroundings::be_deleted();
        return ExitCode::SUCCESS;
    }
    let mut options = Options::from_args();
    // They count this process's descriptors and children, so one at a time.
    options.test_threads = Some(1);
    let trials = [
        calls::trials(),
        endings::trials(),
        failures::trials(),
        measure::trials(),
        surroundings::trials(),
        #[cfg(feature = "serde")]
        unwinding::trials(),
    ];
    libtest_mimic::run(&options, trials.into_iter().flatten().collect()).exit_code()
}

/// Trials named as their functions.
macro_rules! trials {
    ($($test:ident),* $(,)?) => {
        vec![$(libtest_mimic::Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
    };
}
pub(crate) use trials;

pub(crate) type Trials = Vec<Trial>;

pub(crate) fn launch() -> Proxy {
    Proxy::launch(&Launch::new("worker")).unwrap()
}

pub(crate) fn encoded(args: impl Arguments) -> Vec<u8> {
    let mut out = Vec::new();
    args.encode(&mut out).unwrap();
    out
}

/// Calls a function that is expected to return.
pub(crate) fn call<F, Args>(proxy: &mut Proxy, function: F, args: Args) -> F::Output
where
    F: RemoteFn<Args, Output: Payload>,
    Args: Arguments,
{
    let function = FunctionId::plain(function).unwrap();
    match proxy.call(7, function, &encoded(args)).unwrap() {
        Reply::Result(bytes) => Payload::decode(&bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Whether a process exists, be it as a zombie.
pub(crate) fn exists(pid: u32) -> bool {
    std::fs::exists(format!("/proc/{pid}")).unwrap()
}

pub(crate) fn kill_self() {
    // SAFETY: raise touches no memory.
    unsafe { libc::raise(libc::SIGKILL) };
}
