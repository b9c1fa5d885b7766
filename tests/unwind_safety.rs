//! Pools, handles and errors on both sides of a `catch_unwind`.

use core::panic::{RefUnwindSafe, UnwindSafe};
use std::panic::{catch_unwind, resume_unwind};

use asyncpal::{
    AsDone, BrokenCause, BuildError, Builder, CancelOnDrop, CancelledTask, CompletionFilter,
    GetAll, Handle, Map, MapAll, PoolError, SubmitError, TaskError, ThreadPool, Threads,
};

fn is_safe<T: UnwindSafe + RefUnwindSafe>() {}

#[test]
fn what_a_pool_gives_may_cross_a_caught_panic() {
    is_safe::<ThreadPool>();
    is_safe::<Builder<Threads>>();
    is_safe::<CancelledTask<Threads>>();
    is_safe::<Handle<u8>>();
    is_safe::<CancelOnDrop<u8>>();
    is_safe::<CompletionFilter<u8>>();
    is_safe::<GetAll<'_, u8>>();
    is_safe::<AsDone<u8>>();
    is_safe::<Map<'_, Threads, fn(u8) -> u8, core::ops::Range<u8>, u8>>();
    is_safe::<MapAll<u8>>();
    is_safe::<TaskError>();
    is_safe::<PoolError>();
    is_safe::<SubmitError<fn()>>();
    is_safe::<BuildError>();
    is_safe::<BrokenCause>();
    #[cfg(feature = "process")]
    is_safe::<asyncpal::ProcessPool>();
    #[cfg(feature = "process")]
    is_safe::<asyncpal::CommandPool>();
}

#[test]
fn a_pool_works_on_after_a_panic_among_its_callers_was_caught() {
    let pool = ThreadPool::builder().max_workers(2).build().expect("valid");
    let handle = pool.submit(|| 6 * 7).expect("open");
    let filter = CompletionFilter::new();

    let caught = catch_unwind(|| {
        let squares = pool.map(|n: u32| n * n, 0..100);
        filter.put(pool.submit(|| 1).expect("open"));
        let broken: Vec<_> =
            squares.inspect(|n| assert_ne!(*n.as_ref().expect("ran"), 81)).collect();
        broken.len()
    });

    assert!(caught.is_err());
    assert_eq!(filter.get().expect("put").collect().expect("no panic"), 1);
    let answer = catch_unwind(|| (handle.collect(), pool.run(|| 2)));
    let (first, second) = answer.unwrap_or_else(|payload| resume_unwind(payload));
    assert_eq!((first.expect("no panic"), second.expect("no panic")), (42, 2));
}
