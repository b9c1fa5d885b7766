//! What a task costs while it waits in the queue.

use std::sync::Barrier;

use crate::heap;
use crate::threads::pool::Pool;

pub(crate) struct PerTask {
    pub(crate) bytes: f64,
    pub(crate) allocations: f64,
}

/// Behind a worker that is held at a gate; the queue grows from nothing and its growth counts.
pub(crate) fn pending<P: Pool>(tasks: usize) -> PerTask {
    let pool = P::new(1);
    pool.run(|| ());
    let gate: &'static Barrier = Box::leak(Box::new(Barrier::new(2)));
    let gatekeeper = pool.submit(move || {
        gate.wait();
        gate.wait();
    });
    gate.wait();

    // The vector is the caller's and is not counted.
    let mut handles = Vec::with_capacity(tasks);
    let growth = heap::growth_during(|| {
        handles.extend((0..tasks as u64).map(|number| pool.submit(move || number)));
    });

    gate.wait();
    pool.wait(gatekeeper);
    let sum: u64 = handles.into_iter().map(|handle| pool.wait(handle)).sum();
    let tasks = tasks as u64;
    assert_eq!(sum, tasks * (tasks - 1) / 2, "every task returns its number");
    pool.shutdown();
    PerTask {
        bytes: growth.bytes as f64 / tasks as f64,
        allocations: growth.allocations as f64 / tasks as f64,
    }
}
