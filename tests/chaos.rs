//! Everything at once: panics, cancellations, dropped handles, timeouts and nested waits, from many
//! threads. A test program of its own: it silences the panic hook.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::thread;

use asyncpal::{Builder, Status, TaskError, ThreadPool, Threads};

const EXPECTED: &str = "as is to be expected";
const PRODUCERS: usize = 8;
const TASKS_EACH: usize = 12_500;

/// What became of the tasks, as their callbacks say: each is called once.
#[derive(Default)]
struct Ends {
    ran: AtomicUsize,
    completed: AtomicUsize,
    failed: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Ends {
    fn note(&self, status: Status) {
        let count = match status {
            Status::Completed => &self.completed,
            Status::Failed => &self.failed,
            Status::Cancelled => &self.cancelled,
            Status::Pending | Status::Running => panic!("{status:?} is no end"),
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A number below `bound`, from a sequence that `state` is in (xorshift, Marsaglia 2003).
fn below(state: &mut u64, bound: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % bound
}

fn produce(pool: &Arc<ThreadPool>, ends: &Arc<Ends>, mut state: u64) {
    for _ in 0..TASKS_EACH / 2 {
        let (fate, use_of_handle) = (below(&mut state, 10), below(&mut state, 6));
        // Each of two tasks counts: the inner one is waited for by the outer one.
        let inner = {
            let ends = ends.clone();
            move || {
                ends.ran.fetch_add(1, Ordering::Relaxed);
            }
        };
        let outer = {
            let (pool, ends) = (pool.clone(), ends.clone());
            move || {
                ends.ran.fetch_add(1, Ordering::Relaxed);
                let handle = pool.submit(inner).expect("the pool is open");
                let noted = ends.clone();
                handle.add_callback(move |status| noted.note(status));
                match fate {
                    0 => std::panic::panic_any(EXPECTED),
                    1 => {
                        handle.cancel();
                    }
                    2 => drop(handle),
                    _ => handle.wait(),
                }
                fate
            }
        };
        let mut handle = pool.submit(outer).expect("the pool is open");
        let noted = ends.clone();
        handle.add_callback(move |status| noted.note(status));
        match use_of_handle {
            0 => drop(handle),
            1 => {
                if handle.cancel() {
                    // Its inner task will never be submitted: as if it had been cancelled, too.
                    ends.note(Status::Cancelled);
                }
            }
            2 => match handle.collect_timeout(Duration::from_micros(50)) {
                Ok(returned) => assert_eq!(returned, fate),
                Err(TaskError::TimedOut) => handle.wait(),
                Err(error) => assert!(matches!(error, TaskError::Panicked(_)), "{error}"),
            },
            3 => {
                handle.wait_timeout(Duration::ZERO);
            }
            _ => match handle.collect() {
                Ok(returned) => assert_eq!(returned, fate),
                Err(error) => assert!(matches!(error, TaskError::Panicked(_)) && fate == 0),
            },
        }
    }
}

fn play(builder: Builder<Threads>) {
    let builder = builder.idle_timeout(Duration::from_millis(1)).on_uncollected(|_| ());
    let pool = Arc::new(builder.build().expect("valid"));
    let ends = Arc::new(Ends::default());

    thread::scope(|scope| {
        for producer in 1..=PRODUCERS as u64 {
            let (pool, ends) = (&pool, &ends);
            scope.spawn(move || produce(pool, ends, producer.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        }
    });
    // The outer tasks, then the inner ones, which they submitted meanwhile.
    pool.join();
    pool.join();

    let [ran, completed, failed, cancelled] =
        [&ends.ran, &ends.completed, &ends.failed, &ends.cancelled]
            .map(|count| count.load(Ordering::Relaxed));
    assert_eq!(completed + failed + cancelled, PRODUCERS * TASKS_EACH);
    assert_eq!(ran, completed + failed);
    assert!(failed > 0 && cancelled > 0);
    assert_eq!(pool.count_pending_tasks(), 0);
    assert_eq!(pool.count_workers(), 0);
    assert_eq!(Arc::strong_count(&ends), 1, "every closure and callback is gone");
}

#[test]
fn every_one_of_a_hundred_thousand_tasks_ends_once() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref() != Some(&EXPECTED) {
            default(info);
        }
    }));
    play(ThreadPool::builder().max_workers(4));
    play(ThreadPool::single().max_tasks_per_worker(50));
    play(ThreadPool::dual().capacity(3));
}
