//! Words through a queue, from so many producers to as many consumers.

use std::sync::Barrier;
use std::thread;

use crossbeam_utils::Backoff;

use crate::threads::queue::Queue;
use crate::timing::Span;

/// Who pushes and pops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    /// One thread, now the one and now the other: what the operations cost if nobody is in the way.
    Alone,
    /// So many threads each.
    Threads(usize),
}

impl Ends {
    /// Nanoseconds per item; `None` for a queue that has too few ends.
    pub(crate) fn nanos_per_item<Q: Queue>(self, items: usize) -> Option<f64> {
        match self {
            Self::Alone => Some(nanos_alone::<Q>(items)),
            Self::Threads(ends) => nanos_per_item::<Q>(ends, items),
        }
    }
}

fn nanos_alone<Q: Queue>(items: usize) -> f64 {
    const BATCH: usize = 500;
    let queue = Box::new(Q::new());
    let (mut push, mut pop) = (queue.producer(), queue.consumer());
    let mut batch = || {
        for item in 0..BATCH {
            assert!(push(item), "there is room");
        }
        for item in 0..BATCH {
            assert_eq!(pop(), Some(item));
        }
    };
    batch();
    let batches = items.div_ceil(BATCH);
    let (span, ()) = Span::of(|| (0..batches).for_each(|_| batch()));
    Span::across(&[span]).as_nanos() as f64 / (batches * BATCH) as f64
}

fn nanos_per_item<Q: Queue>(ends: usize, items: usize) -> Option<f64> {
    if ends > Q::MAX_CONSUMERS {
        return None;
    }
    let queue = Box::new(Q::new());
    let share = items / ends;
    let items = share * ends;
    let start = Barrier::new(2 * ends);
    // The same amount first: threads live, queues and heap have their size.
    let twice = &|job: &mut dyn FnMut() -> usize| {
        job();
        start.wait();
        Span::of(job)
    };

    let (spans, sums): (Vec<Span>, Vec<usize>) = thread::scope(|scope| {
        let begin = |number| {
            let (mut push, mut pop) = (queue.producer(), queue.consumer());
            let numbers = number * share..(number + 1) * share;
            let produce = scope.spawn(move || {
                twice(&mut || {
                    for item in numbers.clone() {
                        patiently(|| push(item).then_some(()));
                    }
                    0
                })
            });
            let consume =
                scope.spawn(move || twice(&mut || (0..share).map(|_| patiently(&mut pop)).sum()));
            [produce, consume]
        };
        let threads: Vec<_> = (0..ends).flat_map(begin).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).unzip()
    });

    assert_eq!(sums.iter().sum::<usize>(), items * (items - 1) / 2, "every item comes out once");
    Some(Span::across(&spans).as_nanos() as f64 / items as f64)
}

/// Asks until it is given; everybody waits in the same way: first spinning, then yielding.
fn patiently<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let backoff = Backoff::new();
    loop {
        match ask() {
            Some(given) => return given,
            None => backoff.snooze(),
        }
    }
}
