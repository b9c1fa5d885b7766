//! Takes the measurements in turns, each in a process of its own.

use std::env;
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::arguments::Plan;
use crate::comparison::{Contender, Job, Load, Measure};
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
pub(crate) fn run(job: &'static Job, contenders: &[Contender], plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> = contenders.iter().map(|contender| Row::new(contender, job)).collect();
    for _ in 0..plan.rounds {
        let columns = 0..job.columns.len();
        if job.side_by_side {
            let starts: Vec<Vec<Option<Child>>> = columns
                .map(|column| rows.iter().map(|row| start(job, column, row, plan)).collect())
                .collect();
            for (column, children) in starts.into_iter().enumerate() {
                for (row, child) in rows.iter_mut().zip(children) {
                    row.samples[column].push(finish(child));
                }
            }
        } else {
            for column in columns {
                for row in &mut rows {
                    let sample = finish(start(job, column, row, plan));
                    row.samples[column].push(sample);
                }
            }
        }
    }
    rows
}

/// `None` of what is not installed.
fn start(job: &Job, column: usize, row: &Row, plan: &Plan) -> Option<Child> {
    if !row.is_installed {
        return None;
    }
    let program = env::current_exe().expect("the path of this program");
    let child = Command::new(program)
        .args(["measure", job.name, &(column + 1).to_string(), row.name])
        .args(plan.load.to_arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    Some(child.expect("this program starts again"))
}

fn finish(child: Option<Child>) -> Sample {
    let Some(child) = child else { return Sample::NotApplicable };
    let output = child.wait_with_output().expect("the output of a child");
    let text = String::from_utf8_lossy(&output.stdout);
    match (output.status.success(), text.trim()) {
        (true, NOT_APPLICABLE) => Sample::NotApplicable,
        (true, number) => number.parse().map_or(Sample::Failed, Sample::Value),
        (false, _) => Sample::Failed,
    }
}
