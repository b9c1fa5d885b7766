//! Who takes part.

use super::jobs::{idle_memory, killed, latency, map, payloads, throughput};
use super::pool::Pool;
use super::procspawn::Procspawn;
use super::{Load, Measure, bare, python};
use crate::comparison::{Contender, Kind, Meter};

/// Every contender, in the order in which they take turns.
pub(super) fn all() -> Vec<Contender> {
    let mut all = Vec::new();
    #[cfg(feature = "ours")]
    all.push(pool::<super::ours::Ours>(Kind::Ours));
    all.extend([
        pool::<Procspawn>(Kind::Peer),
        python(
            "multiprocessing.Pool",
            || python::has("multiprocessing"),
            |measure, load| python::measure("multiprocessing", measure, load),
        ),
        python(
            "concurrent.futures",
            || python::has("concurrent.futures"),
            |measure, load| python::measure("concurrent.futures", measure, load),
        ),
        python(
            "asyncpal for Python",
            || python::has("asyncpal"),
            |measure, load| python::measure("asyncpal", measure, load),
        ),
        Contender::new("bare pipes", Kind::Bare, Meter::Processes(bare::measure)),
    ]);
    all
}

const fn pool<P: Pool>(kind: Kind) -> Contender {
    Contender::new(P::NAME, kind, Meter::Processes(measure_pool::<P>))
}

const fn python(
    name: &'static str,
    is_installed: fn() -> bool,
    meter: fn(Measure, &Load) -> Option<f64>,
) -> Contender {
    Contender { is_installed, ..Contender::new(name, Kind::Peer, Meter::Processes(meter)) }
}

fn measure_pool<P: Pool>(measure: Measure, load: &Load) -> Option<f64> {
    match measure {
        Measure::HotRun { workers } => Some(latency::hot_run::<P>(workers, load.round_trips)),
        Measure::HotSubmit { workers } => Some(latency::hot_submit::<P>(workers, load.round_trips)),
        Measure::Idle => Some(latency::idle::<P>(load.pauses)),
        Measure::Throughput { workers, batch } => {
            throughput::with_handles::<P>(workers, batch, load.tasks)
        }
        Measure::Map { workers } => Some(map::ordered::<P>(workers, load.map_items, load.maps)),
        Measure::Mebibytes { in_flight } => payloads::mebibytes::<P>(in_flight, load.mebibytes),
        Measure::Payload { bytes } => Some(latency::large::<P>(bytes, load.payloads)),
        Measure::Cold { workers } => Some(latency::cold::<P>(workers, load.starts)),
        Measure::Killed => Some(killed::noticed::<P>(load.kills)),
        Measure::ProportionalMemory => {
            Some(idle_memory::per_worker::<P>(idle_memory::PROPORTIONAL))
        }
        Measure::ResidentMemory => Some(idle_memory::per_worker::<P>(idle_memory::RESIDENT)),
    }
}
