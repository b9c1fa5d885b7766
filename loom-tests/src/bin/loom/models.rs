//! The model files, and cargo, which builds and runs them.

use crate::checker::Checker;
use crate::report::Report;
use crate::{Result, SELF_TEST};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::{env, fs};

pub(crate) struct Models {
    workspace: PathBuf,
    build: PathBuf,
    patch: String,
    rustflags: String,
}

/// A model file and those of its tests that are to run.
pub(crate) struct ModelFile {
    pub(crate) name: String,
    pub(crate) tests: Vec<String>,
}

impl Models {
    /// Builds the models in `workspace` with `checker`, into the target folder `build`.
    pub(crate) fn build(workspace: PathBuf, build: PathBuf, checker: &Checker) -> Result<Self> {
        let rustflags = with_cfg(
            env::var("CARGO_ENCODED_RUSTFLAGS").ok().as_deref(),
            env::var("RUSTFLAGS").ok().as_deref(),
        );
        let models = Self { workspace, build, patch: checker.patch()?, rustflags };
        let built = models.cargo("build").arg("--tests").status().map_err(cannot_start)?;
        if built.success() { Ok(models) } else { Err("the models do not build".into()) }
    }

    pub(crate) fn self_test(&self) -> Result<ModelFile> {
        Ok(ModelFile { name: SELF_TEST.to_owned(), tests: self.tests(SELF_TEST)? })
    }

    /// The models whose `file::test` contains `filter`.
    pub(crate) fn selected(&self, filter: Option<&str>) -> Result<Vec<ModelFile>> {
        let filter = filter.unwrap_or_default();
        let mut selected = Vec::new();
        for name in model_files(&self.workspace.join("loom-tests").join("tests"))? {
            let mut tests = self.tests(&name)?;
            tests.retain(|test| format!("{name}::{test}").contains(filter));
            if !tests.is_empty() {
                selected.push(ModelFile { name, tests });
            }
        }
        if selected.is_empty() && !filter.is_empty() {
            return Err(format!("no model's name contains `{filter}`; --list prints them").into());
        }
        Ok(selected)
    }

    /// Runs the tests of one file and adds them to the report; tells whether all passed.
    pub(crate) fn check(&self, file: &ModelFile, bound: &str, report: &mut Report) -> Result<bool> {
        let passed = self
            .cargo("test")
            .args(["--quiet", "--test", &file.name, "--", "--format=pretty", "--nocapture"])
            .arg(format!("--test-threads={}", threads()))
            .arg("--exact")
            .args(&file.tests)
            .env("ASYNCPAL_LOOM_BOUND", bound)
            .env("ASYNCPAL_LOOM_REPORT", report.path())
            .status()
            .map_err(cannot_start)?
            .success();
        report.collect(&file.name)?;
        Ok(passed)
    }

    /// The names of the tests in one file.
    fn tests(&self, name: &str) -> Result<Vec<String>> {
        let listed = self
            .cargo("test")
            .args(["--quiet", "--test", name, "--", "--list", "--format=terse"])
            .stderr(Stdio::inherit())
            .output()
            .map_err(cannot_start)?;
        if !listed.status.success() {
            return Err(format!("the tests of {name} cannot be listed").into());
        }
        let listed = String::from_utf8(listed.stdout)?;
        Ok(listed.lines().filter_map(|line| line.strip_suffix(": test")).map(Into::into).collect())
    }

    fn cargo(&self, what: &str) -> Command {
        let mut command = cargo();
        command
            .current_dir(&self.workspace)
            .args([what, "--release", "--package", "loom-tests"])
            .args(["--config", &self.patch])
            // A model is where an assertion of the code under test is worth most.
            .args(["--config", "profile.release.debug-assertions=true"])
            .arg("--target-dir")
            .arg(&self.build)
            .env("CARGO_ENCODED_RUSTFLAGS", &self.rustflags);
        command
    }
}

/// The cargo that started this program.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The files in `tests/` except for the self-test, in the order of their names.
fn model_files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| format!("{} is not UTF-8", path.display()))?;
            if name != SELF_TEST {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// The flags that cargo would use, in its unambiguous form, and the models' cfg.
fn with_cfg(encoded: Option<&str>, plain: Option<&str>) -> String {
    let mut flags: Vec<&str> = match (encoded, plain) {
        (Some(encoded), _) => encoded.split('\x1f').filter(|flag| !flag.is_empty()).collect(),
        (None, Some(plain)) => plain.split_whitespace().collect(),
        (None, None) => Vec::new(),
    };
    flags.extend(["--cfg", "asyncpal_loom"]);
    flags.join("\x1f")
}

/// loom runs a whole model on one thread, so that is one model per processor.
fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn cannot_start(error: std::io::Error) -> String {
    format!("cannot start cargo: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cfg_is_added_to_the_flags_that_cargo_would_use() {
        assert_eq!(with_cfg(None, None), "--cfg\x1fasyncpal_loom");
        assert_eq!(with_cfg(None, Some(" -C  x ")), "-C\x1fx\x1f--cfg\x1fasyncpal_loom");
        assert_eq!(with_cfg(Some("a b\x1fc"), Some("-C x")), "a b\x1fc\x1f--cfg\x1fasyncpal_loom");
    }
}
