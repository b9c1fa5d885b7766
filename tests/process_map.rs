//! Maps and waits for several tasks on process pools: the same calls as on threads. The workers are
//! this test program, so its `main` calls `init` first, and the tests run one at a time.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::path::PathBuf;
use std::process;
use std::thread::sleep;

use asyncpal::process::WorkerLost;
use asyncpal::{
    CompletionFilter, Handle, ProcessPool, TaskError, as_done, as_done_in_order, collect,
    split_map_task, split_starmap_task, wait,
};
use gate::{Gate, wait_at};
use libtest_mimic::{Arguments, Trial};
use tasks::{LONG, SHORT, sorted, values};

#[path = "common/gate.rs"]
mod gate;
#[path = "common/tasks.rs"]
mod tasks;

fn main() {
    asyncpal::process::init();
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials()).exit();
}

macro_rules! trials {
    ($($(#[$attribute:meta])* $name:ident)*) => {
        fn trials() -> Vec<Trial> {
            vec![$($(#[$attribute])* Trial::test(stringify!($name), || {
                $name();
                Ok(())
            })),*]
        }
    };
}

trials! {
    a_map_without_options_is_the_iterators_map
    ordered_forms_keep_the_order_whatever_the_chunks
    unordered_forms_return_what_is_ready_first
    a_lazy_map_has_at_most_its_buffer_in_flight
    eager_forms_submit_all_before_they_return_and_a_drop_cancels
    a_failed_chunk_is_one_error_in_its_place_and_the_map_goes_on
    a_lost_worker_is_one_error_in_its_place_and_the_map_goes_on
    #[cfg(feature = "serde")]
    a_chunk_that_cannot_be_sent_is_one_error_in_its_place_and_the_map_goes_on
    an_expired_timeout_is_one_error_and_the_end
    an_unexpired_timeout_changes_nothing
    a_split_map_is_the_map_in_tasks
    several_tasks_are_waited_for_and_collected
    a_filter_gives_back_what_is_done
}

fn pool(max_workers: usize) -> ProcessPool {
    ProcessPool::builder().max_workers(max_workers).build().expect("`init` has run")
}

fn square(n: u64) -> u64 {
    n * n
}

fn add(x: u64, y: u64) -> u64 {
    x + y
}

/// Returns `n`, zero not before the gate is open.
fn zero_waits(n: u64, gate: String) -> u64 {
    if n == 0 {
        wait_at(gate);
    }
    n
}

fn zero_waits_in_pair((n, gate): (u64, String)) -> u64 {
    zero_waits(n, gate)
}

fn a_map_without_options_is_the_iterators_map() {
    let pool = pool(2);
    let squares: Vec<_> = (0..50).map(square).collect();
    let sums: Vec<_> = (0..50).map(|n| n + 7).collect();
    let pairs = || (0..50).map(|n| (n, 7));

    assert_eq!(values(pool.map(square, 0..50)), squares);
    assert_eq!(values(pool.starmap(add, pairs())), sums);
    assert_eq!(sorted(values(pool.map_unordered(square, 0..50))), squares);
    assert_eq!(sorted(values(pool.starmap_unordered(add, pairs()))), sums);
    assert_eq!(values(pool.map_all(square, 0..50, 1)), squares);
    assert_eq!(values(pool.starmap_all(add, pairs(), 1)), sums);
    assert_eq!(sorted(values(pool.map_all_unordered(square, 0..50, 1))), squares);
    assert_eq!(sorted(values(pool.starmap_all_unordered(|x: u64, y| x + y, pairs(), 1))), sums);
}

fn ordered_forms_keep_the_order_whatever_the_chunks() {
    let pool = pool(2);
    let squares: Vec<_> = (0..50).map(square).collect();
    let sums: Vec<_> = (0..50).map(|n| n + n).collect();

    for size in [7, 50, 1000] {
        for buffer in [1, 3] {
            let map = pool.map(square, 0..50).chunk_size(size).buffer_size(buffer);
            assert_eq!(values(map), squares);
            let star = pool.starmap(add, (0..50).zip(0..50)).chunk_size(size).buffer_size(buffer);
            assert_eq!(values(star), sums);
        }
        assert_eq!(values(pool.map_all(square, 0..50, size)), squares);
        assert_eq!(values(pool.starmap_all(add, (0..50).zip(0..50), size)), sums);
    }
}

fn unordered_forms_return_what_is_ready_first() {
    fn check(mut results: impl Iterator<Item = Result<u64, TaskError>>, gate: Gate) {
        // A task that was sent behind the first one, and came back, may be the later of the two.
        let mut quick = [(); 2].map(|()| results.next().expect("an item").expect("fine"));
        quick.sort_unstable();
        assert_eq!(quick, [1, 2]);
        drop(gate);
        assert_eq!(results.next().expect("an item").expect("no panic"), 0);
        assert!(results.next().is_none());
    }
    let pool = pool(2);
    let items = |gate: &Gate| [0, 1, 2].map(|n| (n, gate.path()));

    let gate = Gate::new();
    check(pool.map_unordered(zero_waits_in_pair, items(&gate)), gate);
    let gate = Gate::new();
    check(pool.starmap_unordered(zero_waits, items(&gate)), gate);
    let gate = Gate::new();
    check(pool.map_all_unordered(zero_waits_in_pair, items(&gate), 1), gate);
    let gate = Gate::new();
    check(pool.starmap_all_unordered(zero_waits, items(&gate), 1), gate);
}

fn a_lazy_map_has_at_most_its_buffer_in_flight() {
    let pool = pool(2);
    let taken = AtomicUsize::new(0);
    let endless = (0..).map(|n| {
        taken.fetch_add(1, Ordering::Relaxed);
        (n, n)
    });

    let mut results = pool.starmap(add, endless).chunk_size(2).buffer_size(3);
    assert_eq!(taken.load(Ordering::Relaxed), 0);
    assert_eq!(results.next().expect("an item").expect("no panic"), 0);

    assert_eq!(taken.load(Ordering::Relaxed), 6);
}

fn eager_forms_submit_all_before_they_return_and_a_drop_cancels() {
    let pool = pool(1);
    let gate = Gate::new();
    let busy = pool.submit_with(zero_waits, (0, gate.path())).expect("open");
    while pool.count_pending_tasks() > 0 {
        sleep(Duration::from_millis(1));
    }

    let ordered = pool.map_all(square, 0..10, 3);
    assert_eq!(pool.count_pending_tasks(), 4);
    let star = pool.starmap_all_unordered(add, (0..10).zip(0..10), 1);
    assert_eq!(pool.count_pending_tasks(), 14);
    drop(star);
    assert_eq!(pool.count_pending_tasks(), 4);

    drop(gate);
    assert!(values(ordered).into_iter().eq((0..10).map(square)));
    assert_eq!(busy.collect().expect("no panic"), 0);
}

fn one_error_in_its_place(results: impl Iterator<Item = Result<u64, TaskError>>) -> TaskError {
    let mut results: Vec<_> = results.collect();
    let error = results.remove(2).expect_err("the chunk of 2 and 3");
    assert_eq!(values(results), [0, 1, 4, 5, 6, 7]);
    error
}

fn a_failed_chunk_is_one_error_in_its_place_and_the_map_goes_on() {
    fn burn(n: u64) -> u64 {
        if n == 3 { panic!("burnt {n}") } else { n }
    }
    let pool = pool(2);
    let items = || (0..8).map(|n| (n,));

    let errors = [
        one_error_in_its_place(pool.map(burn, 0..8).chunk_size(2)),
        one_error_in_its_place(pool.starmap(burn, items()).chunk_size(2)),
        one_error_in_its_place(pool.map_all(burn, 0..8, 2)),
        one_error_in_its_place(pool.starmap_all(burn, items(), 2)),
    ];

    for error in errors {
        assert!(error.to_string().contains("burnt 3"), "{error}");
    }
}

fn a_lost_worker_is_one_error_in_its_place_and_the_map_goes_on() {
    fn leave(n: u64) -> u64 {
        if n == 3 { process::exit(9) } else { n }
    }

    let error = one_error_in_its_place(pool(1).map(leave, 0..8).chunk_size(2));

    let TaskError::Failed(error) = error else { panic!("{error:?}") };
    assert!(error.is::<WorkerLost>(), "{error:?}");
}

#[cfg(feature = "serde")]
fn a_chunk_that_cannot_be_sent_is_one_error_in_its_place_and_the_map_goes_on() {
    use std::os::unix::ffi::OsStringExt;

    fn length(path: PathBuf) -> u64 {
        path.as_os_str().len() as u64
    }
    // A path travels as text, and this one is none.
    let no_text = PathBuf::from(std::ffi::OsString::from_vec(vec![0xff]));
    let items = || ["".into(), "1".into(), no_text.clone(), "4444".into()];
    let pool = pool(1);

    for results in
        [pool.map(length, items()).collect::<Vec<_>>(), pool.map_all(length, items(), 1).collect()]
    {
        let [Ok(0), Ok(1), Err(error), Ok(4)] = &results[..] else { panic!("{results:?}") };
        assert!(matches!(error, TaskError::Rejected(asyncpal::PoolError::Encode(_))), "{error:?}");
    }
}

fn an_expired_timeout_is_one_error_and_the_end() {
    fn check(mut results: impl Iterator<Item = Result<u64, TaskError>>) {
        assert!(matches!(results.next(), Some(Err(TaskError::TimedOut))));
        assert!(results.next().is_none());
    }
    let pool = pool(1);
    let gate = Gate::new();
    let items = || [0, 1].map(|n| (n, gate.path()));

    check(pool.map(zero_waits_in_pair, items()).timeout(SHORT));
    check(pool.map_unordered(zero_waits_in_pair, items()).timeout(SHORT));
    check(pool.starmap(zero_waits, items()).timeout(SHORT));
    check(pool.map_all(zero_waits_in_pair, items(), 1).timeout(Duration::ZERO));
    check(pool.starmap_all(zero_waits, items(), 1).timeout(SHORT));
    check(pool.starmap_all_unordered(zero_waits, items(), 1).timeout(SHORT));

    assert_eq!(pool.count_pending_tasks(), 0, "what had not started was cancelled");
    drop(gate);
    // Before the file is removed.
    pool.join();
}

fn an_unexpired_timeout_changes_nothing() {
    let pool = pool(2);
    let squares: Vec<_> = (0..10).map(square).collect();
    let sums: Vec<_> = (0..10).map(|n| n + n).collect();

    assert_eq!(values(pool.map(square, 0..10).timeout(LONG)), squares);
    assert_eq!(values(pool.starmap(add, (0..10).zip(0..10)).timeout(LONG)), sums);
    assert_eq!(values(pool.map_all(square, 0..10, 2).timeout(LONG)), squares);
    assert_eq!(values(pool.starmap_all(add, (0..10).zip(0..10), 2).timeout(LONG)), sums);
}

fn a_split_map_is_the_map_in_tasks() {
    let pool = pool(2);

    let squares: Vec<_> =
        split_map_task(square, 0..10, 2).map(|task| pool.submit(task).expect("open")).collect();
    let sums: Vec<_> = split_starmap_task(add, (0..10).zip(0..10), 3)
        .map(|task| pool.submit(task).expect("open"))
        .collect();

    assert_eq!((squares.len(), sums.len()), (5, 4));
    let squares = collect(squares, None).expect("no panic").concat();
    assert!(squares.into_iter().eq((0..10).map(square)));
    let sums = collect(sums, None).expect("no panic").concat();
    assert!(sums.into_iter().eq((0..10).map(|n| n + n)));
}

fn submitted(pool: &ProcessPool, gate: &str) -> Vec<Handle<u64>> {
    let submit = |n| pool.submit_with(zero_waits, (n, gate.to_owned())).expect("open");
    (0..3).map(submit).collect()
}

fn several_tasks_are_waited_for_and_collected() {
    let pool = pool(2);
    let gate = Gate::new();
    let path = gate.path();
    let handles = submitted(&pool, &path);

    assert!(!wait(&handles, SHORT));
    assert!(matches!(collect(submitted(&pool, &path), SHORT), Err(TaskError::TimedOut)));
    let mut in_order = as_done_in_order(handles).timeout(SHORT);
    assert!(in_order.next().is_none());
    let mut done = as_done(in_order.into_rest());
    let quick = done.next().expect("three are left").collect();
    assert!(quick.expect("no panic") > 0);
    drop(gate);

    assert_eq!(collect(done, None).expect("no panic").len(), 2);
    assert_eq!(collect(submitted(&pool, &path), LONG).expect("no panic"), [0, 1, 2]);
}

fn a_filter_gives_back_what_is_done() {
    let pool = pool(2);
    let gate = Gate::new();
    let filter: CompletionFilter<_> = submitted(&pool, &gate.path()).into_iter().collect();
    let value = |handle: Option<Handle<u64>>| handle.expect("one is left").collect();

    assert_eq!(value(filter.get()).expect("no panic"), 1);
    assert_eq!(value(filter.get()).expect("no panic"), 2);
    assert!(filter.get_timeout(SHORT).is_none());
    drop(gate);

    assert_eq!(value(filter.get()).expect("no panic"), 0);
    assert!(filter.get().is_none());
}
