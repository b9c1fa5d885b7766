//! What is compiled for shuttle alone.

#[path = "../linearizability/checker.rs"]
mod checker;
#[path = "explore.rs"]
mod explore;
#[path = "kind.rs"]
mod kind;
#[path = "lending.rs"]
mod lending;
#[path = "park.rs"]
mod park;
#[path = "pool.rs"]
mod pool;
#[path = "queues.rs"]
mod queues;
#[path = "../linearizability/recorder.rs"]
mod recorder;
#[path = "../model/subject.rs"]
mod subject;

use shuttle::thread;
