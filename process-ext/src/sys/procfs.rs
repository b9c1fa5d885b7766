//! Where `/proc` tells of this process and of a child.
//!
//! A child's number there is another than here where `/proc` is that of an outer namespace of process ids (`unshare
//! --pid --fork` without `--mount-proc`): its number here is a stranger's there.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

/// This process's entry of that name, by the calling thread: once the main thread has ended, `/proc/self` is as good as
/// empty.
pub(crate) fn own(entry: &str) -> PathBuf {
    let [of_thread, of_process] = ["/proc/thread-self", "/proc/self"].map(Path::new);
    if of_thread.exists() { of_thread } else { of_process }.join(entry)
}

/// The folder of the process that a pidfd is of. Another process may have it once that one was reaped.
pub(crate) fn folder_of(pidfd: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let info = std::fs::read_to_string(own("fdinfo").join(pidfd.as_raw_fd().to_string()))?;
    let number = number(&info).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    Ok(format!("/proc/{number}").into())
}

/// In the line that begins with `Pid:`. It is 0 where the process is not to be seen, and -1 once it was reaped.
fn number(info: &str) -> Option<u32> {
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    number.trim().parse().ok().filter(|&number| number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_that_of_the_line_and_positive() {
        let info = |number| format!("pos:\t0\nino:\t7\nPid:\t{number}\nNSpid:\t4711\t1\n");

        assert_eq!(number(&info("4711")), Some(4711));
        assert_eq!(number(&info("0")), None);
        assert_eq!(number(&info("-1")), None);
        assert_eq!(number("pos:\t0\nNSpid:\t4711\n"), None);
    }
}
