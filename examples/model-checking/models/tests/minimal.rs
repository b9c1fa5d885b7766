//! The smallest models with a pool: of one task, and of time.
#![cfg(asyncpal_loom)]

use core::time::Duration;

use asyncpal::ThreadPool;
use asyncpal::model::{Time, check};

#[test]
fn a_task_is_collected() {
    let explored = check(2, || {
        let pool = ThreadPool::builder().max_workers(1).build().expect("valid settings");

        let handle = pool.submit(|| 6 * 7).expect("the pool is open");

        assert_eq!(handle.collect().expect("no panic"), 42);
    });
    println!("{explored:?}");
}

#[test]
fn an_idle_worker_leaves_when_its_time_is_up() {
    check(1, || {
        let time = Time::start();
        let minute = Duration::from_secs(60);
        let pool = ThreadPool::builder().max_workers(1).idle_timeout(minute).build();
        let pool = pool.expect("valid settings");
        pool.run(|| ()).expect("no panic");

        // The worker may be asleep, on its way to sleep, or not that far yet.
        time.elapse(minute);

        // Whatever it is, and does now, a task runs.
        pool.run(|| ()).expect("no panic");
    });
}
