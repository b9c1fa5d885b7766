//! From samples to Markdown: medians, spreads, ratios.

use crate::comparison::{Contender, Job, Kind};
use crate::timing::median;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sample {
    Value(f64),
    NotApplicable,
    Failed,
}

impl Sample {
    fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::NotApplicable | Self::Failed => None,
        }
    }
}

/// What one contender did in one job.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_installed: bool,
    /// What the contender leaves undone of the job.
    shortfall: Option<&'static str>,
    /// By column, then by round.
    pub(crate) samples: Vec<Vec<Sample>>,
}

impl Row {
    pub(crate) fn new(contender: &Contender, job: &Job) -> Self {
        let Contender { name, kind, is_installed, shortfall, .. } = *contender;
        Self {
            name,
            kind,
            is_installed: is_installed(),
            shortfall: job.columns.iter().find_map(|column| shortfall(column.measure)),
            samples: vec![Vec::new(); job.columns.len()],
        }
    }

    /// As if a run had taken them, by column, then by round.
    #[cfg(test)]
    pub(crate) fn of_samples(name: &'static str, kind: Kind, samples: Vec<Vec<Sample>>) -> Self {
        Self { name, kind, is_installed: true, shortfall: None, samples }
    }

    /// Whether nothing failed.
    pub(crate) fn is_complete(&self) -> bool {
        !self.samples.iter().flatten().any(|sample| *sample == Sample::Failed)
    }

    /// Whether there is anything to show, if only that something is not installed.
    pub(crate) fn takes_part(&self) -> bool {
        !self.is_installed
            || self.samples.iter().flatten().any(|sample| *sample != Sample::NotApplicable)
    }

    pub(crate) fn values(&self, column: usize) -> Vec<f64> {
        self.samples[column].iter().filter_map(|sample| sample.value()).collect()
    }

    pub(crate) fn median(&self, column: usize) -> Option<f64> {
        median(self.values(column))
    }

    fn label(&self) -> String {
        match self.shortfall {
            _ if !self.is_installed => format!("{} (not installed)", self.name),
            Some(shortfall) => format!("{} ({shortfall})", self.name),
            None => self.name.to_owned(),
        }
    }

    fn cell(&self, column: usize) -> String {
        let samples = &self.samples[column];
        let failed = samples.iter().filter(|sample| **sample == Sample::Failed).count();
        match (with_spread(self.median(column), &self.values(column)), failed) {
            (Some(cell), 0) => cell,
            (None, 0) => "–".to_owned(),
            (cell, _) => {
                let cell = cell.unwrap_or_default();
                format!("{cell} **failed {failed} of {}**", samples.len()).trim_start().to_owned()
            }
        }
    }
}

/// What stands above the table of a job.
pub(crate) fn heading(job: &Job) -> String {
    format!("{}: {} [{}]", job.name, job.title, job.unit)
}

/// The table of one job, with a line of ratios for the best peer and for each bare yardstick.
pub(crate) fn markdown(job: &Job, rows: &[Row]) -> String {
    let columns = 0..job.columns.len();
    let rows: Vec<&Row> = rows.iter().filter(|row| row.takes_part()).collect();

    let mut lines = vec![
        line("", job.columns.iter().map(|column| column.label.to_owned())),
        line("---", columns.clone().map(|_| "--:".to_owned())),
    ];
    lines.extend(
        rows.iter().map(|row| line(&row.label(), columns.clone().map(|column| row.cell(column)))),
    );
    if let Some(ours) = rows.iter().find(|row| row.kind == Kind::Ours) {
        let over_best = |column| {
            let best = best_peer(&rows, column)?;
            Some(format!("{} of {}", ratio(ours, best, column)?, best.name))
        };
        lines.extend(ratio_line("the best peer", columns.clone().map(over_best).collect()));
        for bare in rows.iter().filter(|row| row.kind == Kind::Bare) {
            let over_bare = columns.clone().map(|column| ratio(ours, bare, column));
            lines.extend(ratio_line(bare.name, over_bare.collect()));
        }
    }
    lines.concat()
}

