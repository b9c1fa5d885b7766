//! Everything that speaks to the C library: the only module, with `remote`, that has `unsafe` code.

#[cfg(target_os = "linux")]
pub(crate) mod child;
#[cfg(target_os = "linux")]
pub(crate) mod command;
pub(crate) mod constructor;
#[cfg(target_os = "linux")]
pub(crate) mod eventfd;
#[cfg(target_os = "linux")]
pub(crate) mod kernel;
#[cfg(target_os = "linux")]
pub(crate) mod lifeline;
#[cfg(target_os = "linux")]
pub(crate) mod limits;
#[cfg(target_os = "linux")]
pub(crate) mod memory;
#[cfg(target_os = "linux")]
pub(crate) mod object;
#[cfg(target_os = "linux")]
pub(crate) mod pipe;
#[cfg(target_os = "linux")]
pub(crate) mod poll;
#[cfg(target_os = "linux")]
pub(crate) mod procfs;
#[cfg(target_os = "linux")]
pub(crate) mod signal;
#[cfg(target_os = "linux")]
pub(crate) mod spawn;
#[cfg(target_os = "linux")]
pub(crate) mod worker;

#[cfg(not(target_os = "linux"))]
#[path = "object_elsewhere.rs"]
pub(crate) mod object;
#[cfg(not(target_os = "linux"))]
#[path = "signal_elsewhere.rs"]
pub(crate) mod signal;

/// The environment variable that tells `init()` that it runs in a worker.
#[cfg(target_os = "linux")]
pub(crate) const MARKER: &str = "ASYNCPAL_WORKER";

/// Where a worker finds its ends of the pipes.
#[cfg(target_os = "linux")]
pub(crate) mod fds {
    use std::os::fd::RawFd;

    /// Frames from the parent.
    pub(crate) const REQUESTS: RawFd = 3;
    /// Frames to the parent.
    pub(crate) const REPLIES: RawFd = 4;
    /// Never carries data; hangs up when the parent is gone.
    pub(crate) const LIFELINE: RawFd = 5;
    /// The first descriptor that is none of the worker's business.
    pub(crate) const FIRST_FOREIGN: RawFd = 6;
    /// The parent's copies start here, so that none of them is overwritten while they are moved onto 3, 4 and 5.
    pub(crate) const FIRST_OURS: RawFd = 10;
}
