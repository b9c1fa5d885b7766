//! The page of benchmarks in the documentation, with its plots.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::comparison::{Job, Suite};
use crate::table::{self, Row};
use crate::targets::SHOWN_ELSEWHERE;
use crate::{plots, targets};

/// The folder beside the page.
const PLOTS: &str = "benchmarks";

const INTRODUCTION: &str = "\
asyncpal beside its peers on the same jobs, written by `cargo benches all`. What the jobs are, and who the peers:
[benches/README.md](../benches/README.md).

An absolute time proves nothing: it changes with the machine and its other tenants. What counts is the ratio at the
end of a table, between contenders who took turns in one run. A cell is the median over the rounds, with the least
and the greatest in parentheses; a whisker in a plot spans the same. Less is better everywhere. *Bare* lines are no
peers but yardsticks: the same effect without a pool.
";

const TARGETS: &str = "\
What asyncpal is to reach, and what this run says. A ratio is one of medians, ours ÷ what stands beside it: the best
peer that does all of the job, a yardstick, or what the job would take if nothing were lost. All of it comes from the
tables below.
";

/// The documentation of the library that this package is a part of.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// What a run has found.
#[derive(Default)]
pub(crate) struct Document {
    sections: Vec<Section>,
}

enum Section {
    Suite(&'static Suite),
    Job(&'static Job, Vec<Row>),
}

impl Document {
    pub(crate) fn begin(&mut self, suite: &'static Suite) {
        self.sections.push(Section::Suite(suite));
    }

    pub(crate) fn add(&mut self, job: &'static Job, rows: Vec<Row>) {
        self.sections.push(Section::Job(job, rows));
    }

    /// The table of targets; `None` if the run has to do with none.
    pub(crate) fn targets(&self) -> Option<String> {
        let jobs = self.sections.iter().filter_map(|section| match section {
            Section::Suite(_) => None,
            Section::Job(job, rows) => Some((*job, rows.as_slice())),
        });
        targets::markdown(&jobs.collect::<Vec<_>>())
    }

    /// Writes `benchmarks.md` and, beside it, the folder of plots.
    ///
    /// # Errors
    ///
    /// A file cannot be written, or a plot cannot be drawn.
    pub(crate) fn write(&self, folder: &Path, caption: &str) -> Result<(), Box<dyn Error>> {
        let plots = folder.join(PLOTS);
        fs::create_dir_all(&plots)?;
        let mut page = format!("# Benchmarks\n\n{INTRODUCTION}\n{caption}.\n");
        if let Some(targets) = self.targets() {
            page += &format!("\n## Targets\n\n{TARGETS}\n{targets}\n{SHOWN_ELSEWHERE}");
        }
        for section in &self.sections {
            match section {
                Section::Suite(suite) => {
                    page += &format!("\n## {}\n", suite.title);
                    if !suite.note.is_empty() {
                        page += &format!("\n{}", suite.note);
                    }
                }
                Section::Job(job, rows) => {
                    let (heading, table) = (table::heading(job), table::markdown(job, rows));
                    page += &format!("\n### {heading}\n\n{table}");
                    if let Some(picture) = plots::draw(job, rows)? {
                        let file = format!("{}.svg", job.name);
                        fs::write(plots.join(&file), picture)?;
                        page += &format!("\n![{}]({PLOTS}/{file})\n", job.title);
                    }
                }
            }
        }
        fs::write(folder.join("benchmarks.md"), page)?;
        Ok(())
    }
}
