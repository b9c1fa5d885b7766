//! Runs the functions under callgrind.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, str};

use asyncpal_instructions::REPETITIONS;
use serde_json::Value;

use crate::Result;
use crate::baseline::Count;

/// What each function takes per repetition, in the order of the program.
pub(crate) fn count(package: &Path) -> Result<Vec<Count>> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["bench", "--quiet", "--locked", "--bench", "hot_paths", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .args(["--", "--output-format=json"])
        // Flags from outside would make another program.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("the functions could not be counted; are valgrind and gungraun-runner there, \
                    as `.ci/instructions` installs them?"
            .into());
    }
    str::from_utf8(&output.stdout)?.lines().map(of_summary).collect()
}

/// What a line of gungraun's output says.
fn of_summary(line: &str) -> Result<Count> {
    let summary: Value = serde_json::from_str(line)?;
    let name = |field| summary[field].as_str();
    let metrics = &summary["profiles"][0]["data"]["total"]["metrics"];
    let figure = |event| metrics[event]["values"]["new"].as_u64();
    let (Some(function), Some(case), Some(instructions), Some(atomics)) =
        (name("function_name"), name("id"), figure("Ir"), figure("Ge"))
    else {
        return Err(format!("gungraun speaks of its counts in another way: {line}").into());
    };
    let figures = [instructions, atomics].map(|total| total as f64 / REPETITIONS as f64);
    Ok(Count { path: format!("{function}::{case}"), figures })
}
