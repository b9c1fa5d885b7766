//! The process pool of asyncpal: functions of this program, run in child processes.
//!
//! A worker is this same executable, started again; [`init`] as the first line of `main` turns that second start
//! into a worker. Functions are named by their place in the executable, arguments and results travel as bytes.

#![deny(unsafe_code)]
#![cfg_attr(
    not(target_os = "linux"),
    expect(
        dead_code,
        reason = "without workers nobody makes their errors or looks for their functions"
    )
)]

#[cfg(target_os = "linux")]
mod bell;
#[cfg(not(target_os = "linux"))]
#[path = "bell_elsewhere.rs"]
mod bell;
mod commands;
pub mod error;
mod launch;
mod named;
mod options;
mod patience;
mod processes;
mod registry;
#[doc(hidden)]
pub mod remote;
mod seat;
mod starts;
mod supervisor;
mod surroundings;
#[cfg_attr(
    not(target_os = "linux"),
    expect(unused_imports, reason = "without workers there is little to share")
)]
mod sync;
mod sys;
#[doc(hidden)]
pub mod wire;
mod within;
mod worker_command;
mod worker_limits;

#[cfg(target_os = "linux")]
mod panics;
#[cfg(target_os = "linux")]
#[doc(hidden)]
pub mod parker;
#[cfg(not(target_os = "linux"))]
mod parker {
    //! The parker of slots that never have a worker.
    pub(crate) use asyncpal_std::kind::ThreadParker as ProcessParker;
}
#[cfg(target_os = "linux")]
#[doc(hidden)]
pub mod proxy;
#[cfg(target_os = "linux")]
mod serve_stdio;
#[cfg(target_os = "linux")]
mod worker_main;

#[cfg(not(target_os = "linux"))]
#[path = "unsupported.rs"]
#[doc(hidden)]
pub mod proxy;
#[cfg(not(target_os = "linux"))]
#[path = "worker_main_elsewhere.rs"]
mod worker_main;

pub use commands::{CommandPool, Commands};
pub use error::{LaunchError, LostCause, RemoteError, RemoteErrorKind, WorkerLost};
pub use named::{Named, Signature};
pub use options::ProcessOptions;
pub use processes::{ProcessPool, Processes};
pub use registry::Registry;
#[cfg(target_os = "linux")]
pub use serve_stdio::serve_stdio;
pub use surroundings::WorkerOutput;
#[doc(hidden)]
pub use sys::constructor::init_in_constructor;
pub use wire::payload::{Arguments, Payload, Plain};
pub use within::{Within, WithinJob};
pub use worker_command::{WorkerCommand, worker_command};
pub use worker_limits::WorkerLimits;
pub use worker_main::init;
#[cfg(not(target_os = "linux"))]
pub use worker_main::serve_stdio;
