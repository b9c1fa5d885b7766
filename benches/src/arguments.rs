//! The command line.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::comparison::{Contender, Job, Kind, Load, Measure, SUITES, Suite};
use crate::{document, processes, threads};

/// Fewer rounds give a median that one disturbance can move.
const LEAST_ROUNDS: usize = 7;
const QUICK_ROUNDS: usize = 3;

pub(crate) enum Request {
    Compare(Plan),
    /// One measurement in this process.
    Measure {
        measure: Measure,
        contender: Contender,
        load: Load,
    },
}

/// A run that compares.
pub(crate) struct Plan {
    pub(crate) chapters: Vec<Chapter>,
    pub(crate) rounds: usize,
    /// Given to every measurement.
    pub(crate) load: LoadArguments,
    /// The folder for the page and its plots.
    pub(crate) write: Option<PathBuf>,
}

/// What is run of a suite.
pub(crate) struct Chapter {
    pub(crate) suite: &'static Suite,
    pub(crate) jobs: Vec<&'static Job>,
    pub(crate) contenders: Vec<Contender>,
}

/// Runs the same jobs on asyncpal and on its peers, taking turns, and prints a table per job.
///
/// Without a command, every job, or those chosen by --job. Pools for Python are measured if there
/// is a `python3`, or the program that the environment variable PEERS_PYTHON names.
#[derive(Parser)]
#[command(name = "peers", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    choice: Choice,
}

#[derive(Args)]
struct Choice {
    /// How often everybody takes a turn: at least 7, fewer only with --quick [default: 7, or 3 with --quick].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: Option<u16>,

    /// Only this job; may be repeated.
    #[arg(long = "job", value_name = "NAME", value_parser = parse_job)]
    jobs: Vec<&'static Job>,

    /// Only this pool or queue, beside the bare yardsticks; may be repeated.
    #[arg(long = "pool", value_name = "NAME", value_parser = parse_pool)]
    pools: Vec<String>,

    /// Write the page `benchmarks.md` and its plots into this folder, too.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,

    #[command(flatten)]
    load: LoadArguments,
}

#[derive(Clone, Copy, Args)]
pub(crate) struct LoadArguments {
    /// Tasks per measurement where there are many [default: 200000, of processes 5000; with --quick a tenth].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) tasks: Option<u32>,

    /// Less of everything: shows that it runs, not who wins.
    #[arg(long)]
    pub(crate) quick: bool,
}

impl LoadArguments {
    fn load(self) -> Load {
        let (mut threads, mut processes) = if self.quick {
            (threads::Load::QUICK, processes::Load::QUICK)
        } else {
            (threads::Load::FULL, processes::Load::FULL)
        };
        if let Some(tasks) = self.tasks {
            threads.tasks = tasks as usize;
            processes.tasks = tasks as usize;
        }
        Load { threads, processes }
    }

    /// The same load as arguments for another process.
    pub(crate) fn to_arguments(self) -> Vec<String> {
        let tasks = self.tasks.map(|tasks| format!("--tasks={tasks}"));
        tasks.into_iter().chain(self.quick.then(|| "--quick".to_owned())).collect()
    }
}

#[derive(Subcommand)]
enum Command {
    /// Runs every job and writes the documentation's page of benchmarks with its plots.
    All(Choice),
    /// Runs the jobs of process pools.
    Processes(Choice),
    /// Runs the jobs of thread pools and queues.
    Threads(Choice),
    /// Makes one measurement in this process and prints the number: for perf, strace and friends.
    Measure {
        #[arg(value_parser = parse_job)]
        job: &'static Job,
        /// Which column of the job's table, counted from 1.
        column: usize,
        /// A row of the job's table.
        contender: String,
        #[command(flatten)]
        load: LoadArguments,
    },
}

/// Ends the process with a message where the arguments make no sense.
pub(crate) fn parse() -> Request {
    request(Arguments::parse()).unwrap_or_else(|message| {
        Arguments::command().error(ErrorKind::ValueValidation, message).exit()
    })
}

fn request(arguments: Arguments) -> Result<Request, String> {
    let plan = match arguments.command {
        None => plan(arguments.choice, |_| true),
        Some(Command::All(choice)) => {
            let write = choice.write.clone().unwrap_or_else(document::folder);
            plan(Choice { write: Some(write), ..choice }, |_| true)
        }
        Some(Command::Processes(choice)) => plan(choice, |suite| suite.name == "processes"),
        Some(Command::Threads(choice)) => plan(choice, |suite| suite.name == "threads"),
        Some(Command::Measure { job, column, contender, load }) => {
            return Ok(Request::Measure {
                measure: column_of(job, column)?,
                contender: contender_of(job, &contender)?,
                load: load.load(),
            });
        }
    };
    plan.map(Request::Compare)
}

