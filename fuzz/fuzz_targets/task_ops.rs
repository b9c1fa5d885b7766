//! Tasks, one operation after the other, do what their state machine does, and nothing leaks.
#![no_main]

use asyncpal_fuzz::{decode, task};
use libfuzzer_sys::fuzz_target;

/// The comparison after each operation looks at every task: longer inputs find no more, later.
const MOST_BYTES: usize = 800;

fuzz_target!(|input: (u8, &[u8])| {
    let (workers, bytes) = input;
    let workers = 1 + usize::from(workers % 3);

    task::check(workers, &decode(&bytes[..bytes.len().min(MOST_BYTES)]));
});
