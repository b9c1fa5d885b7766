//! Thread pools and queues: the jobs, and who takes part in them.

mod contenders;
mod count;
mod jobs;
#[cfg(feature = "ours")]
mod ours;
mod peers;
mod pool;
mod queue;

use crate::comparison::{self, Axis, Column, Job, Plot, Scale, Suite};
use jobs::queue::Ends;

pub(crate) const SUITE: Suite = Suite {
    name: "threads",
    title: "Thread pools",
    note: "",
    jobs: &JOBS,
    contenders: contenders::all,
};

/// The name of asyncpal without a look at the clock for each task.
pub(crate) const UNTIMED: &str = "ours, untimed";

/// What a column measures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// Nanoseconds per task, each collected by its handle.
    Throughput { workers: usize, producers: usize },
    /// The same with so many tasks on two workers.
    Growth { tasks: usize },
    /// Nanoseconds per task without a handle.
    FireAndForget { workers: usize },
    /// Median microseconds from submitting to having the result, again and again.
    HotRoundTrip { workers: usize },
    /// The same after a pause in which every thread goes to sleep.
    IdleRoundTrip,
    /// Median microseconds to build a pool, run one task and end the pool.
    ColdStart { workers: usize },
    /// Median microseconds per pool to build so many pools, each for one task, and to end them.
    Pools { pools: usize },
    /// Median microseconds from submitting to a pool without workers until the task begins.
    Revival,
    /// Median microseconds for tasks that last a little, on two workers.
    FanOut,
    /// Threads after many tasks one at a time.
    Sequential,
    /// Live heap bytes per task that waits in the queue.
    PendingBytes,
    /// Allocations per task that waits in the queue.
    PendingAllocations,
    /// Nanoseconds per item of an ordered map.
    Map { workers: usize },
    /// Threads left after a burst of work and a trickle of so many milliseconds after it.
    Trickle { millis: u64 },
    /// Nanoseconds per item through a bounded queue with so many producers and consumers.
    BoundedQueue { ends: Ends },
    /// The same through a queue that grows.
    GrowableQueue { ends: Ends },
}

const fn column(label: &'static str, measure: Measure) -> Column {
    Column { label, measure: comparison::Measure::Threads(measure) }
}

