//! The model files, and cargo, which builds and runs them.

use crate::checker::Checker;
use crate::report::Report;
use crate::{Result, SELF_TEST};
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, available_parallelism};
use std::time::Instant;
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

/// What came of a program's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Passed,
    Failed,
    /// Not within its time.
    TooLate,
}

impl Models {
    /// The models in `workspace`, to be built with `checker` into the target folder `build`.
    pub(crate) fn new(workspace: PathBuf, build: PathBuf, checker: &Checker) -> Result<Self> {
        let rustflags = with_cfg(
            env::var("CARGO_ENCODED_RUSTFLAGS").ok().as_deref(),
            env::var("RUSTFLAGS").ok().as_deref(),
        );
        Ok(Self { workspace, build, patch: checker.patch()?, rustflags })
    }

    /// Builds all of them, and shows how.
    pub(crate) fn build(&self) -> Result<()> {
        let built = self.cargo("build").arg("--tests").status().map_err(cannot_start)?;
        if built.success() { Ok(()) } else { Err("the models do not build".into()) }
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

    /// Builds one model file; where its program is.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        let built = self
            .cargo("test")
            .args(["--no-run", "--test", name, "--message-format=json-render-diagnostics"])
            .output()
            .map_err(cannot_start)?;
        if !built.status.success() {
            let said = String::from_utf8_lossy(&built.stderr);
            return Err(format!("the models of {name} do not build:\n{said}").into());
        }
        let messages = String::from_utf8(built.stdout)?;
        executable(&messages)
            .ok_or_else(|| format!("cargo does not say where {name} was built").into())
    }

    /// Runs one test of a program, or all of them, for so long.
    pub(crate) fn run(
        &self,
        program: &Path,
        test: Option<&str>,
        bound: &str,
        report: &Path,
        limit: Duration,
    ) -> Result<Ended> {
        let started = Instant::now();
        let mut child = Command::new(program)
            .current_dir(&self.workspace)
            .arg(format!("--test-threads={}", threads()))
            .arg("--exact")
            .args(test)
            .env("ASYNCPAL_LOOM_BOUND", bound)
            .env("ASYNCPAL_LOOM_REPORT", report)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(if status.success() { Ended::Passed } else { Ended::Failed });
            }
            if started.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                return Ok(Ended::TooLate);
            }
            thread::sleep(Duration::from_millis(10));
        }
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
pub(crate) fn model_files(folder: &Path) -> Result<Vec<String>> {
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

/// The test program that cargo says it built. Its messages are objects of JSON, one a line.
fn executable(messages: &str) -> Option<PathBuf> {
    let mut lines = messages.lines().filter(|line| line.contains("\"kind\":[\"test\"]"));
    let (_, rest) = lines.find_map(|line| line.split_once("\"executable\":\""))?;
    Some(rest.split_once('"')?.0.into())
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
    fn the_program_is_that_of_the_test_target() {
        let messages = "{\"target\":{\"kind\":[\"lib\"]},\"executable\":null}\n\
                        {\"target\":{\"kind\":[\"test\"]},\"executable\":\"/x/task-1\",\"fresh\":true}\n";

        assert_eq!(executable(messages), Some("/x/task-1".into()));
        assert_eq!(executable("{\"reason\":\"build-finished\"}"), None);
    }

    #[test]
    fn the_cfg_is_added_to_the_flags_that_cargo_would_use() {
        assert_eq!(with_cfg(None, None), "--cfg\x1fasyncpal_loom");
        assert_eq!(with_cfg(None, Some(" -C  x ")), "-C\x1fx\x1f--cfg\x1fasyncpal_loom");
        assert_eq!(with_cfg(Some("a b\x1fc"), Some("-C x")), "a b\x1fc\x1f--cfg\x1fasyncpal_loom");
    }
}
