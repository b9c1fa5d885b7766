//! Many tasks at once, with a handle for each.

use std::time::Instant;

use crate::processes::pool::Pool;
use crate::processes::tasks::Number;

/// Microseconds per task; `None` for a pool that cannot have a batch of this size pending.
pub(crate) fn with_handles<P: Pool>(workers: usize, batch: usize, tasks: usize) -> Option<f64> {
    let batch = batch.min(tasks);
    if batch > P::MAX_PENDING {
        return None;
    }
    let pool = P::new(workers);
    let mut handles = Vec::with_capacity(batch);
    let mut submit_and_collect = || {
        handles.extend((0..batch as u64).map(|number| pool.submit::<Number>(number)));
        let numbers = handles.drain(..).map(|handle| pool.wait(handle).expect("a result"));
        let batch = batch as u64;
        assert_eq!(numbers.sum::<u64>(), batch * (batch - 1) / 2, "every task returns its number");
    };
    // Once first: the workers live, queues and heap have their size.
    submit_and_collect();

    let batches = tasks.div_ceil(batch);
    let begun = Instant::now();
    (0..batches).for_each(|_| submit_and_collect());
    let elapsed = begun.elapsed();

    pool.shutdown();
    Some(elapsed.as_nanos() as f64 / 1e3 / (batches * batch) as f64)
}
