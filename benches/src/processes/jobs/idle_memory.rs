//! What workers hold on to while there is nothing to do.

use std::thread;
use std::time::Duration;

use crate::processes::children;
use crate::processes::pool::Pool;
use crate::processes::tasks::Sleep;

/// The lines of `smaps_rollup`.
pub(crate) const PROPORTIONAL: &str = "Pss:";
pub(crate) const RESIDENT: &str = "Rss:";

const WORKERS: usize = 2;

/// Long enough for the workers to share the tasks, and to go idle.
const A_WHILE: Duration = Duration::from_millis(50);

/// Mebibytes per worker, helper processes of the pool included.
pub(crate) fn per_worker<P: Pool>(line: &str) -> f64 {
    let pool = P::new(WORKERS);
    let millis = A_WHILE.as_millis() as u64;
    let handles: Vec<_> = (0..WORKERS).map(|_| pool.submit::<Sleep>(millis)).collect();
    for handle in handles {
        pool.wait(handle).expect("the task has a result");
    }
    thread::sleep(A_WHILE);

    let mebibytes = children::mebibytes(line);
    pool.shutdown();
    mebibytes / WORKERS as f64
}
