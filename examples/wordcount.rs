//! Counts the words of all text files under some directories: an unordered parallel map.
//!
//! `cargo run --release --example wordcount` counts those of this repository.

use core::error::Error;
use std::collections::HashMap;
use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use asyncpal::ThreadPool;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Parser, value_parser};
use indicatif::{ProgressBar, ProgressIterator};
use walkdir::{DirEntry, WalkDir};

const SKIPPED: [&str; 2] = [".git", "target"];
const SHOWN: usize = 20;

type Counts = HashMap<String, u64>;

/// Count the words of all text files under some directories, except in `target` and `.git`.
#[derive(Parser)]
#[command(name = "wordcount")]
struct Arguments {
    /// Directories to search
    #[arg(value_name = "DIRECTORY", default_value = env!("CARGO_MANIFEST_DIR"))]
    #[arg(value_parser = PathBufValueParser::new().try_map(readable_directory))]
    directories: Vec<PathBuf>,

    /// Files per task
    #[arg(long, value_name = "N", default_value_t = 16)]
    #[arg(value_parser = value_parser!(u16).range(1..))]
    chunk_size: u16,

    /// Maximum of worker threads [default: processors + 5]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..))]
    workers: Option<u16>,
}

fn readable_directory(path: PathBuf) -> io::Result<PathBuf> {
    fs::read_dir(&path).map(|_| path)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    run(&arguments).unwrap_or_else(|error| {
        eprintln!("wordcount: {error}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut builder = ThreadPool::builder().name("wordcount");
    if let Some(workers) = arguments.workers {
        builder = builder.max_workers(workers.into());
    }
    let pool = builder.build()?;

    let started = Instant::now();
    let (paths, mut errors) = find_files(&arguments.directories);
    let progress = if io::stdout().is_terminal() {
        ProgressBar::new(paths.len().try_into()?)
    } else {
        ProgressBar::hidden()
    };

    let (mut totals, mut files) = (Counts::new(), 0_u64);
    let counted = pool.map_unordered(count_words, paths).chunk_size(arguments.chunk_size.into());
    for counts in counted.progress_with(progress.clone()) {
        match counts {
            Ok(Ok(Some(counts))) => {
                files += 1;
                for (word, count) in counts {
                    *totals.entry(word).or_default() += count;
                }
            }
            Ok(Ok(None)) => {} // binary
            Ok(Err(error)) => errors.push(error),
            Err(error) => errors.push(format!("a chunk of files: {error}")),
        }
    }
    progress.finish_and_clear();

    for error in &errors {
        eprintln!("wordcount: {error}");
    }
    let words: u64 = totals.values().sum();
    let files_per_second = files as f64 / started.elapsed().as_secs_f64();
    let mut out = BufWriter::new(io::stdout().lock());
    for (word, count) in most_frequent(totals) {
        writeln!(out, "{count:>8} {word}")?;
    }
    writeln!(out, "{files} files, {words} words, {files_per_second:.0} files/s")?;
    out.flush()?;
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The regular files under the directories, and what could not be searched.
fn find_files(directories: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for directory in directories {
        for entry in WalkDir::new(directory).into_iter().filter_entry(is_wanted) {
            match entry {
                Ok(entry) if entry.file_type().is_file() => files.push(entry.into_path()),
                Ok(_) => {}
                Err(error) => errors.push(error.to_string()),
            }
        }
    }
    (files, errors)
}

fn is_wanted(entry: &DirEntry) -> bool {
    let is_skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
    // The directories that the user named are searched whatever their names.
    entry.depth() == 0 || !entry.file_type().is_dir() || !is_skipped
}

/// Counts the words of one file; `None` if it is not text.
fn count_words(path: PathBuf) -> Result<Option<Counts>, String> {
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
    if text.contains('\0') {
        return Ok(None);
    }
    let mut counts = Counts::new();
    for word in text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    Ok(Some(counts))
}

/// The first few by falling count, then by alphabet.
fn most_frequent(totals: Counts) -> Vec<(String, u64)> {
    let mut totals: Vec<_> = totals.into_iter().collect();
    totals.sort_unstable_by(|(word, count), (other_word, other_count)| {
        other_count.cmp(count).then_with(|| word.cmp(other_word))
    });
    totals.truncate(SHOWN);
    totals
}
