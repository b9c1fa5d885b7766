//! What the program that is counted and the one that compares agree on.

/// How often each function in `benches/hot_paths/` does what it is named after.
pub const REPETITIONS: usize = 1000;
