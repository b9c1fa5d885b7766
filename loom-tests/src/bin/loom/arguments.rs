//! The command line and the environment: what is asked for.

use crate::{Result, edges};
use loom_tests::DEFAULT_BOUND;
use std::path::PathBuf;

pub(crate) fn help() -> String {
    format!(
        "\
Checks the loom models of asyncpal on a mended loom, after the checker's self-test.

Usage: cargo loom [NAME_FILTER] [--bound N] [--list]
       cargo loom --mend FOLDER

  NAME_FILTER   only the models whose name, `file::test`, contains this text
  --bound N     preemptions per execution (default {DEFAULT_BOUND}); `none` checks exhaustively;
                a model that states its own bound keeps it
  --list        print the models' names and run none
  --mend FOLDER write the mended loom there, for models of other crates, and run nothing:
                `cargo test --config \"patch.crates-io.loom.path='FOLDER'\"`
  --help        print this text

Usage: cargo edges [TEXT] [--check | --write | --find]

Weakens every ordering of the core in turn, and expects that the models fail which
loom-tests/EDGES.md names for it.

  TEXT          only the rows that contain this text
  --check       compare the table with the source, and run no model
  --write       bring the table up to date with the source; what people wrote stays
  --find        say which models fail, for the rows that contain TEXT or have no model

The exit status is 0 only if the self-test and every selected model passed.
LOOM_LOCATION=1 makes loom's messages name source lines.
"
    )
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Help,
    List {
        filter: Option<String>,
    },
    Mend {
        folder: PathBuf,
    },
    /// `bound` is a number or `none`, as the harness reads it.
    Check {
        filter: Option<String>,
        bound: String,
    },
    Edges(edges::Request),
}

impl Request {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments.into_iter().peekable();
        if arguments.next_if(|first| first == "--edges").is_some() {
            return parse_edges(arguments);
        }
        let mut filter = None;
        let mut bound = None;
        let mut list = false;
        let mut mend = None;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--list" => list = true,
                "--mend" => {
                    let folder = arguments.next().ok_or("--mend needs a folder")?;
                    mend = Some(PathBuf::from(folder));
                }
                "--bound" => {
                    let value = arguments.next().ok_or("--bound needs a number or `none`")?;
                    bound = Some(parse_bound(&value)?);
                }
                flag if flag.starts_with("--bound=") => {
                    bound = Some(parse_bound(&flag["--bound=".len()..])?);
                }
                flag if flag.starts_with('-') => {
                    return Err(format!("unknown option `{flag}`; --help lists them").into());
                }
                name => {
                    if let Some(first) = filter.replace(name.to_owned()) {
                        let error = format!("two name filters, `{first}` and `{name}`: give one");
                        return Err(error.into());
                    }
                }
            }
        }
        if let Some(folder) = mend {
            return if list || bound.is_some() || filter.is_some() {
                Err("--mend runs no model, so it stands alone".into())
            } else {
                Ok(Self::Mend { folder })
            };
        }
        if list && bound.is_some() {
            return Err("--list runs no model, so --bound says nothing".into());
        }
        Ok(if list {
            Self::List { filter }
        } else {
            Self::Check { filter, bound: bound.unwrap_or_else(|| DEFAULT_BOUND.to_string()) }
        })
    }
}

/// What follows `--edges`, which the alias `cargo edges` gives first.
fn parse_edges(arguments: impl Iterator<Item = String>) -> Result<Request> {
    let mut filter = None;
    let mut mode = None;
    for argument in arguments {
        let before = match argument.as_str() {
            "--help" | "-h" => return Ok(Request::Help),
            "--check" | "--write" | "--find" => mode.replace(argument.clone()),
            flag if flag.starts_with('-') => {
                return Err(format!("unknown option `{flag}`; --help lists them").into());
            }
            text => filter.replace(text.to_owned()),
        };
        if let Some(before) = before {
            return Err(format!("both `{before}` and `{argument}`: give one").into());
        }
    }
    Ok(Request::Edges(match (mode.as_deref(), filter) {
        (None, filter) => edges::Request::Try { filter },
        (Some("--find"), filter) => edges::Request::Find { filter },
        (Some("--check"), None) => edges::Request::Check,
        (Some(_), None) => edges::Request::Write,
        (Some(mode), Some(_)) => return Err(format!("{mode} is about the whole table").into()),
    }))
}

/// loom counts preemptions in a `u8`.
fn parse_bound(value: &str) -> Result<String> {
    if value == "none" || value.parse::<u8>().is_ok() {
        Ok(value.to_owned())
    } else {
        Err(format!("--bound `{value}` is neither a number from 0 to 255 nor `none`").into())
    }
}

/// Refuses the variables by which loom would check less than it is asked to.
pub(crate) fn refuse_partial_runs(is_set: impl Fn(&str) -> bool) -> Result<()> {
    const REFUSED: [(&str, &str); 4] = [
        ("LOOM_MAX_DURATION", "a run that it stops passes without having seen every execution"),
        ("LOOM_MAX_PERMUTATIONS", "a run that it stops passes without having seen every execution"),
        ("LOOM_CHECKPOINT_FILE", "a run that it resumes sees only the rest of the executions"),
        ("LOOM_MAX_PREEMPTIONS", "the bound is given by --bound"),
    ];
    match REFUSED.iter().find(|(name, _)| is_set(name)) {
        Some((name, why)) => Err(format!("{name} is set: unset it, {why}").into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request> {
        Request::parse(line.split_whitespace().map(str::to_owned))
    }

    fn check(filter: Option<&str>, bound: &str) -> Request {
        Request::Check { filter: filter.map(str::to_owned), bound: bound.to_owned() }
    }

    #[test]
    fn no_argument_checks_everything_at_the_default_bound() {
        assert_eq!(parse("").unwrap(), check(None, "2"));
    }

    #[test]
    fn filter_and_bound_come_in_any_order() {
        assert_eq!(parse("census --bound 3").unwrap(), check(Some("census"), "3"));
        assert_eq!(parse("--bound=none census").unwrap(), check(Some("census"), "none"));
    }

    #[test]
    fn cargo_edges_tries_every_row_unless_it_is_told_otherwise() {
        let filter = Some("state".to_owned());

        assert_eq!(parse("--edges").unwrap(), Request::Edges(edges::Request::Try { filter: None }));
        assert_eq!(parse("--edges --check").unwrap(), Request::Edges(edges::Request::Check));
        assert_eq!(
            parse("--edges state --find").unwrap(),
            Request::Edges(edges::Request::Find { filter })
        );
    }

    #[test]
    fn a_wrong_command_line_says_what_is_wrong() {
        for (line, expected) in [
            ("--bound", "needs a number"),
            ("--bound x", "`x` is neither"),
            ("--bound 256", "`256` is neither"),
            ("--bound -1", "`-1` is neither"),
            ("--fast", "unknown option `--fast`"),
            ("a b", "`a` and `b`"),
            ("--list --bound 3", "runs no model"),
            ("--mend", "needs a folder"),
            ("--mend x --list", "stands alone"),
            ("--edges --check --write", "`--check` and `--write`"),
            ("--edges --check state", "the whole table"),
        ] {
            let error = parse(line).unwrap_err().to_string();

            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_variable_that_ends_a_run_early_is_refused() {
        let error = refuse_partial_runs(|name| name == "LOOM_MAX_DURATION").unwrap_err();

        assert!(error.to_string().starts_with("LOOM_MAX_DURATION is set"), "{error}");
        assert!(refuse_partial_runs(|_| false).is_ok());
    }
}
