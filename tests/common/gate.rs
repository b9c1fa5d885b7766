//! A gate for tasks of other processes.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::{env, fs, process};

/// A file for whose end workers wait: the one thing that they share with this process. Dropped, the gate opens.
pub(crate) struct Gate(PathBuf);

impl Gate {
    pub(crate) fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let file = env::temp_dir().join(format!("asyncpal-gate-{}-{number}", process::id()));
        fs::write(&file, "").expect("a writable folder for temporary files");
        Self(file)
    }

    pub(crate) fn path(&self) -> String {
        self.0.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A task: returns once the gate at this path is open.
pub(crate) fn wait_at(gate: String) {
    while Path::new(&gate).exists() {
        sleep(Duration::from_millis(1));
    }
}
