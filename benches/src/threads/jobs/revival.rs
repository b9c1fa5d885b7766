//! The first task of a pool that has none of its workers left.

use std::thread;
use std::time::{Duration, Instant};

use crate::threads::count;
use crate::threads::pool::Pool;
use crate::timing::{PAUSE, median};

/// Of a worker, and of the bare thread beside it.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_millis(1);

/// `None` for a pool that keeps its workers.
pub(crate) fn micros<P: Pool>(starts: usize) -> Option<f64> {
    let live = count::threads();
    let pool = P::with_idle_timeout(1, IDLE_TIMEOUT)?;
    pool.run(|| ());
    let micros =
        p50_until_begun(starts, live, || pool.submit(Instant::now), |handle| pool.wait(handle));
    pool.shutdown();
    Some(micros)
}

/// Median microseconds from `start` until the moment that `end` tells, each from no more threads than `live`.
pub(crate) fn p50_until_begun<H>(
    starts: usize,
    live: usize,
    start: impl Fn() -> H,
    end: impl Fn(H) -> Instant,
) -> f64 {
    let once = || {
        count::wait_until_at_most(live);
        // Not at once: what the kernel does for the thread that has ended is not to be measured.
        thread::sleep(PAUSE);
        let submitted = Instant::now();
        let begun = end(start());
        (begun - submitted).as_nanos() as f64 / 1e3
    };
    median((0..starts).map(|_| once()).collect()).expect("at least one start")
}
