//! The page of benchmarks in the documentation, with its plots.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::comparison::{Job, Suite};
use crate::table::{self, Row};

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

    /// Writes `benchmarks.md` and, beside it, the folder of plots.
    pub(crate) fn write(&self, folder: &Path, caption: &str) -> io::Result<()> {
        let mut page = format!("# Benchmarks\n\n{caption}.\n");
        for section in &self.sections {
            match section {
                Section::Suite(suite) => page += &format!("\n# {}\n", suite.title),
                Section::Job(job, rows) => page += &format!("\n{}", table::markdown(job, rows)),
            }
        }
        fs::create_dir_all(folder)?;
        fs::write(folder.join("benchmarks.md"), page)
    }
}
