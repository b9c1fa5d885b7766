//! The jobs, their columns, and who takes part in them.
//!
//! A measurement is one column for one contender, made in a process of its own: what a pool leaves
//! behind (threads, a fragmented heap) is not there for the next one.

mod bare;
mod heap;
mod latency;
mod map;
mod queue;
mod throughput;
mod trickle;

use std::sync::mpsc::{Sender, SyncSender};
use std::time::Duration;

use crossbeam_queue::{ArrayQueue, SegQueue};

use crate::peers;
use crate::pool::{Pool, Shutdown};
use crate::queue::{Concurrent, Heapless, Queue, Std};
use queue::Ends;

/// What one column of a table measures.
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

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) label: &'static str,
    pub(crate) measure: Measure,
}

#[derive(Debug)]
pub(crate) struct Job {
    /// What `--job` takes.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    /// Whether the job counts rather than times, so that the contenders may run at the same time.
    pub(crate) side_by_side: bool,
    pub(crate) columns: &'static [Column],
}

const fn column(label: &'static str, measure: Measure) -> Column {
    Column { label, measure }
}

pub(crate) static JOBS: [Job; 10] = [
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
    },
    Job {
        name: "idle",
        title: "Round trip after 2 ms of idleness",
        unit: "µs, p50",
        side_by_side: false,
        columns: &[column("1 worker", Measure::IdleRoundTrip)],
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
    },
    Job {
        name: "trickle",
        title: "8 workers after a burst, then 20 tiny tasks per second one at a time, idle timeout 1 s",
        unit: "threads left",
        side_by_side: true,
        columns: &[column("after 4 s", Measure::Trickle)],
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Peer,
    /// The same effect without a pool, as a yardstick: no peer, as it serves one job only.
    Bare,
}

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) shutdown: Shutdown,
    measure: fn(Measure, &Load) -> Option<f64>,
}

impl Contender {
    /// Every contender, in the order in which they take turns.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(feature = "ours")]
        all.push(Self::ours());
        all.extend([
            Self::pool::<peers::Crossbeam>(Kind::Peer),
            Self::pool::<peers::Rayon>(Kind::Peer),
            Self::pool::<peers::Tokio>(Kind::Peer),
            Self::pool::<peers::Threadpool>(Kind::Peer),
            Self::pool::<peers::RustyPool>(Kind::Peer),
            Self::pool::<peers::Blocking>(Kind::Peer),
            Self::pool::<peers::Executors>(Kind::Peer),
            Self::queue("crossbeam-queue", |measure, load| {
                bounded::<ArrayQueue<usize>>(measure, load)
                    .or_else(|| growable::<SegQueue<usize>>(measure, load))
            }),
            Self::queue("concurrent-queue", |measure, load| {
                bounded::<Concurrent<true>>(measure, load)
                    .or_else(|| growable::<Concurrent<false>>(measure, load))
            }),
            Self::queue("heapless::mpmc", bounded::<Heapless>),
            Self::queue("std::sync::mpsc", |measure, load| {
                bounded::<Std<SyncSender<usize>>>(measure, load)
                    .or_else(|| growable::<Std<Sender<usize>>>(measure, load))
            }),
            Self::bare("bare spinning ping-pong", bare::spinning_ping_pong),
            Self::bare("two bare futex wakes", bare::two_futex_wakes),
            Self::bare("bare spawn + join", bare::spawn_and_join),
            Self::bare("serial loop", bare::serial_map),
            Self::bare("rayon par_iter", bare::par_iter),
        ]);
        all
    }

    const fn pool<P: Pool>(kind: Kind) -> Self {
        Self { name: P::NAME, kind, shutdown: P::SHUTDOWN, measure: measure_pool::<P> }
    }

    /// asyncpal does every job.
    #[cfg(feature = "ours")]
    const fn ours() -> Self {
        use crate::ours::{Bounded, Growable, Ours};
        let measure: fn(Measure, &Load) -> Option<f64> = |measure, load| {
            measure_pool::<Ours>(measure, load)
                .or_else(|| bounded::<Bounded>(measure, load))
                .or_else(|| growable::<Growable>(measure, load))
        };
        Self { measure, ..Self::pool::<Ours>(Kind::Ours) }
    }

    /// A peer that is no pool.
    const fn queue(name: &'static str, measure: fn(Measure, &Load) -> Option<f64>) -> Self {
        Self { kind: Kind::Peer, ..Self::bare(name, measure) }
    }

    const fn bare(name: &'static str, measure: fn(Measure, &Load) -> Option<f64>) -> Self {
        Self { name, kind: Kind::Bare, shutdown: Shutdown::JoinsThreads, measure }
    }

    /// Makes one measurement; `None` where the contender cannot do the job.
    pub(crate) fn measure(&self, measure: Measure, load: &Load) -> Option<f64> {
        (self.measure)(measure, load)
    }
}

fn measure_pool<P: Pool>(measure: Measure, load: &Load) -> Option<f64> {
    match measure {
        Measure::Throughput { workers, producers } => {
            Some(throughput::with_handles::<P>(workers, producers, load.tasks))
        }
        Measure::FireAndForget { workers } => {
            Some(throughput::fire_and_forget::<P>(workers, load.tasks))
        }
        Measure::HotRoundTrip { workers } => {
            Some(latency::hot_round_trip::<P>(workers, load.round_trips))
        }
        Measure::IdleRoundTrip => Some(latency::idle_round_trip::<P>(load.pauses)),
        Measure::ColdStart { workers } => latency::cold_start::<P>(workers, load.starts),
        Measure::PendingBytes => Some(heap::pending::<P>(load.pending_tasks).bytes),
        Measure::PendingAllocations => Some(heap::pending::<P>(load.pending_tasks).allocations),
        Measure::Map { workers } => Some(map::ordered::<P>(workers, load.map_items, load.maps)),
        Measure::Trickle => trickle::threads_left::<P>(load.trickle),
        Measure::BoundedQueue { .. } | Measure::GrowableQueue { .. } => None,
    }
}

fn bounded<Q: Queue>(measure: Measure, load: &Load) -> Option<f64> {
    let Measure::BoundedQueue { ends } = measure else { return None };
    ends.nanos_per_item::<Q>(load.items)
}

fn growable<Q: Queue>(measure: Measure, load: &Load) -> Option<f64> {
    let Measure::GrowableQueue { ends } = measure else { return None };
    ends.nanos_per_item::<Q>(load.items)
}
