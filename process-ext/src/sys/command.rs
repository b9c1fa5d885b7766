//! Starting a command as a worker: its standard input and output are its ends of the pipes.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::child::Child;
use crate::worker_command::WorkerCommand;

/// Starts it in a process group of its own, so that the terminal's Ctrl-C is the parent's to decide on, and a kill
/// takes what a launcher has started along. The standard library starts it by `posix_spawn`.
pub(crate) fn spawn(
    command: &WorkerCommand,
    requests: OwnedFd,
    replies: OwnedFd,
) -> io::Result<Child> {
    let mut process = Command::new(&command.program);
    process.args(&command.args).envs(command.envs.iter().map(|(key, value)| (key, value)));
    if let Some(dir) = &command.current_dir {
        process.current_dir(dir);
    }
    let spawned = process.stdin(requests).stdout(replies).process_group(0).spawn();
    let child = spawned.map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", Path::new(&command.program).display()))
    })?;
    let pid = child.id() as i32;
    // Dropped, the standard library's handle neither kills nor reaps: that is for ours alone.
    drop(child);
    Child::adopt(pid)
}
