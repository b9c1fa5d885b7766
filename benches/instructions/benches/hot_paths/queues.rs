//! A queue that one thread fills, then empties.

#![forbid(unsafe_code)]

use asyncpal_core::queue::{GrowableQueue, Queue};
use gungraun::{library_benchmark, library_benchmark_group};

use crate::REPETITIONS;

type Items = Vec<Box<usize>>;
type Growable = GrowableQueue<Box<usize>>;
type Bounded = Queue<Box<usize>, REPETITIONS>;

trait Ends {
    fn push(&self, item: Box<usize>);
    fn pop_all(&self, items: &mut Items);
}

impl Ends for Growable {
    fn push(&self, item: Box<usize>) {
        self.push(item);
    }

    fn pop_all(&self, items: &mut Items) {
        let mut consumer = self.consumer();
        for _ in 0..REPETITIONS {
            items.push(consumer.pop().expect("as many as were pushed"));
        }
    }
}

impl Ends for Box<Bounded> {
    fn push(&self, item: Box<usize>) {
        (**self).push(item).expect("there is room");
    }

    fn pop_all(&self, items: &mut Items) {
        for _ in 0..REPETITIONS {
            items.push(self.pop().expect("as many as were pushed"));
        }
    }
}

fn bounded() -> Box<Bounded> {
    Box::new(Bounded::new())
}

fn items() -> Items {
    (0..REPETITIONS).map(Box::new).collect()
}

fn full<Q: Ends>(queue: Q) -> (Q, Items) {
    items().into_iter().for_each(|item| queue.push(item));
    (queue, Vec::with_capacity(REPETITIONS))
}

#[library_benchmark]
#[bench::growable(Growable::new(), items())]
#[bench::bounded(bounded(), items())]
fn push<Q: Ends>(queue: Q, items: Items) -> Q {
    for item in items {
        queue.push(item);
    }
    queue
}

#[library_benchmark]
#[bench::growable(full(Growable::new()))]
#[bench::bounded(full(bounded()))]
fn pop<Q: Ends>((queue, mut items): (Q, Items)) -> (Q, Items) {
    queue.pop_all(&mut items);
    (queue, items)
}

library_benchmark_group!(name = queue_ends, benchmarks = [push, pop]);
