//! One task at a time: while hot, after a pause, on a new pool.

use std::thread;

use crate::threads::count;
use crate::threads::pool::{Pool, Shutdown};
use crate::timing::{PAUSE, p50};

pub(crate) fn hot_round_trip<P: Pool>(workers: usize, round_trips: usize) -> f64 {
    let pool = P::new(workers);
    let ask = |number| pool.run(move || number);
    p50(1 + round_trips / 5, || (), ask);
    let micros = p50(round_trips, || (), ask);
    pool.shutdown();
    micros
}

pub(crate) fn idle_round_trip<P: Pool>(pauses: usize) -> f64 {
    let pool = P::new(1);
    let ask = |number| pool.run(move || number);
    p50(10, || thread::sleep(PAUSE), ask);
    let micros = p50(pauses, || thread::sleep(PAUSE), ask);
    pool.shutdown();
    micros
}

/// `None` for a pool that cannot be ended.
pub(crate) fn cold_start<P: Pool>(workers: usize, starts: usize) -> Option<f64> {
    if P::SHUTDOWN == Shutdown::Unsupported {
        return None;
    }
    Some(p50_of_starts(starts, |number| {
        let pool = P::new(workers);
        let answer = pool.run(move || number);
        pool.shutdown();
        answer
    }))
}

/// Median microseconds per pool to build so many, each of which runs one task, and to end them; `None` for a pool
/// that cannot be ended.
pub(crate) fn many_pools<P: Pool>(pools: usize, starts: usize) -> Option<f64> {
    if P::SHUTDOWN == Shutdown::Unsupported {
        return None;
    }
    let start = |number| {
        let all: Vec<P> = (0..pools).map(|_| P::new(1)).collect();
        let handles: Vec<_> = all.iter().map(|pool| pool.submit(move || number)).collect();
        for (pool, handle) in all.iter().zip(handles) {
            assert_eq!(pool.wait(handle), number, "every pool answers");
        }
        all.into_iter().for_each(P::shutdown);
        number
    };
    Some(per_pool(pools, starts, start))
}

/// Median microseconds that `start` takes, once all its threads of the last time are gone, per pool.
pub(crate) fn per_pool(pools: usize, starts: usize, start: impl Fn(u64) -> u64) -> f64 {
    let live = count::threads();
    let settle = || count::wait_until_at_most(live);
    p50(1, settle, &start);
    p50((starts / pools).max(3), settle, &start) / pools as f64
}

/// Threads that nobody joins have left before the next start, so that they do not disturb it.
pub(crate) fn p50_of_starts(starts: usize, start: impl Fn(u64) -> u64) -> f64 {
    let live = count::threads();
    let settle = || count::wait_until_at_most(live);
    p50(10, settle, &start);
    p50(starts, settle, &start)
}
