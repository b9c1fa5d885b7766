//! The file of the baseline: where it was counted, and what.

use core::fmt;
use core::str::FromStr;
use std::env;
use std::error::Error;
use std::process::Command;

use crate::Result;

/// What is counted: instructions, and those among them that read and write memory in one atomic step.
pub(crate) const FIGURES: [&str; 2] = ["instructions", "atomics"];

/// What a function takes for each time that it does what it is named after.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    pub(crate) path: String,
    pub(crate) figures: [f64; FIGURES.len()],
}

/// On what the counts depend besides the sources.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Surroundings {
    rustc: String,
    target: String,
    libc: String,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Baseline {
    pub(crate) surroundings: Surroundings,
    pub(crate) counts: Vec<Count>,
}

impl Surroundings {
    pub(crate) fn here() -> Result<Self> {
        let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let about = said(Command::new(rustc).arg("-vV"))?;
        let line = |start| about.lines().find_map(|line| line.strip_prefix(start));
        let (Some(version), Some(host)) = (line("rustc "), line("host: ")) else {
            return Err(format!("rustc says neither its version nor its host: {about}").into());
        };
        // Copies of memory are its own.
        let libc = said(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
        Ok(Self {
            rustc: version.to_owned(),
            target: host.to_owned(),
            libc: libc.trim().to_owned(),
        })
    }
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

impl fmt::Display for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rustc, target, libc } = self;
        writeln!(f, "rustc   {rustc}\ntarget  {target}\nlibc    {libc}")
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [instructions, atomics] = FIGURES;
        writeln!(f, "{}", self.surroundings)?;
        writeln!(f, "{:<20} {instructions:>12} {atomics:>12}", "path")?;
        for Count { path, figures: [instructions, atomics] } in &self.counts {
            writeln!(f, "{path:<20} {instructions:>12.3} {atomics:>12.3}")?;
        }
        Ok(())
    }
}

impl FromStr for Baseline {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let mut field = |name| {
            let value = lines.next().and_then(|line| line.strip_prefix(name));
            value.map(|value| value.trim().to_owned()).ok_or(format!("baseline: no {name}"))
        };
        let surroundings =
            Surroundings { rustc: field("rustc")?, target: field("target")?, libc: field("libc")? };
        field("path")?;
        let counts = lines.map(|line| {
            let mut words = line.split_whitespace();
            let mut word = || words.next().ok_or(format!("baseline: {line}"));
            let path = word()?.to_owned();
            Ok(Count { path, figures: [word()?.parse()?, word()?.parse()?] })
        });
        Ok(Self { surroundings, counts: counts.collect::<Result<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let surroundings = Surroundings {
            rustc: "1.95.0 (59807616e 2026-04-14)".to_owned(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
            libc: "glibc 2.36".to_owned(),
        };
        let counts = vec![
            Count { path: "submit::heap".to_owned(), figures: [368.912, 5.028] },
            Count { path: "a_function_of_a_long_name::heap".to_owned(), figures: [3.0, 0.0] },
        ];
        let written = Baseline { surroundings, counts };

        let read: Baseline = written.to_string().parse().unwrap();

        assert_eq!(read, written);
    }

    #[test]
    fn a_baseline_of_nowhere_is_refused() {
        let error = "submit::heap 3.000 0.000\n".parse::<Baseline>().unwrap_err();

        assert_eq!(error.to_string(), "baseline: no rustc");
    }
}