static JOBS: [Job; 17] = [
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
        name: "workers",
        title: "Submit no-op tasks, collect each by its handle, on so many workers",
        unit: "ns per task",
        side_by_side: false,
        columns: &[
            column("1", Measure::Throughput { workers: 1, producers: 1 }),
            column("2", Measure::Throughput { workers: 2, producers: 1 }),
            column("4", Measure::Throughput { workers: 4, producers: 1 }),
            column("8", Measure::Throughput { workers: 8, producers: 1 }),
            column("16", Measure::Throughput { workers: 16, producers: 1 }),
            column("64", Measure::Throughput { workers: 64, producers: 1 }),
        ],
        plot: Plot::Lines {
            x: Axis {
                title: "workers",
                places: &[1.0, 2.0, 4.0, 8.0, 16.0, 64.0],
                scale: Scale::Logarithmic,
            },
            y: Scale::Logarithmic,
        },
    },
    Job {
        name: "producers",
        title: "Submit no-op tasks to 2 workers, collect each by its handle, by so many producers",
        unit: "ns per task",
        side_by_side: false,
        columns: &[
            column("1", Measure::Throughput { workers: 2, producers: 1 }),
            column("2", Measure::Throughput { workers: 2, producers: 2 }),
            column("4", Measure::Throughput { workers: 2, producers: 4 }),
            column("8", Measure::Throughput { workers: 2, producers: 8 }),
            column("16", Measure::Throughput { workers: 2, producers: 16 }),
        ],
        plot: Plot::Lines {
            x: Axis {
                title: "producers",
                places: &[1.0, 2.0, 4.0, 8.0, 16.0],
                scale: Scale::Logarithmic,
            },
            y: Scale::Logarithmic,
        },
    },
    Job {
        name: "growth",
        title: "Submit so many no-op tasks, collect each by its handle, on 2 workers",
        unit: "ns per task",
        side_by_side: false,
        columns: &[
            column("10³", Measure::Growth { tasks: 1_000 }),
            column("10⁴", Measure::Growth { tasks: 10_000 }),
            column("10⁵", Measure::Growth { tasks: 100_000 }),
            column("10⁶", Measure::Growth { tasks: 1_000_000 }),
            column("10⁷", Measure::Growth { tasks: 10_000_000 }),
        ],
        plot: Plot::Lines {
            x: Axis {
                title: "tasks",
                places: &[1e3, 1e4, 1e5, 1e6, 1e7],
                scale: Scale::Logarithmic,
            },
            y: Scale::Logarithmic,
        },
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
        name: "pools",
        title: "Build so many pools, run one task on each, end them all",
        unit: "µs per pool",
        side_by_side: false,
        columns: &[
            column("1", Measure::Pools { pools: 1 }),
            column("10", Measure::Pools { pools: 10 }),
            column("100", Measure::Pools { pools: 100 }),
            column("1000", Measure::Pools { pools: 1000 }),
        ],
        plot: Plot::Lines {
            x: Axis { title: "pools", places: &[1.0, 1e1, 1e2, 1e3], scale: Scale::Logarithmic },
            y: Scale::Logarithmic,
        },
    },
    Job {
        name: "revival",
        title: "From submitting to a pool that has shrunk to no thread until the task begins",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[column("at most 1 worker", Measure::Revival)],
        plot: Plot::None,
    },
    Job {
        name: "fan-out",
        title: "64 tasks of 20 µs: submit all, collect all",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[column("2 workers", Measure::FanOut)],
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
        columns: &[
            column("0 s", Measure::Trickle { millis: 0 }),
            column("0.5 s", Measure::Trickle { millis: 500 }),
            column("0.9 s", Measure::Trickle { millis: 900 }),
            column("1.1 s", Measure::Trickle { millis: 1_100 }),
            column("1.5 s", Measure::Trickle { millis: 1_500 }),
            column("2 s", Measure::Trickle { millis: 2_000 }),
            column("3 s", Measure::Trickle { millis: 3_000 }),
            column("4 s", Measure::Trickle { millis: 4_000 }),
        ],
        plot: Plot::Lines {
            x: Axis {
                title: "seconds after the burst",
                places: &[0.0, 0.5, 0.9, 1.1, 1.5, 2.0, 3.0, 4.0],
                scale: Scale::Linear,
            },
            y: Scale::Linear,
        },
    },
    Job {
        name: "sequential",
        title: "After 100 000 tasks one at a time (peers: 10 000), on a pool of at most 8",
        unit: "threads",
        side_by_side: false,
        columns: &[column("at most 8 workers", Measure::Sequential)],
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
#[cfg_attr(not(feature = "ours"), expect(dead_code, reason = "asyncpal takes no part"))]
pub(crate) struct Load {
    pub(crate) tasks: usize,
    /// Of growth; a job of more is left out.
    most_tasks: usize,
    /// The same for asyncpal: its peers would take minutes.
    most_own_tasks: usize,
    pub(crate) pending_tasks: usize,
    pub(crate) round_trips: usize,
    pub(crate) pauses: usize,
    pub(crate) starts: usize,
    pub(crate) revivals: usize,
    pub(crate) fans: usize,
    /// Of tasks one at a time.
    pub(crate) sequence: usize,
    /// The same for asyncpal.
    own_sequence: usize,
    pub(crate) map_items: u64,
    pub(crate) maps: usize,
    pub(crate) items: usize,
}

impl Load {
    pub(crate) const FULL: Self = Self {
        tasks: 200_000,
        most_tasks: 1_000_000,
        most_own_tasks: 10_000_000,
        pending_tasks: 100_000,
        round_trips: 5_000,
        pauses: 200,
        starts: 1_000,
        revivals: 200,
        fans: 200,
        sequence: 10_000,
        own_sequence: 100_000,
        map_items: 1_000_000,
        maps: 15,
        items: 1_000_000,
    };

    pub(crate) const QUICK: Self = Self {
        tasks: 20_000,
        most_tasks: 100_000,
        most_own_tasks: 100_000,
        round_trips: 1_000,
        pauses: 40,
        starts: 200,
        revivals: 40,
        fans: 40,
        sequence: 1_000,
        own_sequence: 10_000,
        maps: 5,
        items: 100_000,
        ..Self::FULL
    };

    /// As much as asyncpal does, where its peers do less.
    #[cfg(feature = "ours")]
    const fn own(&self) -> Self {
        Self { most_tasks: self.most_own_tasks, sequence: self.own_sequence, ..*self }
    }
}
