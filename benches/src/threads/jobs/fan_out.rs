//! Tasks that last a little, shared by two workers while their caller waits for all of them.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use crate::threads::pool::Pool;
use crate::timing::p50;

pub(crate) const TASKS: u64 = 64;
pub(crate) const WORKERS: u64 = 2;

/// Of one task.
const LASTS: Duration = Duration::from_micros(20);

/// Median microseconds from the first submit until the last result is there.
pub(crate) fn micros<P: Pool>(repetitions: usize) -> f64 {
    let pool = P::new(WORKERS as usize);
    let fan_out = |number| {
        let handles: Vec<_> = (0..TASKS).map(|_| pool.submit(move || work(number))).collect();
        collected(handles.into_iter().map(|handle| pool.wait(handle)), TASKS)
    };
    let micros = p50_of_fans(repetitions, fan_out);
    pool.shutdown();
    micros
}

pub(crate) fn p50_of_fans(repetitions: usize, fan_out: impl Fn(u64) -> u64) -> f64 {
    p50(10, || (), &fan_out);
    p50(repetitions, || (), &fan_out)
}

/// A task: no less by the clock, however fast the processor.
pub(crate) fn work(number: u64) -> u64 {
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        spin_loop();
    }
    number
}

/// The number that so many answers give.
pub(crate) fn collected(numbers: impl Iterator<Item = u64>, expected: u64) -> u64 {
    let sum: u64 = numbers.sum();
    assert_eq!(sum % expected, 0, "everybody gives the same answer");
    sum / expected
}
