//! Whether a pool shrinks while a trickle of tasks keeps some of it busy.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::threads::count;
use crate::threads::pool::Pool;

const WORKERS: usize = 8;
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
const BETWEEN_TASKS: Duration = Duration::from_millis(50);

/// `None` for a pool without an idle timeout.
pub(crate) fn threads_left<P: Pool>(trickle: Duration) -> Option<f64> {
    let before = count::threads();
    let pool = P::with_idle_timeout(WORKERS, IDLE_TIMEOUT)?;

    let all_busy = Arc::new(Barrier::new(WORKERS));
    let burst: Vec<_> = (0..WORKERS)
        .map(|_| {
            let all_busy = Arc::clone(&all_busy);
            pool.submit(move || all_busy.wait().is_leader())
        })
        .collect();
    for handle in burst {
        pool.wait(handle);
    }
    assert!(count::threads() >= before + WORKERS, "the burst needs every worker");

    let begun = Instant::now();
    while begun.elapsed() < trickle {
        thread::sleep(BETWEEN_TASKS);
        assert_eq!(pool.run(|| 1), 1);
    }
    let left = count::threads() - before;
    pool.shutdown();
    Some(left as f64)
}
