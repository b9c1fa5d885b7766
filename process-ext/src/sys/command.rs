//! Starting a command as a worker: its standard input and output are its ends of the pipes.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::child::Child;
use super::spawn::{FileActions, is_about_a_file, named, start};
use crate::worker_command::WorkerCommand;

/// Starts it in a process group of its own, so that the terminal's Ctrl-C is the parent's to decide on, and a kill
/// takes what a launcher has started along. The two descriptors are numbered 10 or higher.
pub(crate) fn spawn(
    command: &WorkerCommand,
    requests: BorrowedFd<'_>,
    replies: BorrowedFd<'_>,
) -> io::Result<Child> {
    try_spawn(command, requests, replies).map_err(|error| {
        let program = Path::new(&command.program).display();
        match &command.surroundings.current_dir {
            // Which of the two it was cannot be told: the name may be relative to the folder.
            Some(dir) if is_about_a_file(&error) => {
                named(format_args!("{program} in {}", dir.display()), &error)
            }
            _ => named(program, &error),
        }
    })
}

fn try_spawn(
    command: &WorkerCommand,
    requests: BorrowedFd<'_>,
    replies: BorrowedFd<'_>,
) -> io::Result<Child> {
    let string = |text: &OsStr| CString::new(text.as_bytes());
    let words = [&command.program].into_iter().chain(&command.args);
    let arguments = words.map(|word| string(word)).collect::<Result<Vec<_>, _>>()?;
    let program = string(file_of(command)?.as_ref())?;
    let mut actions = FileActions::new()?;
    actions.duplicate(requests, 0)?;
    actions.duplicate(replies, 1)?;
    start(&program, &arguments, None, actions, &command.surroundings)
}

/// The file to run, or a name for which the C library looks in this program's `PATH`. For a command that is to have a
/// `PATH` of its own it is looked for in that one, and nowhere else.
fn file_of(command: &WorkerCommand) -> io::Result<PathBuf> {
    let WorkerCommand { program, surroundings, .. } = command;
    let own = surroundings.variables.get(OsStr::new("PATH")).and_then(Option::as_ref);
    let Some(own) = own.filter(|_| !program.as_bytes().contains(&b'/')) else {
        return Ok(program.into());
    };
    // What is relative begins where the command starts, and so does what is empty.
    let start = surroundings.current_dir.as_deref().unwrap_or(Path::new(""));
    let is_program = |file: &PathBuf| {
        let file = start.join(file).metadata();
        file.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(own)
        .map(|dir| Path::new(".").join(dir).join(program))
        .find(is_program)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}
