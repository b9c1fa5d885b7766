//! What is done with a pool or a queue, and how long it takes.

pub(super) mod bare;
pub(super) mod fan_out;
pub(super) mod heap;
pub(super) mod latency;
pub(super) mod map;
pub(super) mod queue;
pub(super) mod revival;
pub(super) mod sequential;
pub(super) mod throughput;
pub(super) mod trickle;
