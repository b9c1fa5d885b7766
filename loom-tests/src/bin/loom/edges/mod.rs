//! `cargo edges`: for every ordering of the core, a model that fails when it is weakened.
//!
//! `EDGES.md` says which. Here the table is compared with the source, and each row is tried: on a
//! copy of the workspace with that one ordering weakened, the row's models must fail.

mod argument;
mod scan;
mod source;
mod table;
mod trial;

use crate::{Result, mirror};
use source::Weakening;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;
use table::{Row, Table};
use trial::{Laboratory, Verdict};

const TABLE: &str = "loom-tests/EDGES.md";
const REWRITE: &str = "`cargo edges --write` brings it up to date";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Compare table and source, and run nothing.
    Check,
    /// Bring the table up to date with the source.
    Write,
    /// Try the rows that contain the text.
    Try { filter: Option<String> },
    /// Say which models fail, for the rows that contain the text, or have no model yet.
    Find { filter: Option<String> },
}

/// `folder` is where copies and builds go.
pub(crate) fn run(request: Request, root: &Path, folder: &Path) -> Result<()> {
    let source = source::weakenings(root)?;
    let path = root.join(TABLE);
    let text = String::from_utf8(mirror::read(&path)?)?;
    let table = Table::parse(&text)?;
    let current = table.regenerate(&source);

    if request == Request::Write {
        fs::write(&path, current.to_string())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        return complain(&gaps(root, &current)?);
    }
    if let Request::Find { filter } = &request {
        let wanted = |row: &Row| match filter {
            Some(filter) => row.contains(filter),
            None => row.models.is_empty() && !row.is_explained(),
        };
        return find(&selected(&source, &current, wanted)?, root, folder);
    }

    let mut problems = differences(&table, &current);
    if problems.is_empty() && current.to_string() != text {
        problems.push(format!("{TABLE} is not as it would be written: {REWRITE}"));
    }
    problems.extend(gaps(root, &current)?);
    complain(&problems)?;
    println!("{TABLE} and the source agree: {}", current.count());
    if let Request::Try { filter } = request {
        let wanted = |row: &Row| filter.as_ref().is_none_or(|filter| row.contains(filter));
        try_all(&selected(&source, &current, wanted)?, root, folder)?;
    }
    Ok(())
}

/// A row, and the weakening that it is about.
type Case<'a> = (&'a Row, &'a Weakening);

fn selected<'a>(
    source: &'a [Weakening],
    table: &'a Table,
    wanted: impl Fn(&Row) -> bool,
) -> Result<Vec<Case<'a>>> {
    let cases = table.rows.iter().zip(source).filter(|(row, _)| wanted(row)).collect::<Vec<_>>();
    if cases.is_empty() { Err("no row is selected".into()) } else { Ok(cases) }
}

fn complain(problems: &[String]) -> Result<()> {
    for problem in problems {
        eprintln!("error: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err("1 problem".into()),
        count => Err(format!("{count} problems").into()),
    }
}

/// Orderings without a row, and rows without an ordering.
fn differences(written: &Table, current: &Table) -> Vec<String> {
    let keys = |rows: &[Row]| rows.iter().map(|row| row.key.clone()).collect::<BTreeSet<_>>();
    let (rows, orderings) = (keys(&written.rows), keys(&current.rows));
    let without_row = orderings.difference(&rows);
    let without_ordering = rows.difference(&orderings);
    let lost = written.lost.iter().map(|row| format!("the row of a lost ordering is left: {row}"));
    without_row
        .map(|key| format!("an ordering without a row: {key}; {REWRITE}"))
        .chain(without_ordering.map(|key| format!("a row without an ordering: {key}; {REWRITE}")))
        .chain(lost)
        .collect()
}

/// What people have not written yet, and models that do not exist.
fn gaps(root: &Path, table: &Table) -> Result<Vec<String>> {
    let mut gaps = Vec::new();
    for row in &table.rows {
        if row.visible.is_empty() {
            gaps.push(format!("it is not said what becomes visible: {row}"));
        }
        if row.models.is_empty() && !row.is_explained() {
            gaps.push(format!("neither a model nor a reason: {row}"));
        }
        for model in &row.models {
            if !trial::is_in_the_sources(root, model)? {
                gaps.push(format!("there is no model `{model}`: {row}"));
            }
        }
    }
    Ok(gaps)
}

fn try_all(cases: &[Case<'_>], root: &Path, folder: &Path) -> Result<()> {
    let started = Instant::now();
    let laboratory = Laboratory::new(root, folder)?;
    let models: BTreeSet<_> = cases.iter().flat_map(|(row, _)| &row.models).collect();
    laboratory.check_unweakened(&models.into_iter().collect::<Vec<_>>())?;

    let mut count = [0; 2];
    let mut wrong = Vec::new();
    for (at, (row, weakening)) in cases.iter().enumerate() {
        let begun = Instant::now();
        let verdict = laboratory.verdict(row, weakening)?;
        let seconds = begun.elapsed().as_secs_f64();
        println!("[{:2}/{}] {row}: {verdict} ({seconds:.1} s)", at + 1, cases.len());
        match verdict {
            Verdict::Fails(_) => count[0] += 1,
            Verdict::Explained => count[1] += 1,
            wrong_one => wrong.push(format!("{row}: {wrong_one}")),
        }
    }

    let [failing, explained] = count;
    println!(
        "{} rows: {failing} fail, {explained} explained, {} wrong; {} s",
        cases.len(),
        wrong.len(),
        started.elapsed().as_secs()
    );
    complain(&wrong)
}

fn find(cases: &[Case<'_>], root: &Path, folder: &Path) -> Result<()> {
    let laboratory = Laboratory::new(root, folder)?;
    for (row, weakening) in cases {
        println!("{row}");
        for model in laboratory.all_that_fail(weakening)? {
            println!("    {model}");
        }
    }
    Ok(())
}
