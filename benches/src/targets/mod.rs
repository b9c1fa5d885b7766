//! What asyncpal is to reach beside its peers, and whether a run has shown it.
//!
//! A target compares medians of one run; which targets there are is a table of its own.

mod list;

use std::fmt;

use crate::comparison::{Column, Job};
use crate::table::{self, Row, Sample, three_digits};

pub(crate) use list::SHOWN_ELSEWHERE;

/// The name of asyncpal with its default settings, and the beginning of the names of others.
const OURS: &str = "ours";

/// What is to hold in one job.
struct Target {
    /// Its name.
    job: &'static str,
    /// Who is to reach it.
    of: &'static str,
    claim: Claim,
}

enum Claim {
    /// In each of these columns one of the bounds holds.
    Bounded { columns: &'static [&'static str], by: &'static [Bound] },
    /// The dearest column costs at most so many times what the cheapest does.
    Flat { at_most: f64 },
}

/// Ours is at most so many times something.
struct Bound {
    at_most: f64,
    times: Beside,
}

/// What ours is held against.
enum Beside {
    /// The peer of the least median among those that do all of the job.
    BestPeer,
    /// A peer or a bare yardstick, by its name.
    Row(&'static str),
    /// A bare yardstick that nobody outdoes: if a peer did, something disturbed it and it is no measure.
    Floor(&'static str),
    /// What the job takes if nothing is lost, in the job's unit.
    Ideal(f64),
    /// Nothing: the bound is in the job's unit.
    Unit,
}

/// What a run says of a target in a column.
struct Finding {
    /// The job and its column: two cells.
    subject: String,
    target: String,
    /// Or why there is none.
    comparison: Result<Comparison, String>,
}

struct Comparison {
    ours: Figure,
    beside: Option<Figure>,
    at_most: f64,
}

/// A median, and of whom or what.
struct Figure {
    value: f64,
    of: Option<String>,
}

/// The table of all targets whose jobs `run` has done, with the rows of each; `None` if there is no target.
pub(crate) fn markdown(run: &[(&Job, &[Row])]) -> Option<String> {
    let findings = evaluate(&list::TARGETS, run);
    if findings.is_empty() {
        return None;
    }
    let count = |is: fn(&Finding) -> bool| findings.iter().filter(|finding| is(finding)).count();
    let met = count(|finding| finding.comparison.as_ref().is_ok_and(Comparison::is_met));
    let unknown = count(|finding| finding.comparison.is_err());
    let missed = findings.len() - met - unknown;
    let lines: String = findings.iter().map(Finding::line).collect();
    Some(format!(
        "{met} met, {missed} missed, {unknown} not evaluated.\n\n\
        | job | column | ours | beside | ratio | target | |\n\
        | --- | --- | --: | --: | --: | --- | --- |\n\
        {lines}"
    ))
}

/// In the order of the targets. Those whose jobs were not run, or not by us, are left out.
fn evaluate(targets: &[Target], run: &[(&Job, &[Row])]) -> Vec<Finding> {
    let findings = targets.iter().flat_map(|target| {
        let done = run.iter().find(|(job, _)| job.name == target.job);
        done.and_then(|(job, rows)| target.findings(job, rows)).unwrap_or_default()
    });
    findings.collect()
}

impl Target {
    /// `None` where ours took no part.
    fn findings(&self, job: &Job, rows: &[Row]) -> Option<Vec<Finding>> {
        let ours = rows.iter().find(|row| row.name == self.of)?;
        let settings = self.of.strip_prefix(OURS).unwrap_or_default();
        let finding = |column: &str, target, comparison| Finding {
            subject: format!("{} | {column}{settings}", table::heading(job)),
            target,
            comparison,
        };
        Some(match self.claim {
            Claim::Flat { at_most } => {
                let target = format!("dearest ≤ {at_most} × cheapest");
                vec![finding("all", target, flatness(job, ours, at_most))]
            }
            Claim::Bounded { columns, by } => {
                let target = by.iter().map(Bound::to_string).collect::<Vec<_>>().join(", or ");
                let finding_of = |label: &&str| {
                    let column = column_of(job, label).expect("a column of the job");
                    finding(label, target.clone(), nearest(by, ours, rows, column))
                };
                columns.iter().map(finding_of).collect()
            }
        })
    }
}

fn column_of(job: &Job, label: &str) -> Option<usize> {
    job.columns.iter().position(|column| column.label == label)
}

/// The comparison that meets its bound, or comes nearest to it.
fn nearest(
    bounds: &[Bound],
    ours: &Row,
    rows: &[Row],
    column: usize,
) -> Result<Comparison, String> {
    let (known, unknown): (Vec<_>, Vec<_>) =
        bounds.iter().map(|bound| bound.compare(ours, rows, column)).partition(Result::is_ok);
    let known = known.into_iter().flatten();
    let nearest = known.min_by(|one, other| one.distance().total_cmp(&other.distance()));
    match (nearest, unknown.into_iter().find_map(Result::err)) {
        // What could not be evaluated may be met.
        (Some(missed), Some(reason)) if !missed.is_met() => Err(reason),
        (Some(nearest), _) => Ok(nearest),
        (None, reason) => Err(reason.unwrap_or_default()),
    }
}

fn flatness(job: &Job, ours: &Row, at_most: f64) -> Result<Comparison, String> {
    let mut figures = Vec::new();
    for (column, Column { label, .. }) in job.columns.iter().enumerate() {
        // A column may be left out of a quick run.
        if ours.samples[column].iter().any(|sample| *sample != Sample::NotApplicable) {
            figures.push(Figure { value: result(ours, column)?, of: Some((*label).to_owned()) });
        }
    }
    figures.sort_by(|one, other| one.value.total_cmp(&other.value));
    let dearest = figures.pop().ok_or("no result")?;
    let cheapest = figures.into_iter().next().ok_or("only one column was measured")?;
    Ok(Comparison { ours: dearest, beside: Some(cheapest), at_most })
}

/// The median, unless a sample failed.
fn result(row: &Row, column: usize) -> Result<f64, String> {
    if !row.is_installed {
        return Err(format!("{} is not installed", row.name));
    }
    if row.samples[column].contains(&Sample::Failed) {
        return Err(format!("{} failed", row.name));
    }
    row.median(column).ok_or_else(|| format!("{} took no part", row.name))
}

impl Bound {
    fn compare(&self, ours: &Row, rows: &[Row], column: usize) -> Result<Comparison, String> {
        let ours = Figure { value: result(ours, column)?, of: None };
        let of_row = |row: &Row| {
            Ok::<_, String>(Figure { value: result(row, column)?, of: Some(row.name.to_owned()) })
        };
        let of_name = |name: &str| {
            let row = rows.iter().find(|row| row.name == name);
            of_row(row.ok_or_else(|| format!("{name} took no part"))?)
        };
        let best_peer = || table::best_peer(&rows.iter().collect::<Vec<_>>(), column);
        let beside = match self.times {
            Beside::BestPeer => Some(of_row(best_peer().ok_or("no peer took part")?)?),
            Beside::Row(name) => Some(of_name(name)?),
            Beside::Floor(name) => {
                let floor = of_name(name)?;
                let beats_it = |peer: &Row| peer.median(column).is_some_and(|p| p < floor.value);
                if let Some(peer) = best_peer().filter(|peer| beats_it(peer)) {
                    return Err(format!("{name} was disturbed, {} is faster", peer.name));
                }
                Some(floor)
            }
            Beside::Ideal(value) => Some(Figure { value, of: Some("ideal".to_owned()) }),
            Beside::Unit => None,
        };
        Ok(Comparison { ours, beside, at_most: self.at_most })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_most = self.at_most;
        match self.times {
            Beside::BestPeer => write!(f, "≤ {at_most} × the best peer"),
            Beside::Row(name) | Beside::Floor(name) => write!(f, "≤ {at_most} × {name}"),
            Beside::Ideal(_) => write!(f, "≤ {at_most} × the ideal"),
            Beside::Unit => write!(f, "≤ {at_most}"),
        }
    }
}

impl Comparison {
    fn ratio(&self) -> f64 {
        self.ours.value / self.beside.as_ref().map_or(1.0, |figure| figure.value)
    }

    /// Up to 1 the bound is met.
    fn distance(&self) -> f64 {
        self.ratio() / self.at_most
    }

    fn is_met(&self) -> bool {
        self.distance() <= 1.0
    }
}

impl Finding {
    fn line(&self) -> String {
        let Self { subject, target, comparison } = self;
        match comparison {
            Ok(comparison) => {
                let ours = &comparison.ours;
                let nothing = || "–".to_owned();
                let beside = comparison.beside.as_ref();
                let ratio = beside.map_or_else(nothing, |_| three_digits(comparison.ratio()));
                let beside = beside.map_or_else(nothing, Figure::to_string);
                let verdict = if comparison.is_met() { "met" } else { "**missed**" };
                format!("| {subject} | {ours} | {beside} | {ratio} | {target} | {verdict} |\n")
            }
            Err(reason) => {
                format!("| {subject} | – | – | – | {target} | not evaluated: {reason} |\n")
            }
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&three_digits(self.value))?;
        self.of.as_ref().map_or(Ok(()), |of| write!(f, " ({of})"))
    }
}

#[cfg(test)]
mod tests;
