//! The table of models at the end of a run.

use crate::{Result, mirror};
use std::fs;
use std::path::{Path, PathBuf};

/// The file to which the models append, and what was read from it.
///
/// A line of the file is `passed|failed`, bound, executions, seconds and name, with tabs between.
pub(crate) struct Report {
    path: PathBuf,
    rows: Vec<Row>,
}

#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    bound: String,
    executions: u64,
    seconds: f64,
    passed: bool,
}

impl Report {
    pub(crate) fn start(path: PathBuf) -> Result<Self> {
        let report = Self { path, rows: Vec::new() };
        report.empty_the_file()?;
        Ok(report)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes over what the models of `file` have written.
    pub(crate) fn collect(&mut self, file: &str) -> Result<()> {
        let text = String::from_utf8(mirror::read(&self.path)?)?;
        for line in text.lines() {
            let row = Row::parse(file, line).ok_or_else(|| format!("not a report line: {line}"))?;
            match self.rows.iter_mut().find(|known| known.is_same_model(&row)) {
                Some(known) => known.add(&row),
                None => self.rows.push(row),
            }
        }
        self.empty_the_file()
    }

    pub(crate) fn print(&self) {
        print!("\n{}", table(&self.rows));
    }

    fn empty_the_file(&self) -> Result<()> {
        fs::write(&self.path, "")
            .map_err(|error| format!("cannot write {}: {error}", self.path.display()).into())
    }
}

impl Row {
    /// One model may run many times, once per step at which it stops a thread.
    fn is_same_model(&self, other: &Self) -> bool {
        (&self.name, &self.bound, self.passed) == (&other.name, &other.bound, other.passed)
    }

    fn add(&mut self, other: &Self) {
        self.executions += other.executions;
        self.seconds += other.seconds;
    }

    fn parse(file: &str, line: &str) -> Option<Self> {
        let mut fields = line.splitn(5, '\t');
        let passed = fields.next()? == "passed";
        let bound = fields.next()?.to_owned();
        let executions = fields.next()?.parse().ok()?;
        let seconds = fields.next()?.parse().ok()?;
        let name = format!("{file}::{}", fields.next()?);
        Some(Self { name, bound, executions, seconds, passed })
    }
}

fn table(rows: &[Row]) -> String {
    let total = format!("total of {} models", rows.len());
    let names = rows.iter().map(|row| row.name.as_str());
    let width = names.chain([total.as_str()]).map(str::len).max().unwrap_or(0);
    let line = |name: &str, bound: &str, executions: &str, seconds: &str, remark: &str| {
        format!("{name:width$} {bound:>5} {executions:>12} {seconds:>9}{remark}\n")
    };

    let mut table = line("model", "bound", "executions", "seconds", "");
    for Row { name, bound, executions, seconds, passed } in rows {
        let remark = if *passed { "" } else { "  FAILED" };
        table += &line(name, bound, &executions.to_string(), &format!("{seconds:.2}"), remark);
    }
    let executions: u64 = rows.iter().map(|row| row.executions).sum();
    let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
    table + &line(&total, "", &executions.to_string(), &format!("{seconds:.2}"), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_report_becomes_a_row() {
        let row = Row::parse("census", "passed\t2\t195\t0.25\ta_wake_is_owed").unwrap();

        assert_eq!(row.name, "census::a_wake_is_owed");
        assert_eq!((row.bound.as_str(), row.executions, row.passed), ("2", 195, true));
        assert_eq!(Row::parse("census", "passed\t2\tmany\t0.25\tx"), None);
    }

    #[test]
    fn runs_of_one_model_make_one_row() {
        let mut row = Row::parse("a", "passed\t1\t10\t1.5\tx").unwrap();
        let again = Row::parse("a", "passed\t1\t5\t0.25\tx").unwrap();
        let failed = Row::parse("a", "failed\t1\t5\t0.25\tx").unwrap();

        assert!(row.is_same_model(&again) && !row.is_same_model(&failed));
        row.add(&again);

        assert_eq!((row.executions, row.seconds), (15, 1.75));
    }

    #[test]
    fn the_table_sums_up_and_marks_what_failed() {
        let rows = [
            Row::parse("a", "passed\tnone\t10\t1.5\tx").unwrap(),
            Row::parse("a", "failed\t2\t5\t0.25\ty").unwrap(),
        ];

        let table = table(&rows);

        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["a::x", "none", "10", "1.50"]);
        assert!(lines[2].ends_with("FAILED"), "{table}");
        assert!(lines[3].ends_with("15      1.75"), "{table}");
    }
}
