//! Many payloads that no pipe holds.

use std::collections::VecDeque;
use std::time::Instant;

use super::latency::{number_of, payload};
use crate::processes::pool::Pool;
use crate::processes::tasks::Echo;

pub(crate) const MIB: usize = 1 << 20;

const WORKERS: usize = 2;

/// Milliseconds; `None` for a pool that does not survive as many in flight.
pub(crate) fn mebibytes<P: Pool>(in_flight: usize, payloads: usize) -> Option<f64> {
    let in_flight = in_flight.min(payloads);
    if in_flight > P::MAX_LARGE_PENDING {
        return None;
    }
    let pool = P::new(WORKERS);
    let collect = |(number, handle)| {
        let bytes: Vec<u8> = pool.wait(handle).expect("the task has a result");
        assert_eq!((bytes.len(), number_of(&bytes)), (MIB, number), "the payload comes back");
    };
    let echo_all = |payloads: Vec<Vec<u8>>| {
        let begun = Instant::now();
        let mut pending = VecDeque::with_capacity(in_flight);
        for (number, payload) in (0..).zip(payloads) {
            if pending.len() == in_flight {
                collect(pending.pop_front().expect("at least one"));
            }
            pending.push_back((number, pool.submit::<Echo>(payload)));
        }
        pending.into_iter().for_each(collect);
        begun.elapsed().as_nanos() as f64 / 1e6
    };
    let some = |count| (0..count).map(|number| payload(MIB, number)).collect();

    echo_all(some(4));
    let millis = echo_all(some(payloads as u64));
    pool.shutdown();
    Some(millis)
}
