//! The child processes of this one, as the kernel counts them.

use std::fs;
use std::process;

/// Mebibytes of all children, by a line of `smaps_rollup`.
pub(crate) fn mebibytes(line: &str) -> f64 {
    of(process::id()).into_iter().map(|child| kibibytes_of(child, line)).sum::<f64>() / 1024.0
}

fn of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("a Linux with /proc");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

/// `None` of a process that has just ended.
fn parent_of(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name is in parentheses and may contain anything; state and parent follow.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

fn kibibytes_of(id: u32, line: &str) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let field = |text: &str| text.strip_prefix(line)?.split_whitespace().next()?.parse().ok();
    rollup.lines().find_map(field).unwrap_or_default()
}
