//! Maps on thread pools that end before their items do: at a timeout, when they are dropped, or with the pool.

use core::convert::identity;
use core::fmt::Debug;
use core::sync::atomic::Ordering;
use core::time::Duration;

use asyncpal::{PoolError, TaskError};
use tasks::{LONG, Outcome, SHORT, counted, pool, sorted, values, zero_waits};

#[path = "common/tasks.rs"]
mod tasks;

#[test]
fn an_expired_timeout_is_one_error_and_the_end() {
    fn check(mut results: impl Iterator<Item = Result<u32, TaskError>>) {
        assert!(matches!(results.next(), Some(Err(TaskError::TimedOut))));
        assert!(results.next().is_none());
    }
    let pool = pool(1);
    let (wait, gate) = zero_waits();
    let items = || [(0,), (1,)];

    check(pool.map(wait.clone(), 0..2).timeout(SHORT));
    check(pool.map_unordered(wait.clone(), 0..2).timeout(SHORT));
    check(pool.starmap(wait.clone(), items()).timeout(SHORT));
    check(pool.starmap_unordered(wait.clone(), items()).timeout(SHORT));
    check(pool.map_all(wait.clone(), 0..2, 1).timeout(SHORT));
    check(pool.map_all_unordered(wait.clone(), 0..2, 1).timeout(Duration::ZERO));
    check(pool.starmap_all(wait.clone(), items(), 1).timeout(Duration::ZERO));
    check(pool.starmap_all_unordered(wait, items(), 1).timeout(SHORT));

    // What had not started was cancelled; what has is told as claimed a little before it is no longer counted.
    while pool.count_pending_tasks() > 0 {
        std::thread::yield_now();
    }
    drop(gate);
}

#[test]
fn a_map_whose_time_is_up_submits_nothing_more() {
    let pool = pool(1);
    let (wait, gate) = zero_waits();
    let (items, taken) = counted();
    let items = items.map(|n| n as u32);

    let mut results = pool.map(wait, items).buffer_size(2).timeout(SHORT);
    assert!(matches!(results.next(), Some(Err(TaskError::TimedOut))));
    drop(gate);
    pool.join();

    assert!(results.next().is_none() && results.next().is_none());
    assert_eq!(taken.load(Ordering::SeqCst), 2);
}

#[test]
fn an_unexpired_timeout_changes_nothing() {
    let pool = pool(2);
    let items = || (0..10).map(|n| (n,));
    let expected: Vec<u32> = (0..10).collect();

    assert_eq!(values(pool.map(|n: u32| n, 0..10).timeout(LONG)), expected);
    assert_eq!(values(pool.starmap(|n: u32| n, items()).timeout(LONG)), expected);
    assert_eq!(values(pool.map_all(|n: u32| n, 0..10, 2).timeout(LONG)), expected);
    assert_eq!(values(pool.starmap_all(|n: u32| n, items(), 2).timeout(LONG)), expected);
    let unordered = pool.map_unordered(|n: u32| n, 0..10).timeout(LONG);
    assert_eq!(sorted(values(unordered)), expected);
    let unordered = pool.map_all_unordered(|n: u32| n, 0..10, 2).timeout(LONG);
    assert_eq!(sorted(values(unordered)), expected);
}

#[test]
fn dropping_a_map_cancels_the_chunks_that_have_not_started() {
    let pool = pool(1);
    let (wait, gate) = zero_waits();
    // The one worker is busy with the first chunk of this one.
    let mut stuck = pool.map(wait, 0..10).buffer_size(10).timeout(SHORT);
    assert!(matches!(stuck.next(), Some(Err(TaskError::TimedOut))));
    while pool.count_pending_tasks() > 9 {
        std::thread::yield_now();
    }
    let eager = pool.map_all(|n: u32| n, 0..100, 1);
    let unordered = pool.map_all_unordered(|n: u32| n, 0..100, 1);
    assert_eq!(pool.count_pending_tasks(), 209);

    drop(eager);
    assert_eq!(pool.count_pending_tasks(), 109);
    drop(unordered);
    assert_eq!(pool.count_pending_tasks(), 9);
    drop(stuck);
    assert_eq!(pool.count_pending_tasks(), 0);

    drop(gate);
}

#[test]
fn a_pool_that_is_closed_meanwhile_ends_a_lazy_map_after_what_it_took() {
    fn check(outcomes: [Outcome<u64>; 5]) {
        let [first, second, third, rejected, end] = outcomes;
        assert!(matches!(first, Some(Ok(0))), "{first:?}");
        for chunk in [second, third] {
            assert!(matches!(chunk, Some(Ok(_) | Err(TaskError::Cancelled(_)))), "{chunk:?}");
        }
        let closed = matches!(&rejected, Some(Err(TaskError::Rejected(PoolError::Closed))));
        assert!(closed, "{rejected:?}");
        assert!(end.is_none());
    }
    for ordered in [true, false] {
        let pool = pool(1);
        let mut results = if ordered {
            pool.map(identity, 0_u64..).buffer_size(3)
        } else {
            pool.map_unordered(identity, 0_u64..).buffer_size(3)
        };

        let first = results.next();
        pool.shutdown();
        let mut rest: Vec<_> = results.by_ref().collect();

        // Unordered, a refusal does not wait for its turn.
        rest.sort_by_key(|outcome| matches!(outcome, Err(TaskError::Rejected(_))));
        let mut rest = rest.into_iter();
        check([first, rest.next(), rest.next(), rest.next(), rest.next()]);
        assert!(results.next().is_none());
    }
}

#[test]
fn a_map_on_a_closed_pool_is_one_error() {
    fn check<T: Debug>(mut results: impl Iterator<Item = Result<T, TaskError>>) {
        let only = results.next();
        assert!(matches!(&only, Some(Err(TaskError::Rejected(PoolError::Closed)))), "{only:?}");
        assert!(results.next().is_none());
    }
    let pool = pool(1);
    pool.shutdown();

    check(pool.map(|n| n, 0_u64..));
    check(pool.map_unordered(|n| n, 0_u64..));
    check(pool.map_all(|n| n, 0_u64.., 1));
    check(pool.starmap_all_unordered(|x: u32, y: u32| x + y, [(1, 2), (3, 4)], 1));
}
