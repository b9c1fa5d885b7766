//! Process pools: the jobs, and who takes part in them.

mod bare;
mod children;
mod contenders;
mod jobs;
#[cfg(feature = "ours")]
mod ours;
mod pool;
mod procspawn;
mod python;
mod tasks;

use crate::comparison::{self, Column, Job, Plot, Suite};
use jobs::payloads::MIB;

pub(crate) const SUITE: Suite = Suite {
    name: "processes",
    title: "Process pools",
    note: ENCODINGS,
    jobs: &JOBS,
    contenders: contenders::all,
};

const ENCODINGS: &str = "\
Where much is sent, in `process-map`, `process-mebibytes` and `process-payload`, the encoding takes a part of the time,
and the contenders have different ones. Ours is that of the feature `process` alone, which copies bytes as they are and
integers in eight bytes each; procspawn writes with serde and postcard, byte by byte and integers in as many bytes as
each needs; the pools for Python pickle; bare pipes have none. Built with `--features ours-serde`, ours writes with serde
and postcard, too.
";

/// Where this process was started as a worker, works and does not return.
pub(crate) fn become_worker() {
    #[cfg(feature = "ours")]
    asyncpal::process::init();
    ::procspawn::init();
    bare::become_worker();
}

/// What a column measures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// Median microseconds of a call that waits for its result, again and again.
    HotRun { workers: usize },
    /// The same by submitting and collecting.
    HotSubmit { workers: usize },
    /// Median microseconds of a call that waits, after a pause in which everybody goes to sleep.
    Idle,
    /// Microseconds per task, so many of them submitted before they are collected.
    Throughput { workers: usize, batch: usize },
    /// Nanoseconds per item of an ordered map in ten chunks.
    Map { workers: usize },
    /// Milliseconds for many payloads of 1 MiB there and back, so many of them on their way at once.
    Mebibytes { in_flight: usize },
    /// Median microseconds of one payload there and back.
    Payload { bytes: usize },
    /// Median milliseconds to build a pool, run one task and end the pool.
    Cold { workers: usize },
    /// Median milliseconds from the kill of a worker until its task's handle fails; infinite if it never does.
    Killed,
    /// Mebibytes per idle worker, pages that several processes share counted in part.
    ProportionalMemory,
    /// Mebibytes per idle worker, pages that several processes share counted in full.
    ResidentMemory,
}

/// As many at once as there are.
const ALL: usize = usize::MAX;

/// So few that every contender has the file descriptors for them.
const BATCH: usize = 200;

const fn column(label: &'static str, measure: Measure) -> Column {
    Column { label, measure: comparison::Measure::Processes(measure) }
}

static JOBS: [Job; 9] = [
    Job {
        name: "process-hot",
        title: "Hot round trip of 64 bytes",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[
            column("run, 1 worker", Measure::HotRun { workers: 1 }),
            column("run, 2 workers", Measure::HotRun { workers: 2 }),
            column("submit + collect, 1 worker", Measure::HotSubmit { workers: 1 }),
            column("submit + collect, 2 workers", Measure::HotSubmit { workers: 2 }),
        ],
        plot: Plot::Bars,
    },
    Job {
        name: "process-idle",
        title: "Round trip of 64 bytes after 2 ms of idleness",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[column("run, 1 worker", Measure::Idle)],
        plot: Plot::Bars,
    },
    Job {
        name: "process-throughput",
        title: "Submit no-op tasks, collect each by its handle",
        unit: "µs per task",
        side_by_side: false,
        columns: &[
            column("200 at once, 1 worker", Measure::Throughput { workers: 1, batch: BATCH }),
            column("200 at once, 2 workers", Measure::Throughput { workers: 2, batch: BATCH }),
            column("all at once, 1 worker", Measure::Throughput { workers: 1, batch: ALL }),
            column("all at once, 2 workers", Measure::Throughput { workers: 2, batch: ALL }),
        ],
        plot: Plot::Bars,
    },
    Job {
        name: "process-map",
        title: "Map of a million integers in 10 chunks, results in order",
        unit: "ns per item",
        side_by_side: false,
        columns: &[
            column("1 worker", Measure::Map { workers: 1 }),
            column("2 workers", Measure::Map { workers: 2 }),
        ],
        plot: Plot::Bars,
    },
    Job {
        name: "process-mebibytes",
        title: "100 payloads of 1 MiB, there and back, 2 workers",
        unit: "ms",
        side_by_side: false,
        columns: &[
            column("at most 2 on their way", Measure::Mebibytes { in_flight: 2 }),
            column("all submitted first", Measure::Mebibytes { in_flight: ALL }),
        ],
        plot: Plot::Bars,
    },
    Job {
        name: "process-payload",
        title: "One payload, there and back",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[
            column("256 KiB", Measure::Payload { bytes: MIB / 4 }),
            column("4 MiB", Measure::Payload { bytes: 4 * MIB }),
        ],
        plot: Plot::Bars,
    },
    Job {
        name: "process-cold",
        title: "Cold start: build a pool, run one task, end the pool",
        unit: "ms, p50",
        side_by_side: false,
        columns: &[
            column("at most 1 worker", Measure::Cold { workers: 1 }),
            column("at most 4 workers", Measure::Cold { workers: 4 }),
        ],
        plot: Plot::Bars,
    },
    Job {
        name: "process-killed",
        title: "From the kill of a worker until its task's handle fails",
        unit: "ms, p50; ∞: not within 2 s",
        side_by_side: false,
        columns: &[column("1 worker", Measure::Killed)],
        plot: Plot::None,
    },
    Job {
        name: "process-memory",
        title: "Memory of an idle worker",
        unit: "MiB",
        side_by_side: false,
        columns: &[
            column("proportional", Measure::ProportionalMemory),
            column("resident", Measure::ResidentMemory),
        ],
        plot: Plot::Bars,
    },
];

/// How much of each job one measurement does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) tasks: usize,
    round_trips: usize,
    pauses: usize,
    map_items: u64,
    maps: usize,
    mebibytes: usize,
    payloads: usize,
    starts: usize,
    kills: usize,
}

impl Load {
    pub(crate) const FULL: Self = Self {
        tasks: 5_000,
        round_trips: 2_000,
        pauses: 100,
        map_items: 1_000_000,
        maps: 1,
        mebibytes: 100,
        payloads: 20,
        starts: 10,
        kills: 3,
    };

    pub(crate) const QUICK: Self = Self {
        tasks: 500,
        round_trips: 300,
        pauses: 30,
        payloads: 5,
        starts: 3,
        kills: 1,
        ..Self::FULL
    };
}
