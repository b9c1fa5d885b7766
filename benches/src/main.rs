//! Runs the same jobs on asyncpal and on its peers and prints a table per job.
//!
//! One run measures everybody, taking turns, and what counts is the ratio: an absolute time says
//! as much about the machine and its other tenants as about a pool or a queue.

mod arguments;
mod comparison;
mod document;
mod heap;
mod machine;
mod mapping;
mod plots;
mod processes;
mod runner;
mod table;
mod targets;
mod threads;
mod timing;

use std::process::ExitCode;
use std::time::Instant;

use crate::arguments::{Plan, Request};
use crate::document::Document;
use crate::machine::Machine;

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

fn main() -> ExitCode {
    // A worker is this program, started again: here it becomes one.
    processes::become_worker();

    match arguments::parse() {
        Request::Measure { measure, contender, load } => {
            runner::answer(&contender, measure, &load);
            ExitCode::SUCCESS
        }
        Request::Compare(plan) => compare(&plan),
    }
}

fn compare(plan: &Plan) -> ExitCode {
    if cfg!(debug_assertions) {
        eprintln!("warning: a debug build says nothing about speed; add --release");
    }
    if cfg!(not(feature = "ours")) {
        eprintln!("note: asyncpal is not built in and takes no part; add --features ours");
    }
    let machine = Machine::now();
    println!("{machine}, {} rounds.", plan.rounds);

    let mut document = Document::default();
    let mut complete = true;
    for chapter in &plan.chapters {
        document.begin(chapter.suite);
        for job in &chapter.jobs {
            let begun = Instant::now();
            let rows = runner::run(job, &chapter.contenders, plan);
            eprintln!("{}: {:.0} s", job.name, begun.elapsed().as_secs_f64());
            complete &= rows.iter().all(table::Row::is_complete);
            print!("\n## {}\n\n{}", table::heading(job), table::markdown(job, &rows));
            document.add(job, rows);
        }
    }
    if let Some(targets) = document.targets() {
        print!("\n## Targets\n\n{targets}");
    }
    println!("\n{}", machine.stolen());

    if let Some(folder) = &plan.write {
        let caption = format!("{machine}, {}, {} rounds", machine.stolen(), plan.rounds);
        match document.write(folder, &caption) {
            Ok(()) => println!("Written to {}.", folder.display()),
            Err(error) => {
                eprintln!("error: cannot write to {}: {error}", folder.display());
                complete = false;
            }
        }
    }
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
