//! Takes the measurements in turns, each in a process of its own.

use std::env;
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::arguments::Plan;
use crate::jobs::{Contender, Job, Load, Measure};
use crate::table::{Row, Sample};

/// Far above the longest measurement; a pool that hangs costs its cell and not the run.
const DEADLINE: Duration = Duration::from_secs(60);

/// What [`answer`] prints where the contender cannot do the job.
const NOT_APPLICABLE: &str = "-";

/// The near end: makes one measurement and prints it.
pub(crate) fn answer(contender: &Contender, measure: Measure, load: &Load) {
    let name = contender.name;
    thread::spawn(move || {
        thread::sleep(DEADLINE);
        eprintln!("{name}: {measure:?} is not done after {DEADLINE:?}");
        process::exit(1);
    });
    match contender.measure(measure, load) {
        Some(value) => println!("{value}"),
        None => println!("{NOT_APPLICABLE}"),
    }
}

/// The far end: every contender in turn, round after round.
pub(crate) fn run(job: &'static Job, plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> =
        plan.contenders.iter().map(|contender| Row::new(contender, job.columns.len())).collect();
    for _ in 0..plan.rounds {
        for column in 0..job.columns.len() {
            let start = |contender| start(job, column, contender, plan);
            let samples: Vec<Sample> = if job.side_by_side {
                let children: Vec<Child> = plan.contenders.iter().map(start).collect();
                children.into_iter().map(finish).collect()
            } else {
                plan.contenders.iter().map(|contender| finish(start(contender))).collect()
            };
            for (row, sample) in rows.iter_mut().zip(samples) {
                row.samples[column].push(sample);
            }
        }
    }
    rows
}

fn start(job: &Job, column: usize, contender: &Contender, plan: &Plan) -> Child {
    let program = env::current_exe().expect("the path of this program");
    Command::new(program)
        .args(["measure", job.name, &(column + 1).to_string(), contender.name])
        .args(plan.load.to_arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts again")
}

fn finish(child: Child) -> Sample {
    let output = child.wait_with_output().expect("the output of a child");
    let text = String::from_utf8_lossy(&output.stdout);
    match (output.status.success(), text.trim()) {
        (true, NOT_APPLICABLE) => Sample::NotApplicable,
        (true, number) => number.parse().map_or(Sample::Failed, Sample::Value),
        (false, _) => Sample::Failed,
    }
}
