//! Where a run took place, and how much of the machine it had to itself.

use std::fmt;
use std::fs;
use std::thread;

/// Taken when a run begins.
pub(crate) struct Machine {
    processors: usize,
    model: Option<String>,
    kernel: String,
    load_before: String,
    times_before: Times,
}

impl Machine {
    pub(crate) fn now() -> Self {
        let model = read("/proc/cpuinfo").lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "model name").then(|| value.trim().to_owned())
        });
        let load = read("/proc/loadavg");
        let release = read("/proc/sys/kernel/osrelease");
        Self {
            processors: thread::available_parallelism().map_or(0, usize::from),
            model,
            // Without the local suffix, which says whose kernel it is.
            kernel: release.trim().split('-').next().unwrap_or_default().to_owned(),
            load_before: load.split(' ').next().unwrap_or_default().to_owned(),
            times_before: Times::now(),
        }
    }

    /// What another tenant of the hardware took away since the beginning.
    pub(crate) fn stolen(&self) -> String {
        let now = Times::now();
        let all = now.all - self.times_before.all;
        let steal = now.steal - self.times_before.steal;
        format!("steal during the run {:.1} %", 100.0 * steal as f64 / all.max(1) as f64)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processors, model, kernel, load_before, .. } = self;
        let model = model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
        write!(f, "{processors} processors{model}, Linux {kernel}, load {load_before} before")
    }
}

/// Of all processors, in the kernel's ticks.
struct Times {
    all: u64,
    steal: u64,
}

impl Times {
    fn now() -> Self {
        let stat = read("/proc/stat");
        let line = stat.lines().next().unwrap_or_default();
        // User, nice, system, idle, iowait, irq, softirq, steal; what follows is part of the first two.
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
        Self { all: ticks.iter().sum(), steal: ticks.get(7).copied().unwrap_or_default() }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
