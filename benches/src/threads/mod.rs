//! Thread pools and queues: the jobs, and who takes part in them.

mod contenders;
mod count;
mod jobs;
#[cfg(feature = "ours")]
mod ours;
mod peers;
mod pool;
mod queue;

use std::time::Duration;

use crate::comparison::{self, Axis, Column, Job, Plot, Scale, Suite};
use jobs::queue::Ends;

pub(crate) const SUITE: Suite =
    Suite { name: "threads", title: "Thread pools", jobs: &JOBS, contenders: contenders::all };

/// What a column measures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// Nanoseconds per task, each collected by its handle.
    Throughput { workers: usize, producers: usize },
    /// Nanoseconds per task without a handle.
    FireAndForget { workers: usize },
    /// Median microseconds from submitting to having the result, again and again.
    HotRoundTrip { workers: usize },
    /// The same after a pause in which every thread goes to sleep.
    IdleRoundTrip,
    /// Median microseconds to build a pool, run one task and end the pool.
    ColdStart { workers: usize },
    /// Live heap bytes per task that waits in the queue.
    PendingBytes,
    /// Allocations per task that waits in the queue.
    PendingAllocations,
    /// Nanoseconds per item of an ordered map.
    Map { workers: usize },
    /// Threads left after a burst of work and a trickle after it.
    Trickle,
    /// Nanoseconds per item through a bounded queue with so many producers and consumers.
    BoundedQueue { ends: Ends },
    /// The same through a queue that grows.
    GrowableQueue { ends: Ends },
}

const fn column(label: &'static str, measure: Measure) -> Column {
    Column { label, measure: comparison::Measure::Threads(measure) }
}

static JOBS: [Job; 10] = [
    Job {
        name: "throughput",
        title: "Submit no-op tasks, collect each by its handle",
        unit: "ns per task",
        side_by_side: false,
        columns: &[
            column("1 worker", Measure::Throughput { workers: 1, producers: 1 }),
            column("2 workers", Measure::Throughput { workers: 2, producers: 1 }),
            column("4 workers", Measure::Throughput { workers: 4, producers: 1 }),
            column("2 workers, 4 producers", Measure::Throughput { workers: 2, producers: 4 }),
        ],
        plot: Plot::None,
    },
    Job {
        name: "fire-and-forget",
        title: "Spawn tasks without a handle, wait until all have run",
        unit: "ns per task",
        side_by_side: false,
        columns: &[
            column("1 worker", Measure::FireAndForget { workers: 1 }),
            column("2 workers", Measure::FireAndForget { workers: 2 }),
            column("4 workers", Measure::FireAndForget { workers: 4 }),
        ],
        plot: Plot::None,
    },
    Job {
        name: "hot",
        title: "Hot round trip: submit, wait, repeat",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[
            column("1 worker", Measure::HotRoundTrip { workers: 1 }),
            column("2 workers", Measure::HotRoundTrip { workers: 2 }),
        ],
        plot: Plot::None,
    },
    Job {
        name: "idle",
        title: "Round trip after 2 ms of idleness",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[column("1 worker", Measure::IdleRoundTrip)],
        plot: Plot::None,
    },
    Job {
        name: "cold",
        title: "Cold start: build a pool, run one task, end the pool",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[
            column("at most 1 worker", Measure::ColdStart { workers: 1 }),
            column("at most 4 workers", Measure::ColdStart { workers: 4 }),
        ],
        plot: Plot::None,
    },
    Job {
        name: "heap",
        title: "Heap of a pending task with its handle (closure and result of 8 bytes)",
        unit: "per task",
        side_by_side: false,
        columns: &[
            column("bytes", Measure::PendingBytes),
            column("allocations", Measure::PendingAllocations),
        ],
        plot: Plot::None,
    },
    Job {
        name: "map",
        title: "Map of trivial items in chunks of 1000, results in order",
        unit: "ns per item",
        side_by_side: false,
        columns: &[
            column("1 worker", Measure::Map { workers: 1 }),
            column("2 workers", Measure::Map { workers: 2 }),
        ],
        plot: Plot::None,
    },
    Job {
        name: "trickle",
        title: "8 workers after a burst, then 20 tiny tasks per second one at a time, idle timeout 1 s",
        unit: "threads left",
        side_by_side: true,
        columns: &[column("after 4 s", Measure::Trickle)],
        plot: Plot::None,
    },
    Job {
        name: "bounded-queue",
        title: "Words through a queue of 1024, producers × consumers",
        unit: "ns per item",
        side_by_side: false,
        columns: &[
            column("alone", Measure::BoundedQueue { ends: Ends::Alone }),
            column("1 × 1", Measure::BoundedQueue { ends: Ends::Threads(1) }),
            column("2 × 2", Measure::BoundedQueue { ends: Ends::Threads(2) }),
            column("4 × 4", Measure::BoundedQueue { ends: Ends::Threads(4) }),
        ],
        plot: Plot::None,
    },
    Job {
        name: "growable-queue",
        title: "Words through a queue without bound, producers × consumers",
        unit: "ns per item",
        side_by_side: false,
        columns: &[
            column("alone", Measure::GrowableQueue { ends: Ends::Alone }),
            column("1 × 1", Measure::GrowableQueue { ends: Ends::Threads(1) }),
            column("2 × 2", Measure::GrowableQueue { ends: Ends::Threads(2) }),
            column("4 × 4", Measure::GrowableQueue { ends: Ends::Threads(4) }),
        ],
        plot: Plot::None,
    },
];

/// How much of each job one measurement does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) tasks: usize,
    pub(crate) pending_tasks: usize,
    pub(crate) round_trips: usize,
    pub(crate) pauses: usize,
    pub(crate) starts: usize,
    pub(crate) map_items: u64,
    pub(crate) maps: usize,
    pub(crate) trickle: Duration,
    pub(crate) items: usize,
}

impl Load {
    pub(crate) const FULL: Self = Self {
        tasks: 200_000,
        pending_tasks: 100_000,
        round_trips: 5_000,
        pauses: 200,
        starts: 200,
        map_items: 1_000_000,
        maps: 15,
        trickle: Duration::from_secs(4),
        items: 1_000_000,
    };

    pub(crate) const QUICK: Self = Self {
        tasks: 20_000,
        round_trips: 1_000,
        pauses: 40,
        starts: 40,
        maps: 5,
        items: 100_000,
        ..Self::FULL
    };
}
