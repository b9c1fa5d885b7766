//! Where there is no Linux no process is a worker.

#![forbid(unsafe_code)]

/// Makes this process a worker if a pool started it: never, on this system.
pub fn init() {}
