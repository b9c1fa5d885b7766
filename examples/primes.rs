//! Tests numbers for primality in worker processes: an ordered parallel map.
//!
//! `cargo run --release --features process --example primes` tests six numbers of its own;
//! `seq 100 | cargo run --features process --example primes` the first hundred.

use core::error::Error;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use asyncpal::ProcessPool;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

const NUMBERS: [u64; 6] = [
    112272535095293,
    112582705942171,
    112272535095293,
    115280095190773,
    115797848077099,
    1099726899285419,
];

/// Test numbers for primality in worker processes.
#[derive(Parser)]
#[command(name = "primes")]
struct Arguments {
    /// Whole numbers [default: one per line from standard input, if that is not a terminal; six
    /// large ones if it is, or is empty]
    #[arg(value_name = "NUMBER", allow_negative_numbers = true)]
    numbers: Vec<String>,
}

fn main() -> ExitCode {
    asyncpal::process::init();

    let arguments = Arguments::parse();
    let numbers = numbers(&arguments.numbers).unwrap_or_else(|error| {
        Arguments::command().error(ErrorKind::ValueValidation, error).exit()
    });
    match run(numbers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("primes: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(numbers: Vec<u64>) -> Result<(), Box<dyn Error>> {
    let pool = ProcessPool::builder().build()?;
    let mut out = io::stdout().lock();
    for (number, prime) in numbers.iter().zip(pool.map(is_prime, numbers.clone())) {
        writeln!(out, "{number} is prime: {}", prime?)?;
    }
    Ok(())
}

/// Runs in the workers.
fn is_prime(n: u64) -> bool {
    if n < 2 {
        return false;
    }
    if n % 2 == 0 {
        return n == 2;
    }
    let mut i = 3;
    // Not `i * i <= n`, which overflows.
    while i <= n / i {
        if n % i == 0 {
            return false;
        }
        i += 2;
    }
    true
}

/// The numbers that the user gave, or ours.
fn numbers(arguments: &[String]) -> Result<Vec<u64>, String> {
    if !arguments.is_empty() {
        return parse("argument", arguments.iter().map(String::as_str));
    }
    let mut input = Vec::new();
    if !io::stdin().is_terminal() {
        io::stdin().read_to_end(&mut input).map_err(|error| format!("standard input: {error}"))?;
    }
    let numbers = parse("line", String::from_utf8_lossy(&input).lines())?;
    Ok(if numbers.is_empty() { NUMBERS.to_vec() } else { numbers })
}

/// Parses whole numbers, blank ones left out; `place` names one in the error.
fn parse<'t>(place: &str, texts: impl Iterator<Item = &'t str>) -> Result<Vec<u64>, String> {
    let numbered = (1_usize..).zip(texts.map(str::trim));
    numbered
        .filter(|(_, text)| !text.is_empty())
        .map(|(position, text)| {
            let bad = |_| {
                format!("{place} {position}: `{text}` is not a whole number from 0 to {}", u64::MAX)
            };
            text.parse().map_err(bad)
        })
        .collect()
}
