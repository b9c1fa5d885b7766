//! Brief tasks are sent to a worker before it has answered the ones before them. Nobody may notice but by the clock:
//! no task waits behind a long one, is lost with a worker that did not begin it, or runs twice. The workers are this
//! test program, so its `main` calls `init` first, and the tests run one at a time.

#[path = "common/gate.rs"]
mod gate;
#[path = "common/processes.rs"]
mod processes;

use core::time::Duration;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Instant;

use asyncpal::process::{LostCause, ProcessOptions, WorkerLost};
use asyncpal::{Handle, ProcessPool, TaskError};
use libtest_mimic::{Arguments, Trial};

use gate::{Gate, wait_at};
use processes::eventually;

fn main() {
    asyncpal::process::init();
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials()).exit();
}

macro_rules! trials {
    ($($name:ident)*) => {
        fn trials() -> Vec<Trial> {
            vec![$(Trial::test(stringify!($name), || {
                $name();
                Ok(())
            })),*]
        }
    };
}

trials! {
    brief_tasks_do_not_wait_behind_a_long_one
    a_full_descriptor_table_lets_no_brief_task_wait_behind_a_long_one
    brief_tasks_behind_one_that_kills_its_worker_run_elsewhere
    brief_tasks_of_one_worker_start_in_the_order_of_their_submits
    a_worker_that_may_run_so_many_tasks_runs_no_more_of_them_ahead
    a_cancel_that_kills_meets_no_task_but_its_own
    nothing_is_sent_ahead_where_a_cancel_kills
    a_task_with_a_limit_of_its_own_has_all_of_it_however_early_it_was_sent
    a_join_and_a_shutdown_leave_no_brief_task_behind
    arguments_of_every_size_find_their_way_between_brief_tasks
}

/// More than are ever sent ahead.
const MANY: u64 = 60;
/// Never awaited.
const LONG: Duration = Duration::from_secs(60);

fn pool(max_workers: usize) -> ProcessPool {
    warm(ProcessPool::builder().max_workers(max_workers).build().expect("`init` has run"))
}

/// With workers that have shown that their tasks are brief.
fn warm(pool: ProcessPool) -> ProcessPool {
    for _ in 0..3 {
        let tasks: Vec<_> = (0..200).map(|n| brief(&pool, n)).collect();
        tasks.into_iter().for_each(|task| assert!(task.collect().is_ok()));
    }
    pool
}

fn same(n: u64) -> u64 {
    n
}

fn brief(pool: &ProcessPool, n: u64) -> Handle<u64> {
    pool.submit_with(same, (n,)).expect("open")
}

fn sleep_millis(millis: u64) {
    sleep(Duration::from_millis(millis));
}

fn die() {
    std::process::abort();
}

fn own_pid() -> u32 {
    std::process::id()
}

fn lost(error: &TaskError) -> &WorkerLost {
    let TaskError::Failed(error) = error else { panic!("{error:?}") };
    error.downcast_ref().unwrap_or_else(|| panic!("{error:?}"))
}

/// The worker of the long task has been sent others before it was known to be long.
fn brief_tasks_do_not_wait_behind_a_long_one() {
    check_that_none_waits(&two_workers(), gates());
}

/// To take them back needs descriptors.
fn a_full_descriptor_table_lets_no_brief_task_wait_behind_a_long_one() {
    let (pool, gates) = (two_workers(), gates());
    let _full = NoDescriptors::left();

    check_that_none_waits(&pool, gates);
}

/// Both are there, or without descriptors there would never be a second one.
fn two_workers() -> ProcessPool {
    let pool = pool(2);
    pool.spawn_max_workers().expect("open");
    eventually(|| pool.stats().idle_workers == 2);
    pool
}

/// To make one needs a descriptor, to open it does not.
fn gates() -> [Gate; 10] {
    core::array::from_fn(|_| Gate::new())
}

/// The pool moves its descriptors to 10 and above; until this is dropped there are none.
struct NoDescriptors(libc::rlimit);

impl NoDescriptors {
    fn left() -> Self {
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: getrlimit writes one rlimit to the place given.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) }, 0);
        limit_descriptors(libc::rlimit { rlim_cur: 10, ..before });
        Self(before)
    }
}

impl Drop for NoDescriptors {
    fn drop(&mut self) {
        limit_descriptors(self.0);
    }
}

