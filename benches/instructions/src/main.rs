//! `cargo instructions`: counts the instructions of the hot paths, and compares them with `baseline.txt`.

#![forbid(unsafe_code)]

mod baseline;
mod comparison;
mod counting;

use core::error::Error;
use core::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use baseline::{Baseline, Count, Surroundings};
use comparison::{Row, TOLERANCE_PERCENT, Verdict};

type Result<T> = core::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
Counts the instructions of the hot paths and compares them with benches/instructions/baseline.txt.

    cargo instructions            fails if one takes more than it may; with status 77 where
                                  compiler, target or libc are not the baseline's
    cargo instructions --write    makes what is counted now the baseline
";

/// The status where nothing is compared: by convention that of a test that was skipped.
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    match run() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("cargo instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let writes = match &env::args().skip(1).collect::<Vec<_>>()[..] {
        [] => false,
        [option] if option == "--write" => true,
        [option] if option == "--help" => {
            print!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        others => return Err(format!("unknown arguments {others:?}; see --help").into()),
    };

    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = package.join("baseline.txt");
    let now = Baseline { surroundings: Surroundings::here()?, counts: counting::count(package)? };
    if writes {
        fs::write(&path, now.to_string())?;
        print!("{now}");
        return Ok(ExitCode::SUCCESS);
    }

    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let baseline: Baseline = text.parse()?;
    if baseline.surroundings != now.surroundings {
        print!("{now}\nNothing is compared, as the baseline is of\n{}", baseline.surroundings);
        println!("`cargo instructions --write`, on sources that are known to be good.");
        return Ok(ExitCode::from(SKIPPED));
    }
    judge(&baseline.counts, &now.counts)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the table; an error if a function takes more than it may.
fn judge(before: &[Count], now: &[Count]) -> Result<()> {
    let rows = comparison::compare(before, now)?;
    for Row { path, figure, before, now } in &rows {
        println!("{path:<20} {figure:<12} {before:>9.3} → {now:>9.3}");
    }
    for Row { path, figure, .. } in rows.iter().filter(|row| row.verdict() == Verdict::Better) {
        println!("{path} takes fewer {figure}: `cargo instructions --write` keeps it so.");
    }
    let mut complaint = String::new();
    for Row { path, figure, before, now } in
        rows.iter().filter(|row| row.verdict() == Verdict::Worse)
    {
        write!(complaint, "\n  {path} takes {now:.3} {figure}, its baseline is {before:.3}")?;
    }
    if complaint.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than {TOLERANCE_PERCENT} % over the baseline:{complaint}\n\
        If this buys something, `cargo instructions --write` and say in the commit what."
    )
    .into())
}
