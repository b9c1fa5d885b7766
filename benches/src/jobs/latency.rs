//! One task at a time: while hot, after a pause, on a new pool.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use crate::pool::{Pool, Shutdown};
use crate::stats::median;
use crate::threads;

/// Long enough for every spinning phase to end and for the threads to sleep in the kernel.
pub(super) const PAUSE: Duration = Duration::from_millis(2);

/// Median microseconds of `repetitions` calls, each preceded by an untimed `prepare`.
pub(super) fn p50(
    repetitions: usize,
    mut prepare: impl FnMut(),
    mut timed: impl FnMut(u64) -> u64,
) -> f64 {
    let micros: Vec<f64> = (0..repetitions as u64)
        .map(|number| {
            prepare();
            let begun = Instant::now();
            let answer = timed(black_box(number));
            let elapsed = begun.elapsed();
            assert_eq!(answer, number, "the answer belongs to the question");
            elapsed.as_nanos() as f64 / 1e3
        })
        .collect();
    median(micros).expect("at least one repetition")
}

pub(super) fn hot_round_trip<P: Pool>(workers: usize, round_trips: usize) -> f64 {
    let pool = P::new(workers);
    let ask = |number| pool.run(move || number);
    p50(1 + round_trips / 5, || (), ask);
    let micros = p50(round_trips, || (), ask);
    pool.shutdown();
    micros
}

pub(super) fn idle_round_trip<P: Pool>(pauses: usize) -> f64 {
    let pool = P::new(1);
    let ask = |number| pool.run(move || number);
    p50(10, || thread::sleep(PAUSE), ask);
    let micros = p50(pauses, || thread::sleep(PAUSE), ask);
    pool.shutdown();
    micros
}

/// `None` for a pool that cannot be ended.
pub(super) fn cold_start<P: Pool>(workers: usize, starts: usize) -> Option<f64> {
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

/// Threads that nobody joins have left before the next start, so that they do not disturb it.
pub(super) fn p50_of_starts(starts: usize, start: impl Fn(u64) -> u64) -> f64 {
    let live = threads::count();
    let settle = || threads::wait_until_at_most(live);
    p50(10, settle, &start);
    p50(starts, settle, &start)
}
