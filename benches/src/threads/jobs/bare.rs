//! The same effects without a pool: what the operating system and the processor allow.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::fan_out::{self, TASKS, WORKERS};
use super::latency::{p50_of_starts, per_pool};
use super::map::CHUNK_SIZE;
use super::revival::{IDLE_TIMEOUT, p50_until_begun};
use crate::mapping::{nanos_per_item, trivial};
use crate::threads::{Load, Measure, count};
use crate::timing::{PAUSE, p50};

/// Tells the other side to end.
const END: u64 = u64::MAX;

/// One word in each direction. A side stores the number and the other waits for it to change.
#[derive(Default)]
struct Table {
    question: AtomicU64,
    answer: AtomicU64,
}

/// Runs `timed` against a thread that answers, where `pause` is how both sides wait.
fn ping_pong(
    pause: fn(u32),
    wake: fn(&thread::Thread),
    timed: impl FnOnce(&dyn Fn(u64) -> u64) -> f64,
) -> f64 {
    let table = Arc::new(Table::default());
    let asker = thread::current();
    let answerer = thread::spawn({
        let table = Arc::clone(&table);
        move || {
            let mut seen = 0;
            let mut pauses = 0_u32;
            loop {
                // ORDERING: Acquire, Release below: what a pool has to do to hand over a value.
                let question = table.question.load(Ordering::Acquire);
                if question == END {
                    return;
                }
                if question == seen {
                    pauses = pauses.wrapping_add(1);
                    pause(pauses);
                    continue;
                }
                seen = question;
                table.answer.store(seen, Ordering::Release);
                wake(&asker);
            }
        }
    });

    let ask = |number: u64| {
        // Zero is what the words start with.
        let question = number + 1;
        table.question.store(question, Ordering::Release);
        wake(answerer.thread());
        let mut pauses = 0_u32;
        while table.answer.load(Ordering::Acquire) != question {
            pauses = pauses.wrapping_add(1);
            pause(pauses);
        }
        number
    };
    let micros = timed(&ask);
    table.question.store(END, Ordering::Release);
    wake(answerer.thread());
    answerer.join().expect("the answerer ends");
    micros
}

/// Both threads spin: the least a round trip can take while both have a processor.
pub(crate) fn spinning_ping_pong(measure: Measure, load: &Load) -> Option<f64> {
    let Measure::HotRoundTrip { .. } = measure else { return None };
    // Where the two share a processor for a while, spinning alone would use up its time slices.
    let spin = |pauses| if pauses % 10_000 == 0 { thread::yield_now() } else { spin_loop() };
    Some(ping_pong(spin, |_| (), |ask| p50(load.round_trips, || (), ask)))
}

/// Both threads sleep: the least a round trip can take when nobody spins.
pub(crate) fn two_futex_wakes(measure: Measure, load: &Load) -> Option<f64> {
    let Measure::IdleRoundTrip = measure else { return None };
    let sleep = || thread::sleep(PAUSE);
    Some(ping_pong(|_| thread::park(), thread::Thread::unpark, |ask| p50(load.pauses, sleep, ask)))
}

/// Median microseconds per thread to start so many that live at once, each of which answers once, and to end them.
fn many_threads(threads: usize, starts: usize) -> f64 {
    let start = |number| {
        let all: Vec<_> = (0..threads)
            .map(|_| {
                let (answer, answered) = mpsc::channel();
                let (end, ended) = mpsc::channel::<()>();
                let thread = thread::spawn(move || {
                    answer.send(number).expect("waited for");
                    assert!(ended.recv().is_err(), "it is told to end");
                });
                (thread, answered, end)
            })
            .collect();
        for (_, answered, _) in &all {
            assert_eq!(answered.recv(), Ok(number), "every thread answers");
        }
        for (thread, _, end) in all {
            drop(end);
            thread.join().expect("the thread does not panic");
        }
        number
    };
    per_pool(threads, starts, start)
}

/// A thread for each worker that the job needs.
pub(crate) fn spawn_and_join(measure: Measure, load: &Load) -> Option<f64> {
    const NO_PANIC: &str = "the thread does not panic";
    match measure {
        Measure::ColdStart { .. } => Some(p50_of_starts(load.starts, |number| {
            thread::spawn(move || number).join().expect(NO_PANIC)
        })),
        Measure::Pools { pools } => Some(many_threads(pools, load.starts)),
        Measure::FanOut => Some(fan_out::p50_of_fans(load.fans, |number| {
            let share = || (0..TASKS / WORKERS).map(|_| fan_out::work(number)).sum::<u64>();
            thread::scope(|scope| {
                let threads: Vec<_> = (0..WORKERS).map(|_| scope.spawn(share)).collect();
                let sums = threads.into_iter().map(|thread| thread.join().expect(NO_PANIC));
                fan_out::collected(sums, TASKS)
            })
        })),
        Measure::Revival => Some(p50_until_begun(
            load.revivals,
            count::threads(),
            // What its processor did in the last milliseconds decides how soon the next thread begins.
            || {
                thread::spawn(|| {
                    let begun = Instant::now();
                    thread::park_timeout(IDLE_TIMEOUT);
                    begun
                })
            },
            |thread| thread.join().expect(NO_PANIC),
        )),
        _ => None,
    }
}

pub(crate) fn serial_map(measure: Measure, load: &Load) -> Option<f64> {
    let Measure::Map { .. } = measure else { return None };
    Some(nanos_per_item(load.map_items, load.maps, |mut digest| {
        (0..black_box(load.map_items)).map(trivial).for_each(|value| digest.add(value));
        digest
    }))
}

/// Splits a range rather than an iterator and writes into one vector: less than the job asks for.
pub(crate) fn par_iter(measure: Measure, load: &Load) -> Option<f64> {
    let Measure::Map { workers } = measure else { return None };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("a valid pool");
    let map = || {
        let items = (0..black_box(load.map_items) as usize).into_par_iter();
        let mut values = Vec::new();
        items
            .with_min_len(CHUNK_SIZE)
            .map(|item| trivial(item as u64))
            .collect_into_vec(&mut values);
        values
    };
    Some(nanos_per_item(load.map_items, load.maps, |mut digest| {
        pool.install(map).into_iter().for_each(|value| digest.add(value));
        digest
    }))
}
