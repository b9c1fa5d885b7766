//! What the system tells of processes, and a wait for it to tell something.
#![allow(dead_code, reason = "each of the test programs uses a part")]

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;
use std::{fs, process};

/// A process as it was when one looked.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) is_zombie: bool,
    /// Whether it leads its process group, as every worker does.
    pub(crate) leads: bool,
    parent: u32,
}

impl Process {
    /// `None` if there is no such process.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything, the fields behind it are plain.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let group: u32 = fields.next()?.parse().ok()?;
        Some(Self { pid, is_zombie: matches!(state, "Z" | "X"), leads: group == pid, parent })
    }
}

/// The children of a process, zombies included.
///
/// By asking all processes for their parents: each thread has a list of its own children, and they go over to
/// another thread's when it ends, so whoever reads one list after the other may miss a child.
pub(crate) fn children_of(parent: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("Linux");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(Process::read).filter(|process| process.parent == parent).collect()
}

/// The process ids of this program's children, zombies included.
pub(crate) fn children() -> Vec<u32> {
    children_of(process::id()).into_iter().map(|child| child.pid).collect()
}

/// Whether this process is there and no zombie.
pub(crate) fn lives(pid: u32) -> bool {
    Process::read(pid).is_some_and(|process| !process.is_zombie)
}

pub(crate) fn eventually(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not happen");
        sleep(Duration::from_millis(1));
    }
}