fn line(head: &str, cells: impl Iterator<Item = String>) -> String {
    format!("| {head} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// `None` where there is nothing to compare with.
fn ratio_line(other: &str, ratios: Vec<Option<String>>) -> Option<String> {
    ratios.iter().any(Option::is_some).then(|| {
        let cell =
            |ratio: Option<String>| ratio.map_or("–".to_owned(), |ratio| format!("**{ratio}**"));
        line(&format!("**ours ÷ {other}**"), ratios.into_iter().map(cell))
    })
}

/// The peer of the least median among those that do all of the job.
pub(crate) fn best_peer<'a>(rows: &[&'a Row], column: usize) -> Option<&'a Row> {
    let peers = rows.iter().filter(|row| row.kind == Kind::Peer && row.shortfall.is_none());
    let measured = peers.filter_map(|row| Some((row.median(column)?, *row)));
    measured.min_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, row)| row)
}

/// The ratio of the medians, and between which bounds the ratio of a single round lay.
fn ratio(ours: &Row, other: &Row, column: usize) -> Option<String> {
    let of_medians = ours.median(column)? / other.median(column)?;
    let rounds = ours.samples[column].iter().zip(&other.samples[column]);
    let by_round: Vec<f64> =
        rounds.filter_map(|(ours, other)| Some(ours.value()? / other.value()?)).collect();
    with_spread(Some(of_medians), &by_round)
}

/// A value with the least and the greatest sample, where they differ in what is shown.
fn with_spread(value: Option<f64>, samples: &[f64]) -> Option<String> {
    let shown = three_digits(value?);
    let least = three_digits(samples.iter().copied().min_by(f64::total_cmp)?);
    let greatest = three_digits(samples.iter().copied().max_by(f64::total_cmp)?);
    Some(if least == greatest { shown } else { format!("{shown} ({least}–{greatest})") })
}

/// Or as few more as the integer part has.
pub(crate) fn three_digits(value: f64) -> String {
    match value.abs() {
        f64::INFINITY => "∞".to_owned(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::{Column, Measure, Plot};
    use crate::threads;

    const JOB: Job = Job {
        name: "job",
        title: "Title",
        unit: "ns",
        side_by_side: false,
        columns: &[Column {
            label: "1 worker",
            measure: Measure::Threads(threads::Measure::IdleRoundTrip),
        }],
        plot: Plot::None,
    };

    fn row(name: &'static str, kind: Kind, samples: &[Sample]) -> Row {
        Row::of_samples(name, kind, vec![samples.to_vec()])
    }

    #[test]
    fn ours_is_compared_with_the_peer_of_the_least_median_and_with_the_bare_yardstick() {
        let values = |values: [f64; 3]| values.map(Sample::Value);
        let rows = [
            row("ours", Kind::Ours, &values([50.0, 60.0, 40.0])),
            row("slow", Kind::Peer, &values([1.0, 300.0, 300.0])),
            row("fast", Kind::Peer, &values([100.0, 100.0, 100.0])),
            row("bare", Kind::Bare, &values([25.0, 25.0, 25.0])),
        ];

        let table = markdown(&JOB, &rows);

        assert!(table.contains("| **ours ÷ the best peer** | **0.50 (0.40–0.60) of fast** |"));
        assert!(table.contains("| **ours ÷ bare** | **2.00 (1.60–2.40)** |"));
    }

    #[test]
    fn who_leaves_a_part_undone_is_no_measure() {
        let mut careless = row("careless", Kind::Peer, &[Sample::Value(1.0)]);
        careless.shortfall = Some("threads not joined");
        let careful = row("careful", Kind::Peer, &[Sample::Value(4.0)]);
        let ours = row("ours", Kind::Ours, &[Sample::Value(2.0)]);

        let table = markdown(&JOB, &[ours, careless, careful]);

        assert!(table.contains("| careless (threads not joined) | 1.00 |"));
        assert!(table.contains("| **0.50 of careful** |"));
    }

    #[test]
    fn who_is_not_installed_is_shown_with_dashes() {
        let mut absent = row("absent", Kind::Peer, &[Sample::NotApplicable]);
        absent.is_installed = false;

        assert!(markdown(&JOB, &[absent]).contains("| absent (not installed) | – |"));
    }

    #[test]
    fn a_failed_sample_is_shown_and_a_row_that_takes_no_part_is_not() {
        let rows = [
            row("failing", Kind::Peer, &[Sample::Failed, Sample::Value(2.0)]),
            row("absent", Kind::Peer, &[Sample::NotApplicable, Sample::NotApplicable]),
        ];

        let table = markdown(&JOB, &rows);

        assert!(table.contains("| failing | 2.00 **failed 1 of 2** |"));
        assert!(!table.contains("absent"));
        assert!(!rows[0].is_complete());
    }
}
