//! The pools for Python, by a script.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::jobs::latency::PAYLOAD;
use super::jobs::map::CHUNKS;
use super::{Load, Measure};

/// Whether there is a Python that has the module.
pub(crate) fn has(module: &str) -> bool {
    let import = format!("import {module}");
    let status = python().args(["-c", &import]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// One measurement of the pool that the script knows by this name.
///
/// # Panics
///
/// If the script does not print a number.
pub(crate) fn measure(pool: &str, measure: Measure, load: &Load) -> Option<f64> {
    let (job, numbers) = arguments(measure, load);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/pools.py");
    let output = python()
        // Also of the helper that a pool leaves to clean up after it.
        .args(["-W", "ignore"])
        .arg(script)
        .args([pool, job])
        .args(numbers.iter().map(usize::to_string))
        // The script ends itself and its workers together, if a pool hangs.
        .process_group(0)
        .stderr(Stdio::inherit())
        .output()
        .expect("python starts");
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.trim().parse().expect("the script prints a number"))
}

/// The job and its numbers, as the script takes them.
fn arguments(measure: Measure, load: &Load) -> (&'static str, Vec<usize>) {
    match measure {
        Measure::HotRun { workers } => ("run", vec![workers, PAYLOAD, load.round_trips]),
        Measure::HotSubmit { workers } => ("submit", vec![workers, PAYLOAD, load.round_trips]),
        Measure::Idle => ("idle", vec![PAYLOAD, load.pauses]),
        Measure::Throughput { workers, batch } => {
            ("throughput", vec![workers, batch.min(load.tasks), load.tasks])
        }
        Measure::Map { workers } => {
            ("map", vec![workers, load.map_items as usize, CHUNKS, load.maps])
        }
        Measure::Mebibytes { in_flight } => {
            ("mebibytes", vec![in_flight.min(load.mebibytes), load.mebibytes])
        }
        Measure::Payload { bytes } => ("run", vec![1, bytes, load.payloads]),
        Measure::Cold { workers } => ("cold", vec![workers, load.starts]),
        Measure::Killed => ("killed", vec![load.kills]),
        Measure::ProportionalMemory => ("proportional-memory", vec![]),
        Measure::ResidentMemory => ("resident-memory", vec![]),
    }
}

fn python() -> Command {
    let program = env::var_os("PEERS_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}
