//! `cargo loom`: every loom model, on a checker that is mended and tested first.
//!
//! The published loom skips interleavings (tokio-rs/loom#392), so a model that passes on it proves
//! nothing. This runner mends a copy of loom, and runs the models on a copy of the workspace
//! because the mended loom changes the lockfile. Everything it makes is under `loom/` in the target
//! folder.
//!
//! `cargo edges` is the same program: what it adds is in `edges`.
#![forbid(unsafe_code)]

mod arguments;
mod checker;
mod edges;
mod mirror;
mod models;
mod report;

use arguments::Request;
use checker::Checker;
use core::error::Error;
use models::Models;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

type Result<T> = core::result::Result<T, Box<dyn Error>>;

/// What the checker must pass before any model counts.
const SELF_TEST: &str = "self_test";

/// Folders that the manifest excludes from the workspace.
const OUTSIDE_THE_WORKSPACE: [&str; 2] = ["benches", "fuzz"];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo loom: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let request = Request::parse(env::args().skip(1))?;
    if request == Request::Help {
        print!("{}", arguments::help());
        return Ok(());
    }
    arguments::refuse_partial_runs(|name| env::var_os(name).is_some())?;

    let root = workspace_root()?;
    if let Request::Mend { folder } = &request {
        return mend(&root, folder);
    }
    let folder = target_folder(&root)?.join("loom");
    if let Request::Edges(request) = request {
        return edges::run(request, &root, &folder);
    }
    let workspace = folder.join("workspace");
    mirror::mirror(&root, &workspace, &OUTSIDE_THE_WORKSPACE, |_, text| Ok(text))?;
    let checker = Checker::mended(&root, &folder.join("mended-loom"))?;
    let models = Models::new(workspace, folder.join("build"), &checker)?;
    models.build()?;

    match request {
        Request::Help | Request::Mend { .. } | Request::Edges(_) => Ok(()),
        Request::List { filter } => list(&models, filter.as_deref()),
        Request::Check { filter, bound } => {
            let report = Report::start(folder.join("report.tsv"))?;
            check(&models, filter.as_deref(), &bound, report)
        }
    }
}

/// Writes the mended loom where models of other crates find it.
fn mend(root: &Path, folder: &Path) -> Result<()> {
    let checker = Checker::mended(root, &std::path::absolute(folder)?)?;
    println!("--config \"{}\"", checker.patch()?);
    Ok(())
}

fn list(models: &Models, filter: Option<&str>) -> Result<()> {
    for file in models.selected(filter)? {
        for test in &file.tests {
            println!("{}::{test}", file.name);
        }
    }
    Ok(())
}

fn check(models: &Models, filter: Option<&str>, bound: &str, mut report: Report) -> Result<()> {
    // Looked up first: a filter that selects nothing is told at once.
    let selected = models.selected(filter)?;
    let self_test = models.self_test()?;
    if !models.check(&self_test, bound, &mut report)? {
        report.print();
        return Err("the checker fails its self-test, so no model was run".into());
    }

    let mut failed = Vec::new();
    for file in &selected {
        if !models.check(file, bound, &mut report)? {
            failed.push(file.name.as_str());
        }
    }

    report.print();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn workspace_root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .ok_or("CARGO_MANIFEST_DIR is not set: start this program as `cargo loom`")?;
    let root = Path::new(&package).join("..");
    fs::canonicalize(&root)
        .map_err(|error| format!("no workspace at {}: {error}", root.display()).into())
}

/// The target folder of the cargo that runs this: two `cargo loom` with different ones do not meet.
fn target_folder(root: &Path) -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => Ok(std::path::absolute(folder)?),
        None => Ok(root.join("target")),
    }
}
