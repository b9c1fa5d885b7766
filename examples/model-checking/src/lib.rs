//! Surveys: the parts of each are done side by side by a pool, and whoever finishes last sums up.
//!
//! An example of a library that is checked with its pools: see `docs/model-checking.md`.

mod countdown;
mod sync;

use asyncpal::{TaskError, ThreadPool};

pub use crate::countdown::{Countdown, HastyCountdown, LastOut};
use crate::sync::{Arc, Mutex};

/// One part of a survey: counts something.
pub type Part = Box<dyn FnOnce() -> u64 + Send>;

/// What the parts found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The count of each part, in the order in which they were done.
    pub counts: Vec<u64>,
    /// The sum, written by whoever finishes last: one.
    pub totals: Vec<u64>,
}

/// Does the parts on `pool`, one of them on this thread.
///
/// # Errors
///
/// If a part panicked, or the pool takes no tasks.
pub fn survey<L: LastOut>(pool: &ThreadPool, mut parts: Vec<Part>) -> Result<Report, TaskError> {
    let survey = Arc::new(Survey { open: L::new(parts.len()), report: Mutex::default() });
    let own = parts.pop();

    let mut tasks = Vec::with_capacity(parts.len());
    for part in parts {
        let survey = survey.clone();
        tasks.push(pool.submit(move || survey.work(part))?);
    }
    if let Some(part) = own {
        survey.work(part);
    }
    asyncpal::collect(tasks, None)?;

    let report = survey.report.lock().expect("no panic under the lock");
    Ok(report.clone())
}

struct Survey<L> {
    open: L,
    report: Mutex<Report>,
}

impl<L: LastOut> Survey<L> {
    fn work(&self, part: Part) {
        let count = part();
        self.report.lock().expect("no panic under the lock").counts.push(count);
        if self.open.leave() {
            self.sum_up();
        }
    }

    fn sum_up(&self) {
        let mut report = self.report.lock().expect("no panic under the lock");
        let total = report.counts.iter().sum();
        report.totals.push(total);
    }
}