fn plan(choice: Choice, is_wanted: impl Fn(&Suite) -> bool) -> Result<Plan, String> {
    let Choice { repetitions, jobs, pools, load, write } = choice;
    let rounds = match (repetitions.map(usize::from), load.quick) {
        (None, false) => LEAST_ROUNDS,
        (None, true) => QUICK_ROUNDS,
        (Some(rounds), false) if rounds < LEAST_ROUNDS => {
            return Err(format!(
                "{rounds} repetitions are too few for a median; give at least {LEAST_ROUNDS}, or add --quick"
            ));
        }
        (Some(rounds), _) => rounds,
    };
    let is_chosen = |job: &Job| jobs.is_empty() || jobs.iter().any(|one| one.name == job.name);
    let may_run = |contender: &Contender| {
        let is_named = pools.iter().any(|pool| pool == contender.name);
        pools.is_empty() || is_named || contender.kind == Kind::Bare
    };
    let chapter = |suite: &'static Suite| Chapter {
        suite,
        jobs: suite.jobs.iter().filter(|job| is_chosen(job)).collect(),
        contenders: (suite.contenders)().into_iter().filter(may_run).collect(),
    };
    let suites = SUITES.iter().filter(|suite| is_wanted(suite));
    let chapters: Vec<Chapter> =
        suites.map(chapter).filter(|chapter| !chapter.jobs.is_empty()).collect();
    if chapters.is_empty() {
        return Err("none of these jobs belongs to this command".to_owned());
    }
    Ok(Plan { chapters, rounds, load, write })
}

fn column_of(job: &Job, column: usize) -> Result<Measure, String> {
    let index = column.checked_sub(1);
    index.and_then(|index| job.columns.get(index)).map(|column| column.measure).ok_or_else(|| {
        format!("the job `{}` has the columns 1 to {}, not {column}", job.name, job.columns.len())
    })
}

fn parse_job(name: &str) -> Result<&'static Job, String> {
    let jobs = || SUITES.iter().flat_map(|suite| suite.jobs);
    let known = || jobs().map(|job| job.name).collect::<Vec<_>>().join(", ");
    jobs().find(|job| job.name == name).ok_or_else(|| format!("the jobs are {}", known()))
}

fn parse_pool(name: &str) -> Result<String, String> {
    let everybody = SUITES.iter().flat_map(|suite| (suite.contenders)());
    let pools = everybody.filter(|contender| contender.kind != Kind::Bare).collect();
    find_contender(name, pools).map(|contender| contender.name.to_owned())
}

fn contender_of(job: &Job, name: &str) -> Result<Contender, String> {
    let has_it = |suite: &&Suite| suite.jobs.iter().any(|one| one.name == job.name);
    let suite = SUITES.iter().find(has_it).expect("every job belongs to a suite");
    find_contender(name, (suite.contenders)())
}

fn find_contender(name: &str, candidates: Vec<Contender>) -> Result<Contender, String> {
    if let Some(found) = candidates.iter().find(|contender| contender.name == name) {
        return Ok(*found);
    }
    if name == "ours" {
        return Err("asyncpal is not built in; add --features ours".to_owned());
    }
    let mut known: Vec<_> = candidates.iter().map(|contender| contender.name).collect();
    known.dedup();
    Err(format!("the choice is {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(arguments: &[&str]) -> Result<Plan, String> {
        let arguments = Arguments::try_parse_from([&["peers"], arguments].concat());
        match request(arguments.expect("valid arguments"))? {
            Request::Compare(plan) => Ok(plan),
            Request::Measure { .. } => panic!("no comparison"),
        }
    }

    #[test]
    fn fewer_than_seven_rounds_are_refused_unless_quick() {
        assert!(plan_of(&["--repetitions=6"]).is_err());
        assert_eq!(plan_of(&["--repetitions=9"]).map(|plan| plan.rounds), Ok(9));
        assert_eq!(plan_of(&["--repetitions=1", "--quick"]).map(|plan| plan.rounds), Ok(1));
    }

    #[test]
    fn a_chosen_pool_runs_beside_the_yardsticks_only() {
        let plan = plan_of(&["--job=hot", "--pool=rayon"]).expect("a valid plan");

        let contenders = &plan.chapters[0].contenders;
        let pools = contenders.iter().filter(|contender| contender.kind != Kind::Bare);
        assert_eq!(pools.map(|pool| pool.name).collect::<Vec<_>>(), ["rayon"]);
        assert!(contenders.len() > 1);
    }

    #[test]
    fn a_command_runs_the_jobs_of_its_suite() {
        let plan = plan_of(&["processes"]).expect("a valid plan");

        assert_eq!(plan.chapters.len(), 1);
        assert!(plan.write.is_none());
        assert!(plan_of(&["all"]).expect("a valid plan").write.is_some());
        assert!(plan_of(&["processes", "--job=hot"]).is_err());
    }

    #[test]
    fn names_of_jobs_are_unique() {
        let mut names: Vec<_> =
            SUITES.iter().flat_map(|suite| suite.jobs).map(|job| job.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = parse_pool("rayonn").expect_err("no such pool");
        assert!(message.contains("rayon, tokio"), "{message}");
        assert!(parse_job("hott").expect_err("no such job").contains("hot, idle"));
    }
}
