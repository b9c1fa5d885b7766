//! Runs the same jobs on asyncpal and on its peers and prints a table per job.
//!
//! One run measures everybody, taking turns, and what counts is the ratio: an absolute time says
//! as much about the machine and its other tenants as about a pool or a queue.

mod arguments;
mod heap;
mod jobs;
#[cfg(feature = "ours")]
mod ours;
mod peers;
mod pool;
mod queue;
mod runner;
mod stats;
mod table;
mod threads;

use std::process::ExitCode;
use std::thread;

use crate::arguments::Request;

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

fn main() -> ExitCode {
    match arguments::parse() {
        Request::Measure { measure, contender, load } => {
            runner::answer(&contender, measure, &load);
            ExitCode::SUCCESS
        }
        Request::Compare(plan) => {
            if cfg!(debug_assertions) {
                eprintln!("warning: a debug build says nothing about speed; add --release");
            }
            if cfg!(not(feature = "ours")) {
                eprintln!("note: asyncpal is not built in and takes no part; add --features ours");
            }
            let processors = thread::available_parallelism().map_or(0, usize::from);
            println!("{processors} processors, {} rounds.", plan.rounds);
            let mut complete = true;
            for job in &plan.jobs {
                let rows = runner::run(job, &plan);
                complete &= rows.iter().all(table::Row::is_complete);
                print!("\n{}", table::markdown(job, &rows));
            }
            if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}
