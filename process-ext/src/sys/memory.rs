//! How much memory a child uses.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::child::Child;
use super::procfs;

/// The kernel's figures of one process. The open file stays with that process, whoever gets its number later.
#[derive(Debug)]
pub(crate) struct Memory {
    statm: File,
    page_bytes: u64,
}

impl Memory {
    /// Of a child that has not been reaped.
    pub(crate) fn of(child: &Child) -> io::Result<Self> {
        Self::in_folder(&procfs::folder_of(child.exit_fd())?)
    }

    fn in_folder(folder: &Path) -> io::Result<Self> {
        let statm = File::open(folder.join("statm"))?;
        Ok(Self { statm, page_bytes: super::worker::page_bytes() })
    }

    /// How many bytes are in memory now; `None` once the process has ended.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let mut text = [0; 128];
        let length = self.statm.read_at(&mut text, 0).ok()?;
        Some(resident_pages(&text[..length])?.saturating_mul(self.page_bytes))
    }
}

/// The second number of the line.
fn resident_pages(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok()?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_counts_the_pages() {
        assert_eq!(resident_pages(b"1214 318 282 8 0 118 0\n"), Some(318));
        assert_eq!(resident_pages(b"1214"), None);
        assert_eq!(resident_pages(b""), None);
    }

    #[test]
    fn a_process_uses_what_it_has_written_to() {
        let memory = Memory::in_folder("/proc/self".as_ref()).unwrap();
        let before = memory.resident_bytes().unwrap();

        let written = vec![1_u8; 32 << 20];

        let after = memory.resident_bytes().unwrap();
        assert!(after >= before + (24 << 20), "{before} {after} {}", written.len());
    }
}
