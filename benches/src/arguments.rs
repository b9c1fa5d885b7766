//! The command line.

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::jobs::{Contender, JOBS, Job, Kind, Load, Measure};

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
    pub(crate) jobs: Vec<&'static Job>,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) rounds: usize,
    /// Given to every measurement.
    pub(crate) load: LoadArguments,
}

/// Runs the same jobs on asyncpal and on its peers, taking turns, and prints a table per job.
#[derive(Parser)]
#[command(name = "peers", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// How often everybody takes a turn: at least 7, fewer only with --quick [default: 7, or 3 with --quick].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: Option<u16>,

    /// Only this job; may be repeated.
    #[arg(long = "job", value_name = "NAME", value_parser = parse_job)]
    jobs: Vec<&'static Job>,

    /// Only this pool or queue, beside the bare yardsticks; may be repeated.
    #[arg(long = "pool", value_name = "NAME", value_parser = parse_pool)]
    pools: Vec<Contender>,

    #[command(flatten)]
    load: LoadArguments,
}

#[derive(Clone, Copy, Args)]
pub(crate) struct LoadArguments {
    /// Tasks per measurement of `throughput` and `fire-and-forget` [default: 200000, or 20000 with --quick].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) tasks: Option<u32>,

    /// Less of everything: shows that it runs, not who wins.
    #[arg(long)]
    pub(crate) quick: bool,
}

impl LoadArguments {
    fn load(self) -> Load {
        let load = if self.quick { Load::QUICK } else { Load::FULL };
        Load { tasks: self.tasks.map_or(load.tasks, |tasks| tasks as usize), ..load }
    }

    /// The same load as arguments for another process.
    pub(crate) fn to_arguments(self) -> Vec<String> {
        let tasks = self.tasks.map(|tasks| format!("--tasks={tasks}"));
        tasks.into_iter().chain(self.quick.then(|| "--quick".to_owned())).collect()
    }
}

#[derive(Subcommand)]
enum Command {
    /// Makes one measurement in this process and prints the number: for perf, strace and friends.
    Measure {
        #[arg(value_parser = parse_job)]
        job: &'static Job,
        /// Which column of the job's table, counted from 1.
        column: usize,
        /// A row of the job's table.
        #[arg(value_parser = parse_contender)]
        contender: Contender,
        #[command(flatten)]
        load: LoadArguments,
    },
}

/// Ends the process with a message where the arguments make no sense.
pub(crate) fn parse() -> Request {
    let arguments = Arguments::parse();
    let request = match arguments.command {
        None => plan(arguments).map(Request::Compare),
        Some(Command::Measure { job, column, contender, load }) => column_of(job, column)
            .map(|measure| Request::Measure { measure, contender, load: load.load() }),
    };
    request.unwrap_or_else(|message| {
        Arguments::command().error(ErrorKind::ValueValidation, message).exit()
    })
}

fn plan(arguments: Arguments) -> Result<Plan, String> {
    let Arguments { repetitions, mut jobs, pools, load, .. } = arguments;
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
    if jobs.is_empty() {
        jobs = JOBS.iter().collect();
    }
    let chosen = |contender: &Contender| {
        let is_named = pools.iter().any(|pool| pool.name == contender.name);
        pools.is_empty() || is_named || contender.kind == Kind::Bare
    };
    let contenders = Contender::all().into_iter().filter(chosen).collect();
    Ok(Plan { jobs, contenders, rounds, load })
}

fn column_of(job: &Job, column: usize) -> Result<Measure, String> {
    let index = column.checked_sub(1);
    index.and_then(|index| job.columns.get(index)).map(|column| column.measure).ok_or_else(|| {
        format!("the job `{}` has the columns 1 to {}, not {column}", job.name, job.columns.len())
    })
}

fn parse_job(name: &str) -> Result<&'static Job, String> {
    let known = || JOBS.iter().map(|job| job.name).collect::<Vec<_>>().join(", ");
    JOBS.iter().find(|job| job.name == name).ok_or_else(|| format!("the jobs are {}", known()))
}

fn parse_pool(name: &str) -> Result<Contender, String> {
    find_contender(name, |contender| contender.kind != Kind::Bare)
}

fn parse_contender(name: &str) -> Result<Contender, String> {
    find_contender(name, |_| true)
}

fn find_contender(name: &str, may: impl Fn(&Contender) -> bool) -> Result<Contender, String> {
    let candidates: Vec<Contender> = Contender::all().into_iter().filter(may).collect();
    if let Some(found) = candidates.iter().find(|contender| contender.name == name) {
        return Ok(*found);
    }
    if name == "ours" {
        return Err("asyncpal is not built in; add --features ours".to_owned());
    }
    let known: Vec<_> = candidates.iter().map(|contender| contender.name).collect();
    Err(format!("the choice is {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(arguments: &[&str]) -> Result<Plan, String> {
        plan(Arguments::try_parse_from([&["peers"], arguments].concat()).expect("valid arguments"))
    }

    #[test]
    fn fewer_than_seven_rounds_are_refused_unless_quick() {
        assert!(plan_of(&["--repetitions=6"]).is_err());
        assert_eq!(plan_of(&["--repetitions=9"]).map(|plan| plan.rounds), Ok(9));
        assert_eq!(plan_of(&["--repetitions=1", "--quick"]).map(|plan| plan.rounds), Ok(1));
    }

    #[test]
    fn a_chosen_pool_runs_beside_the_yardsticks_only() {
        let plan = plan_of(&["--pool=rayon"]).expect("a valid plan");

        let pools = plan.contenders.iter().filter(|contender| contender.kind != Kind::Bare);
        assert_eq!(pools.map(|pool| pool.name).collect::<Vec<_>>(), ["rayon"]);
        assert!(plan.contenders.len() > 1);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = parse_pool("rayonn").expect_err("no such pool");
        assert!(message.contains("rayon, tokio"), "{message}");
        assert!(parse_job("hott").expect_err("no such job").contains("hot, idle"));
    }
}
