//! The threads of this process, as the kernel counts them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// A snapshot.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("a Linux with /proc").count()
}

/// Waits until at most `most` live.
///
/// # Panics
///
/// After two seconds.
pub(crate) fn wait_until_at_most(most: usize) {
    let begun = Instant::now();
    while threads() > most {
        assert!(begun.elapsed() < Duration::from_secs(2), "the threads of a pool do not leave");
        thread::sleep(Duration::from_micros(200));
    }
}
