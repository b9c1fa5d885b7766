//! What is compared: suites of jobs, the columns of a job, and who takes part.
//!
//! A measurement is one column for one contender, made in a process of its own: what a pool leaves
//! behind (threads, processes, a fragmented heap) is not there for the next one.

use crate::{processes, threads};

/// Jobs that the same contenders do.
pub(crate) struct Suite {
    /// What chooses it on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What to know before the tables are read: a paragraph, or nothing.
    pub(crate) note: &'static str,
    pub(crate) jobs: &'static [Job],
    /// Everybody, in the order in which they take turns.
    pub(crate) contenders: fn() -> Vec<Contender>,
}

pub(crate) static SUITES: [Suite; 2] = [processes::SUITE, threads::SUITE];

#[derive(Debug)]
pub(crate) struct Job {
    /// What `--job` takes; unique among all suites.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Less of it is better.
    pub(crate) unit: &'static str,
    /// Whether the job counts rather than times, so that everybody may run at the same time.
    pub(crate) side_by_side: bool,
    pub(crate) columns: &'static [Column],
    pub(crate) plot: Plot,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) label: &'static str,
    pub(crate) measure: Measure,
}

/// What one column of a table measures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    Threads(threads::Measure),
    Processes(processes::Measure),
}

/// How a job is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plot {
    None,
    /// A group of bars for each column, in a logarithmic scale.
    Bars,
    /// A line for each contender.
    Lines {
        x: Axis,
        y: Scale,
    },
}

/// Where the columns of a job lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) title: &'static str,
    /// Of each column.
    pub(crate) places: &'static [f64],
    pub(crate) scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Logarithmic,
}

/// How much of each job one measurement does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) threads: threads::Load,
    pub(crate) processes: processes::Load,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    /// Ours with other settings than the default: neither ours, in ratios, nor a peer.
    #[cfg_attr(not(feature = "ours"), expect(dead_code, reason = "there is nothing to set"))]
    Variant,
    Peer,
    /// The same effect without a pool, as a yardstick: no peer, as it does less than is asked for.
    Bare,
}

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    /// What `--pool` takes, and the name in the tables.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_installed: fn() -> bool,
    /// What it leaves undone of a measure that it takes part in.
    pub(crate) shortfall: fn(Measure) -> Option<&'static str>,
    pub(crate) meter: Meter,
}

/// Makes one measurement; `None` where the contender cannot do the job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meter {
    Threads(fn(threads::Measure, &threads::Load) -> Option<f64>),
    Processes(fn(processes::Measure, &processes::Load) -> Option<f64>),
}

impl Contender {
    /// One that does what it is asked for, or takes no part.
    pub(crate) const fn new(name: &'static str, kind: Kind, meter: Meter) -> Self {
        Self { name, kind, is_installed: || true, shortfall: |_| None, meter }
    }

    /// Makes one measurement; `None` where the contender cannot do the job.
    pub(crate) fn measure(&self, measure: Measure, load: &Load) -> Option<f64> {
        match (self.meter, measure) {
            (Meter::Threads(meter), Measure::Threads(measure)) => meter(measure, &load.threads),
            (Meter::Processes(meter), Measure::Processes(measure)) => {
                meter(measure, &load.processes)
            }
            _ => None,
        }
    }
}
