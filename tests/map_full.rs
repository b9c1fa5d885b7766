//! Maps on pools with a capacity, which are full.

use core::convert::identity;
use core::time::Duration;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use asyncpal::{Handle, TaskError, ThreadPool, WhenFull};
use tasks::{LONG, SHORT, sorted, started, values};

#[path = "common/tasks.rs"]
mod tasks;

const POLICIES: [WhenFull; 5] = [
    WhenFull::Wait,
    WhenFull::Reject,
    WhenFull::RunHere,
    WhenFull::DropOldest,
    WhenFull::DropNewest,
];

fn bounded(max_workers: usize, capacity: usize, policy: WhenFull) -> ThreadPool {
    let builder = ThreadPool::builder().max_workers(max_workers).capacity(capacity);
    builder.when_full(policy).build().expect("valid")
}

/// Makes a pool of one worker full until the gate goes.
fn fill(pool: &ThreadPool) -> (Vec<Handle<u32>>, mpsc::Sender<()>) {
    let (stuck, gate) = started(pool, 0);
    let pending = core::iter::from_fn(|| pool.try_submit(|| 1).ok());
    (core::iter::once(stuck).chain(pending).collect(), gate)
}

#[test]
fn a_timeout_holds_for_a_map_that_waits_for_room() {
    for policy in POLICIES {
        let pool = bounded(1, 1, policy);
        let (others, gate) = fill(&pool);

        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let pool = &pool;
            scope.spawn(move || {
                let ordered = pool.map(|n: u32| n, 0..9).timeout(SHORT).collect::<Vec<_>>();
                let unordered = pool.map_unordered(|n: u32| n, 0..9).timeout(SHORT).collect();
                tell.send([ordered, unordered]).expect("waited for");
            });
            let results = told.recv_timeout(Duration::from_secs(20));
            drop(gate);
            for results in results.expect("it ends at its timeout") {
                // Who runs the chunks itself gets through with them, or not.
                let (last, before) = results.split_last().expect("one at least");
                let in_time = policy == WhenFull::RunHere && last.is_ok();
                assert!(
                    in_time || matches!(last, Err(TaskError::TimedOut)),
                    "{policy:?}: {last:?}"
                );
                assert!(before.iter().all(Result::is_ok), "{policy:?}: {before:?}");
            }
        });

        assert_eq!(others.into_iter().filter(|other| !other.is_cancelled()).count(), 2);
    }
}

#[test]
fn a_map_on_a_full_pool_loses_nothing_whatever_the_policy() {
    fn run(pool: &ThreadPool, form: usize) -> Vec<u32> {
        let (id, items) = (|n: u32| n, 0..300);
        let pairs = items.clone().map(|n| (n,));
        values(match form {
            0 => pool.map(id, items).chunk_size(2).buffer_size(9).collect::<Vec<_>>(),
            1 => pool.map_unordered(id, items).label("labelled").buffer_size(9).collect(),
            2 => pool.starmap(id, pairs).timeout(LONG).buffer_size(9).collect(),
            3 => pool.starmap_unordered(id, pairs).collect(),
            4 => pool.map_all(id, items, 3).collect(),
            5 => pool.map_all_unordered(id, items, 3).collect(),
            6 => pool.starmap_all(id, pairs, 3).collect(),
            _ => pool.starmap_all_unordered(id, pairs, 3).collect(),
        })
    }
    for policy in POLICIES {
        for form in 0..8 {
            let pool = bounded(1, 2, policy);
            let (others, gate) = fill(&pool);

            let results = thread::scope(|scope| {
                let map = scope.spawn(|| run(&pool, form));
                drop(gate);
                map.join().expect("every chunk is returned")
            });

            let is_ordered = form % 2 == 0;
            let results = if is_ordered { results } else { sorted(results) };
            assert!(results.into_iter().eq(0..300), "{policy:?}, form {form}");
            assert_eq!(values(others.into_iter().map(Handle::collect)), [0, 1, 1], "{policy:?}");
        }
    }
}

#[test]
fn a_worker_maps_over_its_own_full_pool_whatever_the_policy() {
    for policy in POLICIES {
        let pool = Arc::new(bounded(1, 1, policy));
        let inner = pool.clone();

        let sums = pool.run(move || {
            let sum = |values: Vec<u32>| values.into_iter().sum::<u32>();
            [
                sum(values(inner.map(|n: u32| n, 0..100).buffer_size(9))),
                sum(values(inner.map_unordered(|n: u32| n, 0..100).buffer_size(9))),
                sum(values(inner.map_all(|n: u32| n, 0..100, 3))),
                sum(values(inner.map_all_unordered(|n: u32| n, 0..100, 3))),
            ]
        });

        assert_eq!(sums.expect("no panic"), [4950; 4], "{policy:?}");
    }
}

#[test]
fn a_result_that_is_ready_does_not_wait_for_room() {
    for ordered in [true, false] {
        let pool = bounded(1, 2, WhenFull::Wait);
        let items = 0..4;
        let mut results = if ordered {
            pool.map(identity, items).buffer_size(2)
        } else {
            pool.map_unordered(identity, items).buffer_size(2)
        };
        assert_eq!(results.next().expect("an item").expect("no panic"), 0);
        pool.join();
        let (_others, gate) = fill(&pool);

        let (next, rest) = thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let rest = scope.spawn(move || {
                tell.send(results.next()).expect("waited for");
                values(results)
            });
            let next = told.recv_timeout(Duration::from_secs(20));
            drop(gate);
            (next, rest.join().expect("no panic"))
        });

        assert_eq!(next.expect("in time").expect("an item").expect("no panic"), 1);
        assert_eq!(rest, [2, 3]);
    }
}

#[test]
fn a_map_that_waits_for_room_behind_others_gets_its_own_result() {
    for ordered in [true, false] {
        let pool = bounded(1, 1, WhenFull::Wait);
        let [(first, ends_first), (second, ends_second)] = [(); 2].map(|()| mpsc::channel::<()>());
        let ends = [ends_first, ends_second].map(Mutex::new);
        let task = move |n: usize| {
            if let Some(end) = ends.get(n) {
                let _ = end.lock().expect("no panic").recv();
            }
            n
        };
        let (call, called) = mpsc::channel();
        let (wait, waits) = mpsc::channel();
        let items = (0..4).inspect(move |&n| {
            if n == 2 {
                // The worker is busy and the queue full: let another submitter wait before the map does.
                call.send(()).expect("waited for");
                thread::sleep(Duration::from_millis(50));
                wait.send(()).expect("waited for");
            }
        });
        let mut results = if ordered {
            pool.map(task, items).buffer_size(8)
        } else {
            pool.map_unordered(task, items).buffer_size(8)
        };

        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let consumer = scope.spawn(move || {
                tell.send(results.next()).expect("waited for");
                values(results)
            });
            called.recv().expect("two chunks are submitted");
            let other = scope.spawn(|| pool.submit(|| 9).expect("open"));
            waits.recv().expect("the map comes to wait");
            thread::sleep(Duration::from_millis(50));
            drop(first);

            let next = told.recv_timeout(Duration::from_secs(20));
            drop(second);

            assert_eq!(next.expect("in time").expect("an item").expect("no panic"), 0);
            assert_eq!(sorted(consumer.join().expect("no panic")), [1, 2, 3]);
            assert_eq!(other.join().expect("no panic").collect().expect("no panic"), 9);
        });
    }
}
