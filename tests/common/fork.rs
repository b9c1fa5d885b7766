//! Forks of test programs, which have more than one thread.

use libtest_mimic::Trial;

use crate::program::{Program, be_mortal};

/// A test: this program, started again to end in that way, says these lines.
pub(crate) fn test(name: &str, ending: &'static str, lines: &'static [&str]) -> Trial {
    Trial::test(name, move || Program::start(ending).finish()?.check(0, lines))
}

/// Forks; `Some` is the child's process id, in the parent.
pub(crate) fn fork() -> Option<i32> {
    // SAFETY: what the child does is what these tests are about.
    match unsafe { libc::fork() } {
        0 => {
            be_mortal();
            None
        }
        child if child > 0 => Some(child),
        _ => panic!("no fork"),
    }
}

/// Waits for the child and returns its exit code.
pub(crate) fn reap(child: i32) -> Option<i32> {
    let mut status = 0;
    // SAFETY: waitpid writes one number to the place given.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}
