//! What is done with a pool, and how long it takes.

pub(super) mod idle_memory;
pub(super) mod killed;
pub(super) mod latency;
pub(super) mod map;
pub(super) mod payloads;
pub(super) mod throughput;
