//! The hot paths, each of them many times in one function, on one thread: whoever runs it counts the
//! same. `cargo instructions` runs it and compares.
//!
//! What a function is given is made before the counting, and what it returns is dropped after it.

mod allocator;
mod by_hand;
mod frames;
mod queues;
mod tasks;

use asyncpal_instructions::REPETITIONS;
use gungraun::{Callgrind, LibraryBenchmarkConfig, main};

use frames::frame_codec;
use queues::queue_ends;
use tasks::task_stages;

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no", "--collect-bus=yes"])),
    library_benchmark_groups = [task_stages, queue_ends, frame_codec]
);
