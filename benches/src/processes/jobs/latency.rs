//! One task at a time: while hot, after a pause, on a new pool.

use std::thread;

use crate::processes::pool::Pool;
use crate::processes::tasks::{Echo, Number};
use crate::timing::{PAUSE, p50, p50_of_questions};

pub(crate) const PAYLOAD: usize = 64;

/// A payload that can be told from others.
pub(crate) fn payload(bytes: usize, number: u64) -> Vec<u8> {
    let mut payload = vec![0x5a; bytes];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}

pub(crate) fn number_of(payload: &[u8]) -> u64 {
    u64::from_le_bytes(payload[..8].try_into().expect("eight bytes"))
}

/// By `run`.
pub(crate) fn hot_run<P: Pool>(workers: usize, round_trips: usize) -> f64 {
    hot::<P>(workers, round_trips, |pool, payload| pool.run::<Echo>(payload))
}

/// By `submit` and `wait`.
pub(crate) fn hot_submit<P: Pool>(workers: usize, round_trips: usize) -> f64 {
    hot::<P>(workers, round_trips, |pool, payload| {
        pool.wait(pool.submit::<Echo>(payload)).expect("the task has a result")
    })
}

fn hot<P: Pool>(workers: usize, round_trips: usize, ask: impl Fn(&P, Vec<u8>) -> Vec<u8>) -> f64 {
    let pool = P::new(workers);
    let trip = |number| number_of(&ask(&pool, payload(PAYLOAD, number)));
    p50(1 + round_trips / 5, || (), trip);
    let micros = p50(round_trips, || (), trip);
    pool.shutdown();
    micros
}

pub(crate) fn idle<P: Pool>(pauses: usize) -> f64 {
    let pool = P::new(1);
    let trip = |number| number_of(&pool.run::<Echo>(payload(PAYLOAD, number)));
    let sleep = || thread::sleep(PAUSE);
    p50(10, sleep, trip);
    let micros = p50(pauses, sleep, trip);
    pool.shutdown();
    micros
}

pub(crate) fn large<P: Pool>(bytes: usize, payloads: usize) -> f64 {
    let pool = P::new(1);
    let trips = |payloads| {
        let question = |number| payload(bytes, number);
        p50_of_questions(payloads, question, |p| pool.run::<Echo>(p), |p| number_of(&p))
    };
    trips(3);
    let micros = trips(payloads);
    pool.shutdown();
    micros
}

/// Milliseconds.
pub(crate) fn cold<P: Pool>(workers: usize, starts: usize) -> f64 {
    let start = |number| {
        let pool = P::new(workers);
        let answer = pool.run::<Number>(number);
        pool.shutdown();
        answer
    };
    p50(2, || (), start);
    p50(starts, || (), start) / 1e3
}
