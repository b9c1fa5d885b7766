//! Who takes part.

use std::sync::mpsc::{Sender, SyncSender};
use std::time::Duration;

use crossbeam_queue::{ArrayQueue, SegQueue};

use super::jobs::{bare, fan_out, heap, latency, map, revival, sequential, throughput, trickle};
use super::pool::{Pool, Shutdown};
use super::queue::{Concurrent, Heapless, Queue, Std};
use super::{Load, Measure, peers};
use crate::comparison::{self, Contender, Kind, Meter};

type Meters = fn(Measure, &Load) -> Option<f64>;

/// Every contender, in the order in which they take turns.
pub(super) fn all() -> Vec<Contender> {
    let mut all = Vec::new();
    #[cfg(feature = "ours")]
    all.extend([ours(), untimed()]);
    all.extend([
        pool::<peers::Crossbeam>(Kind::Peer),
        pool::<peers::Rayon>(Kind::Peer),
        pool::<peers::Tokio>(Kind::Peer),
        pool::<peers::Threadpool>(Kind::Peer),
        pool::<peers::RustyPool>(Kind::Peer),
        pool::<peers::Blocking>(Kind::Peer),
        pool::<peers::Executors>(Kind::Peer),
        queue("crossbeam-queue", |measure, load| {
            bounded::<ArrayQueue<usize>>(measure, load)
                .or_else(|| growable::<SegQueue<usize>>(measure, load))
        }),
        queue("concurrent-queue", |measure, load| {
            bounded::<Concurrent<true>>(measure, load)
                .or_else(|| growable::<Concurrent<false>>(measure, load))
        }),
        queue("heapless::mpmc", bounded::<Heapless>),
        queue("std::sync::mpsc", |measure, load| {
            bounded::<Std<SyncSender<usize>>>(measure, load)
                .or_else(|| growable::<Std<Sender<usize>>>(measure, load))
        }),
        bare("bare spinning ping-pong", bare::spinning_ping_pong),
        bare("two bare futex wakes", bare::two_futex_wakes),
        bare("bare spawn + join", bare::spawn_and_join),
        bare("serial loop", bare::serial_map),
        bare("rayon par_iter", bare::par_iter),
    ]);
    all
}

const fn contender(name: &'static str, kind: Kind, meter: Meters) -> Contender {
    Contender::new(name, kind, Meter::Threads(meter))
}

const fn pool<P: Pool>(kind: Kind) -> Contender {
    let shortfall = |measure| {
        let is_cold_start =
            matches!(measure, comparison::Measure::Threads(Measure::ColdStart { .. }));
        (is_cold_start && P::SHUTDOWN != Shutdown::JoinsThreads).then_some("threads not joined")
    };
    Contender { shortfall, ..contender(P::NAME, kind, measure_pool::<P>) }
}

/// asyncpal does every job.
#[cfg(feature = "ours")]
const fn ours() -> Contender {
    use super::ours::{Bounded, Growable, Ours};
    let meter: Meters = |measure, load| {
        let load = &load.own();
        measure_pool::<Ours<true>>(measure, load)
            .or_else(|| bounded::<Bounded>(measure, load))
            .or_else(|| growable::<Growable>(measure, load))
    };
    Contender { meter: Meter::Threads(meter), ..pool::<Ours<true>>(Kind::Ours) }
}

/// asyncpal without a look at the clock for each task, where that makes a difference.
#[cfg(feature = "ours")]
const fn untimed() -> Contender {
    use super::ours::Ours;
    let meter: Meters = |measure, load| match measure {
        Measure::Throughput { .. } | Measure::FireAndForget { .. } => {
            measure_pool::<Ours<false>>(measure, load)
        }
        _ => None,
    };
    Contender { meter: Meter::Threads(meter), ..pool::<Ours<false>>(Kind::Variant) }
}

/// A peer that is no pool.
const fn queue(name: &'static str, meter: Meters) -> Contender {
    contender(name, Kind::Peer, meter)
}

const fn bare(name: &'static str, meter: Meters) -> Contender {
    contender(name, Kind::Bare, meter)
}

fn measure_pool<P: Pool>(measure: Measure, load: &Load) -> Option<f64> {
    match measure {
        Measure::Throughput { workers, .. } if workers > P::MAX_WORKERS => None,
        Measure::Throughput { workers, producers } => {
            Some(throughput::with_handles::<P>(workers, producers, load.tasks))
        }
        Measure::Growth { tasks } if tasks > load.most_tasks => None,
        Measure::Growth { tasks } => throughput::growth::<P>(tasks),
        Measure::FireAndForget { workers } => {
            Some(throughput::fire_and_forget::<P>(workers, load.tasks))
        }
        Measure::HotRoundTrip { workers } => {
            Some(latency::hot_round_trip::<P>(workers, load.round_trips))
        }
        Measure::IdleRoundTrip => Some(latency::idle_round_trip::<P>(load.pauses)),
        Measure::ColdStart { workers } => latency::cold_start::<P>(workers, load.starts),
        Measure::Pools { pools } => latency::many_pools::<P>(pools, load.starts),
        Measure::Revival => revival::micros::<P>(load.revivals),
        Measure::FanOut => Some(fan_out::micros::<P>(load.fans)),
        Measure::Sequential => Some(sequential::threads_after::<P>(load.sequence)),
        Measure::PendingBytes => Some(heap::pending::<P>(load.pending_tasks).bytes),
        Measure::PendingAllocations => Some(heap::pending::<P>(load.pending_tasks).allocations),
        Measure::Map { workers } => Some(map::ordered::<P>(workers, load.map_items, load.maps)),
        Measure::Trickle { millis } => trickle::threads_left::<P>(Duration::from_millis(millis)),
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
