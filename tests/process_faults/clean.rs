//! What a test must leave behind: nothing.

use core::ptr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Instant;
use std::{fs, process};

use crate::processes::{Process, children_of};

/// How long what ends by itself may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Processes whose parent has gone are this one's children from now on.
pub(crate) fn adopt_orphans() {
    // SAFETY: the option takes an int and touches no memory.
    let adopting = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
    assert_eq!(adopting, 0, "it adopts");
}

/// What there was before a test.
#[must_use]
pub(crate) struct Clean {
    descriptors: BTreeSet<String>,
}

impl Clean {
    pub(crate) fn before() -> Self {
        Self { descriptors: descriptors() }
    }

    /// Waits until all is as it was.
    pub(crate) fn check(self) {
        let begun = Instant::now();
        loop {
            let (children, descriptors) = (child_processes(), descriptors());
            // Children of workers, which were killed with them, and came here.
            children.iter().filter(|child| child.is_zombie && !child.leads).for_each(bury);
            if children.is_empty() && descriptors == self.descriptors {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "left: {children:?}, {descriptors:?}; before: {:?}",
                self.descriptors
            );
            sleep(Duration::from_millis(1));
        }
    }
}

/// The children of this process, zombies included.
pub(crate) fn child_processes() -> Vec<Process> {
    children_of(process::id())
}

/// Takes the status of a zombie.
pub(crate) fn bury(zombie: &Process) {
    let pid = zombie.pid.try_into().expect("a process");
    // SAFETY: waitpid accepts a null status.
    unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
}

/// The numbers of the open descriptors.
fn descriptors() -> BTreeSet<String> {
    let listing = fs::read_dir("/proc/self/fd").expect("Linux");
    let listed = listing.filter_map(|entry| {
        let entry = entry.ok()?;
        let is_the_listing = fs::read_link(entry.path()).is_ok_and(|to| to.ends_with("fd"));
        (!is_the_listing).then(|| entry.file_name().to_string_lossy().into_owned())
    });
    listed.collect()
}

/// Takes the statuses of so many orphans, who have closed their outputs and are about to be dead, or are.
pub(crate) fn bury_orphans(expected: usize) {
    bury_when(|orphans| orphans.len() == expected);
}

/// The same, for however many there are.
pub(crate) fn bury_any_orphans() {
    bury_when(|_| true);
}

fn bury_when(all_are_here: impl Fn(&[Process]) -> bool) {
    let begun = Instant::now();
    loop {
        let orphans = child_processes();
        if orphans.iter().all(|orphan| orphan.is_zombie) && all_are_here(&orphans) {
            return orphans.iter().for_each(bury);
        }
        assert!(begun.elapsed() < PATIENCE, "living, or too few or many: {orphans:?}");
        sleep(Duration::from_millis(1));
    }
}