fn limit_descriptors(limit: libc::rlimit) {
    // SAFETY: setrlimit reads one rlimit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

fn check_that_none_waits(pool: &ProcessPool, gates: [Gate; 10]) {
    for gate in gates {
        let before: Vec<_> = (0..MANY).map(|n| brief(pool, n)).collect();
        let long = pool.submit_with(wait_at, (gate.path(),)).expect("open");
        let behind: Vec<_> = (0..MANY).map(|n| brief(pool, n)).collect();

        for (n, mut task) in (0..MANY).chain(0..MANY).zip(before.into_iter().chain(behind)) {
            let result = task.collect_timeout(LONG);
            assert_eq!(result.expect("it does not wait for the long one"), n);
        }

        drop(gate);
        long.collect().expect("it returns");
        // The worker has to show again that its tasks are brief.
        (0..MANY).for_each(|n| drop(brief(pool, n).collect()));
    }
}

fn brief_tasks_behind_one_that_kills_its_worker_run_elsewhere() {
    let pool = pool(2);
    for _ in 0..30 {
        let before: Vec<_> = (0..MANY).map(|n| brief(&pool, n)).collect();
        let deadly = pool.submit(die).expect("open");
        let behind: Vec<_> = (0..MANY).map(|n| brief(&pool, n)).collect();

        for (n, task) in (0..MANY).chain(0..MANY).zip(before.into_iter().chain(behind)) {
            assert_eq!(task.collect().expect("it is none of the dead worker's"), n);
        }

        let error = deadly.collect().expect_err("it died");
        assert_eq!(*lost(&error).cause(), LostCause::Signal(6));
    }
}

fn brief_tasks_of_one_worker_start_in_the_order_of_their_submits() {
    let pool = pool(1);
    fn nanos() -> u128 {
        Instant::now().duration_since(*START.get_or_init(Instant::now)).as_nanos()
    }
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let tasks: Vec<_> = (0..500).map(|_| pool.submit(nanos).expect("open")).collect();

    let moments: Vec<_> =
        tasks.into_iter().map(|task| task.collect().expect("it returns")).collect();

    assert!(moments.is_sorted(), "{moments:?}");
}

fn a_worker_that_may_run_so_many_tasks_runs_no_more_of_them_ahead() {
    let builder = ProcessPool::builder().max_workers(1).max_tasks_per_worker(7);
    let pool = warm(builder.build().expect("`init` has run"));
    let tasks: Vec<_> = (0..70).map(|_| pool.submit(own_pid).expect("open")).collect();

    let mut of_worker = std::collections::BTreeMap::<u32, usize>::new();
    for task in tasks {
        *of_worker.entry(task.collect().expect("it returns")).or_default() += 1;
    }

    assert!(of_worker.values().all(|&tasks| tasks <= 7), "{of_worker:?}");
}

fn a_cancel_that_kills_meets_no_task_but_its_own() {
    let options = ProcessOptions::new().kill_on_cancel(true);
    let pool = warm(options.pool().max_workers(1).build().expect("`init` has run"));
    for round in 0..10 {
        let before: Vec<_> = (0..MANY).map(|n| brief(&pool, n)).collect();
        let long = pool.submit_with(sleep_millis, (60_000,)).expect("open");
        let behind: Vec<_> = (0..MANY).map(|n| brief(&pool, n)).collect();
        while round % 2 == 0 && long.is_pending() {
            sleep(Duration::from_millis(1));
        }

        let was_pending = long.cancel();

        for task in before.into_iter().chain(behind) {
            task.collect().expect("it was not cancelled");
        }
        match long.collect().expect_err("it was cancelled") {
            TaskError::Cancelled(_) => assert!(was_pending),
            error => assert_eq!(*lost(&error).cause(), LostCause::Cancelled),
        }
    }
}

/// Whether the worker's next request is there before this one is answered: after a while, if it is to come.
fn sees_another_request() -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(200) {}
    let mut requests = libc::pollfd { fd: 3, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which is this function's own.
    let ready = unsafe { libc::poll(&raw mut requests, 1, 0) };
    ready == 1
}

/// Else the kill could meet a worker that has just begun the next task.
fn nothing_is_sent_ahead_where_a_cancel_kills() {
    let is_sent_ahead = |kills, rounds| {
        let options = ProcessOptions::new().kill_on_cancel(kills);
        let pool = warm(options.pool().max_workers(1).build().expect("`init` has run"));
        (0..rounds).any(|_| {
            (0..MANY).for_each(|n| assert!(brief(&pool, n).collect().is_ok()));
            let tasks = (0..MANY).map(|_| pool.submit(sees_another_request).expect("open"));
            let tasks: Vec<_> = tasks.collect();
            tasks
                .into_iter()
                .map(|task| task.collect().expect("it ran"))
                .filter(|&seen| seen)
                .count()
                > 0
        })
    };

    assert!(is_sent_ahead(false, 1000), "it can be seen");
    assert!(!is_sent_ahead(true, 5));
}

/// Its time begins when its turn comes.
fn a_task_with_a_limit_of_its_own_has_all_of_it_however_early_it_was_sent() {
    use asyncpal::process::Within;
    let pool = pool(1);
    for _ in 0..3 {
        let before: Vec<_> = (0..MANY).map(|n| brief(&pool, n)).collect();
        let first = pool.submit_with(sleep_millis, (1000,)).expect("open");
        let call = asyncpal::kind::With { function: sleep_millis, arguments: (20,) };
        let second = pool.submit(Within::new(Duration::from_millis(900), call)).expect("open");

        before.into_iter().for_each(|task| assert!(task.collect().is_ok()));
        first.collect().expect("it has no limit");

        second.collect().expect("it takes less than its limit");
    }
}

fn a_join_and_a_shutdown_leave_no_brief_task_behind() {
    let pool = pool(2);
    for _ in 0..20 {
        let tasks: Vec<_> = (0..MANY).map(|n| brief(&pool, n)).collect();

        pool.join();

        assert!(tasks.iter().all(Handle::is_completed), "a join has waited for all");
    }
    let tasks: Vec<_> = (0..MANY).map(|n| brief(&pool, n)).collect();

    pool.shutdown();

    assert!(tasks.iter().all(|task| task.is_completed() || task.is_cancelled()));
}

fn arguments_of_every_size_find_their_way_between_brief_tasks() {
    fn count(bytes: Vec<u8>) -> usize {
        bytes.len()
    }
    let pool = pool(2);
    // A packet holds 4096 bytes, a pipe 256 KiB, and a read of the worker's 16 KiB.
    let sizes = [0, 1, 4000, 4096, 4097, 16 << 10, 20_000, 256 << 10, 1 << 20];
    let tasks: Vec<_> = (0..600)
        .map(|n| sizes[n % sizes.len()])
        .map(|size| (size, pool.submit_with(count, (vec![7; size],)).expect("open")))
        .collect();

    let wrong: BTreeSet<_> = tasks
        .into_iter()
        .filter_map(|(size, task)| (task.collect().expect("it returns") != size).then_some(size))
        .collect();

    assert_eq!(wrong, BTreeSet::new());
}
