//! Whether a pool grows although one worker is enough.

use crate::threads::count;
use crate::threads::pool::Pool;

const WORKERS: usize = 8;

/// Threads of a pool that was given one task at a time.
pub(crate) fn threads_after<P: Pool>(tasks: usize) -> f64 {
    let before = count::threads();
    let pool = P::new(WORKERS);
    for number in 0..tasks {
        assert_eq!(pool.run(move || number), number, "the task returns its number");
    }
    let threads = count::threads() - before;
    pool.shutdown();
    threads as f64
}
