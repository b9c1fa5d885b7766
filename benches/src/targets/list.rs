//! The targets, in the order in which they are shown.

use super::{Beside, Bound, Claim, OURS, Target};
use crate::threads::UNTIMED;

pub(super) static TARGETS: [Target; 27] = [
    each("throughput", &THROUGHPUT, &[best_peer(0.7)]),
    Target { of: UNTIMED, ..each("throughput", &THROUGHPUT, &[best_peer(0.5)]) },
    each("fire-and-forget", &["1 worker", "2 workers", "4 workers"], &[best_peer(0.7)]),
    // Where a peer's spin catches, too, nobody can be four times as fast.
    each("hot", &BOTH, &[best_peer(0.25), floor(1.3, "bare spinning ping-pong")]),
    each("idle", &["1 worker"], &[row(1.1, "two bare futex wakes")]),
    each("cold", &["at most 1 worker", "at most 4 workers"], &[row(1.15, "bare spawn + join")]),
    each("revival", &["at most 1 worker"], &[row(1.2, "bare spawn + join")]),
    // 64 × 20 µs on two processors.
    each("fan-out", &["2 workers"], &[ideal(640.0, 1.05)]),
    each("fan-out", &["2 workers"], &[best_peer(1.0)]),
    each("heap", &["bytes"], &[fixed(96.0)]),
    // At most one for the task, and a hundredth for the queue's blocks.
    each("heap", &["allocations"], &[fixed(1.01)]),
    each("map", &BOTH, &[best_peer(1.0)]),
    each("trickle", &["2 s"], &[fixed(2.0)]),
    each("sequential", &["at most 8 workers"], &[fixed(2.0)]),
    flat("growth"),
    flat("workers"),
    flat("producers"),
    flat("pools"),
    each("process-hot", &["run, 1 worker", "run, 2 workers"], &[row(0.5, "bare pipes")]),
    each(
        "process-hot",
        &["submit + collect, 1 worker", "submit + collect, 2 workers"],
        &[row(0.5, "procspawn")],
    ),
    // Nobody spins for as long as this.
    each("process-idle", &["run, 1 worker"], &[row(1.3, "bare pipes")]),
    each(
        "process-throughput",
        &["200 at once, 2 workers", "all at once, 2 workers"],
        &[best_peer(0.2)],
    ),
    each("process-throughput", &["200 at once, 2 workers"], &[row(0.1, "procspawn")]),
    each("process-map", &BOTH, &[row(0.5, "procspawn")]),
    each("process-mebibytes", &["at most 2 on their way"], &[row(0.5, "procspawn")]),
    each("process-cold", &["at most 1 worker", "at most 4 workers"], &[row(0.5, "procspawn")]),
    each("process-killed", &["1 worker"], &[fixed(5.0)]),
];

const BOTH: [&str; 2] = ["1 worker", "2 workers"];
const THROUGHPUT: [&str; 4] = ["1 worker", "2 workers", "4 workers", "2 workers, 4 producers"];

const fn each(job: &'static str, columns: &'static [&'static str], by: &'static [Bound]) -> Target {
    Target { job, of: OURS, claim: Claim::Bounded { columns, by } }
}

const fn flat(job: &'static str) -> Target {
    Target { job, of: OURS, claim: Claim::Flat { at_most: 1.5 } }
}

const fn best_peer(at_most: f64) -> Bound {
    Bound { at_most, times: Beside::BestPeer }
}

const fn row(at_most: f64, name: &'static str) -> Bound {
    Bound { at_most, times: Beside::Row(name) }
}

const fn ideal(value: f64, at_most: f64) -> Bound {
    Bound { at_most, times: Beside::Ideal(value) }
}

const fn floor(at_most: f64, name: &'static str) -> Bound {
    Bound { at_most, times: Beside::Floor(name) }
}

const fn fixed(at_most: f64) -> Bound {
    Bound { at_most, times: Beside::Unit }
}

/// Targets that need no peer: for the page, below the table.
pub(crate) const SHOWN_ELSEWHERE: &str = "\
What needs no peer is shown by tests and checks:

| what | target | | shown by |
| --- | --- | --- | --- |
| an idle thread pool: wake-ups of its workers, workers after the idle timeout | 0, 0 | met | `cargo test --test idle` |
| an idle process pool: processes after the idle timeout | 0 | met | `cargo test --all-features --test process_pool idle_processes` |
| heap during a million nested submits and waits on one worker | flat | met | `cargo test --test memory nested` |
| the same in a pool of fixed size, without an allocator | flat | met | `cargo test --package asyncpal-core --test fixed nested` |
| a worker killed in a task: its handle names the signal, no other task is lost | always | met | `cargo test --all-features --test process_pool killed` |
| crates that a dependent builds with default features, besides asyncpal's own | at most 4 | met | `.ci/dependent` |
| what a pool adds to a program over what a thread does: release; `opt-level = \"z\"` and LTO | at most 32 KiB, 20 KiB | **missed** | `.ci/dependent`; [core/DESIGN.md](../core/DESIGN.md), decision 51, has the reasons |
";
