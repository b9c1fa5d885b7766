//! Workers that leave before their pool does.

use core::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs};

use crate::{options, own_pid, trials};

trials! {
    a_worker_that_has_grown_is_replaced_after_its_task
    a_worker_that_gives_back_what_it_took_stays
    a_worker_that_grew_is_closed_and_not_killed
    a_worker_leaves_after_its_share_of_tasks
}

const LIMIT: u64 = 64 << 20;

/// Takes memory for good, and says who has it.
fn leak(bytes: u64) -> u32 {
    core::mem::forget(vec![1_u8; bytes as usize]);
    own_pid()
}

/// Takes memory for a while.
fn take(bytes: u64) -> u32 {
    drop(core::hint::black_box(vec![1_u8; bytes as usize]));
    own_pid()
}

fn a_worker_that_has_grown_is_replaced_after_its_task() {
    let pool = options().max_worker_rss(LIMIT).pool().max_workers(1).build().expect("valid");
    let run = |bytes| pool.submit_with(leak, (bytes,)).expect("open").collect().expect("it ends");

    let pids: Vec<u32> = [1, 2 * LIMIT, 2, 3, 2 * LIMIT, 4].map(run).to_vec();

    assert_eq!(pids[0], pids[1]);
    assert_ne!(pids[1], pids[2]);
    assert_eq!(pids[2..5], [pids[2]; 3]);
    assert_ne!(pids[4], pids[5]);
}

fn a_worker_that_gives_back_what_it_took_stays() {
    let pool = options().max_worker_rss(LIMIT).pool().max_workers(1).build().expect("valid");
    let run = |bytes| pool.submit_with(take, (bytes,)).expect("open").collect().expect("it ends");

    let pids = [1, 2 * LIMIT, 2].map(run);

    assert_eq!(pids, [pids[0]; 3]);
}

fn a_worker_that_grew_is_closed_and_not_killed() {
    static PATH: &str = "ASYNCPAL_TEST_FAREWELL";
    fn farewell() {
        fs::write(env::var_os(PATH).expect("set"), "bye").expect("writable");
    }
    let path = env::temp_dir().join(format!("asyncpal-farewell-{}", own_pid()));
    let options = options().max_worker_rss(LIMIT).env(PATH, &path);
    let pool = options.pool().max_workers(1).finalizer(farewell).build().expect("valid");

    let first = pool.submit_with(leak, (2 * LIMIT,)).expect("open").collect().expect("it ends");

    // The slot is the second worker's once the first one's finalizer has run.
    assert_ne!(pool.run(own_pid).expect("no panic"), first);
    assert_eq!(fs::read_to_string(&path).expect("written"), "bye");
    pool.join();
    fs::remove_file(path).expect("there");
}

fn a_worker_leaves_after_its_share_of_tasks() {
    static TASKS: AtomicU64 = AtomicU64::new(0);
    fn nth() -> (u32, u64) {
        // ORDERING: Relaxed: a number of one thread.
        (own_pid(), TASKS.fetch_add(1, Ordering::Relaxed))
    }
    let builder = options().pool().max_workers(1).max_tasks_per_worker(3);
    let pool = builder.build().expect("valid");

    let tasks: Vec<_> = (0..7).map(|_| pool.run(nth).expect("no panic")).collect();

    let nths: Vec<_> = tasks.iter().map(|task| task.1).collect();
    assert_eq!(nths, [0, 1, 2, 0, 1, 2, 0]);
    assert!(tasks[0].0 != tasks[3].0 && tasks[3].0 != tasks[6].0);
}
