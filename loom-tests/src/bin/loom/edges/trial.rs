//! Models on a copy of the workspace in which one ordering is weakened.

use super::source::Weakening;
use super::table::Row;
use crate::checker::Checker;
use crate::models::{Ended, Models, model_files};
use crate::{OUTSIDE_THE_WORKSPACE, Result, SELF_TEST, mirror};
use core::fmt;
use core::time::Duration;
use loom_tests::DEFAULT_BOUND;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How long a model may take to fail. One that passes may take this long for nothing.
const LIMIT: Duration = Duration::from_secs(600);
/// How long all models of a file may take when those that fail are looked for.
const SEARCH_LIMIT: Duration = Duration::from_secs(30);

const MODELS: &str = "loom-tests/tests";
/// Of no use to a model, and built with it if it is there.
const RUNNER: &str = "loom-tests/src/bin";

/// What came of a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This model fails.
    Fails(String),
    /// None fails, as the row says.
    Explained,
    /// None fails, and the row does not say why.
    Passes,
    /// This model fails, and the row says that none does.
    Contradicted(String),
    /// No model fails, and this one did not come to its end.
    TooLong(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails(model) => write!(f, "{model} fails"),
            Self::Explained => f.write_str("explained"),
            Self::Passes => f.write_str("NO MODEL FAILS"),
            Self::Contradicted(model) => write!(f, "{model} FAILS, AGAINST THE REASON"),
            Self::TooLong(model) => write!(f, "{model} TAKES MORE THAN {} s", LIMIT.as_secs()),
        }
    }
}

/// Where weakened copies are made and tried.
pub(crate) struct Laboratory {
    workspace: PathBuf,
    models: Models,
    report: PathBuf,
}

impl Laboratory {
    /// Copies and builds in `folder`, and checks the checker.
    pub(crate) fn new(root: &Path, folder: &Path) -> Result<Self> {
        let workspace = folder.join("edges");
        let skipped = [&OUTSIDE_THE_WORKSPACE[..], &[RUNNER]].concat();
        mirror::mirror(root, &workspace, &skipped, |_, text| Ok(text))?;
        let checker = Checker::mended(root, &folder.join("mended-loom"))?;
        // Not where `cargo loom` builds: to cargo both copies are the same packages, and it would
        // take what was built from weakened code for that of the other copy.
        let models = Models::new(workspace.clone(), folder.join("edges-build"), &checker)?;
        let laboratory = Self { workspace, models, report: folder.join("edges.tsv") };
        let program = laboratory.models.program(SELF_TEST)?;
        match laboratory.run(&program, None, LIMIT)? {
            (Ended::Passed, _) => Ok(laboratory),
            _ => Err("the checker fails its self-test, so no model was run".into()),
        }
    }

    /// Checks that these models pass while nothing is weakened: else their failing says nothing.
    pub(crate) fn check_unweakened(&self, models: &[&String]) -> Result<()> {
        for model in models {
            let begun = Instant::now();
            if self.ended(model)? != Ended::Passed {
                return Err(format!("{model} does not pass while nothing is weakened").into());
            }
            println!("unweakened, {model} passes ({:.1} s)", begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Tries the row's models until one fails.
    pub(crate) fn verdict(&self, row: &Row, weakening: &Weakening) -> Result<Verdict> {
        self.weakened(weakening, |_| {
            let mut too_long = None;
            for model in &row.models {
                match self.ended(model)? {
                    Ended::Failed if row.is_explained() => {
                        return Ok(Verdict::Contradicted(model.clone()));
                    }
                    Ended::Failed => return Ok(Verdict::Fails(model.clone())),
                    Ended::Passed => {}
                    Ended::TooLate => too_long = Some(model.clone()),
                }
            }
            Ok(match too_long {
                Some(model) => Verdict::TooLong(model),
                None if row.is_explained() => Verdict::Explained,
                None => Verdict::Passes,
            })
        })
    }

    /// Which models fail, of those that the header of the weakened file names. One that brings its
    /// program down, or comes late, hides those after it.
    pub(crate) fn all_that_fail(&self, weakening: &Weakening) -> Result<Vec<String>> {
        self.weakened(weakening, |text| {
            let mut files = model_files(&self.workspace.join(MODELS))?;
            if text.contains(MODELS) {
                files.retain(|file| text.contains(&format!("{MODELS}/{file}.rs")));
            }
            let mut found = Vec::new();
            for file in files {
                let program = self.models.program(&file)?;
                let (ended, failed) = self.run(&program, None, SEARCH_LIMIT)?;
                found.extend(failed.into_iter().map(|model| format!("{file}: {model}")));
                match ended {
                    Ended::TooLate => found.push(format!("{file}: not all of them in time")),
                    Ended::Failed => found.push(format!("{file}: the program fails")),
                    Ended::Passed => {}
                }
            }
            Ok(found)
        })
    }

    /// Calls `f` while one ordering of the copy is weakened, with the weakened file's text.
    fn weakened<T>(&self, weakening: &Weakening, f: impl FnOnce(&str) -> Result<T>) -> Result<T> {
        let path = self.workspace.join(&weakening.key.file);
        let text = String::from_utf8(mirror::read(&path)?)?;
        mirror::write_if_changed(&path, weakening.apply(&text).as_bytes())?;
        let result = f(&text);
        mirror::write_if_changed(&path, text.as_bytes())?;
        result
    }

    fn ended(&self, model: &str) -> Result<Ended> {
        let (file, test) = split(model)?;
        let program = self.models.program(file)?;
        Ok(self.run(&program, Some(test), LIMIT)?.0)
    }

    /// How it ended, and the models that said that they failed.
    fn run(
        &self,
        program: &Path,
        test: Option<&str>,
        limit: Duration,
    ) -> Result<(Ended, Vec<String>)> {
        mirror::write_if_changed(&self.report, b"")?;
        let bound = DEFAULT_BOUND.to_string();
        let ended = self.models.run(program, test, &bound, &self.report, limit)?;
        let report = String::from_utf8(mirror::read(&self.report)?)?;
        if ended == Ended::Passed && report.is_empty() {
            let program = program.display();
            return Err(format!("{program} ran no model {}", test.unwrap_or_default()).into());
        }
        let failed = report.lines().filter(|line| line.starts_with("failed\t"));
        let mut names: Vec<_> =
            failed.filter_map(|line| line.rsplit('\t').next()).map(Into::into).collect();
        names.dedup();
        Ok((ended, names))
    }
}

fn split(model: &str) -> Result<(&str, &str)> {
    model.split_once("::").ok_or_else(|| format!("`{model}` is not `file::test`").into())
}

/// Whether a model of this name stands in the model files.
pub(crate) fn is_in_the_sources(root: &Path, model: &str) -> Result<bool> {
    let (file, test) = split(model)?;
    let (module, name) = match test.rsplit_once("::") {
        Some((module, name)) => (Some(module), name),
        None => (None, test),
    };
    let mut path = root.join(MODELS).join(file);
    path.extend(module.iter().flat_map(|module| module.split("::")));
    path.set_extension("rs");
    if !path.exists() {
        return Ok(false);
    }
    let text = String::from_utf8(mirror::read(&path)?)?;
    Ok(text.contains(&format!("\nfn {name}()")))
}
