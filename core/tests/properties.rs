//! The core, one operation after the other, against sequential references: random operations, and
//! those that fail are shrunk.
//!
//! `PROPTEST_CASES` says how many sequences each test tries (256 if it does not). A failure prints
//! the shortest sequence that was found, and a line with the seed that goes to
//! `properties.regressions` beside this file; what stands there is tried first.
#![cfg(all(feature = "alloc", not(any(asyncpal_loom, asyncpal_shuttle))))]

mod model;

use asyncpal_core::queue::{GrowableQueue, Queue};
use core::num::NonZeroUsize;
use model::subject::Item;
use model::{Code, census, chunk, lifecycle, queue, task};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence::WithSource;

/// Up to so many operations.
fn ops<O: From<Code> + core::fmt::Debug>(most: usize) -> impl Strategy<Value = Vec<O>> {
    vec(any::<Code>().prop_map(O::from), 0..most)
}

fn config() -> ProptestConfig {
    let seeds = WithSource("regressions");
    ProptestConfig { failure_persistence: Some(Box::new(seeds)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_growable_queue_does_what_a_deque_does(ops in ops(400)) {
        queue::check::<GrowableQueue<Item, 2>>(&ops);
    }

    #[test]
    fn a_bounded_queue_does_what_a_deque_does(ops in ops(400)) {
        queue::check::<Queue<Item, 1>>(&ops);
        queue::check::<Queue<Item, 3>>(&ops);
        queue::check::<Queue<Item, 8>>(&ops);
    }

    #[test]
    fn a_census_does_what_two_sets_do(slots in any::<u8>(), ops in ops(200)) {
        census::check(census::slots(slots), &ops);
    }

    #[test]
    fn a_lifecycle_only_grows(ops in ops(40)) {
        lifecycle::check(&ops);
    }

    #[test]
    fn a_task_does_what_its_state_machine_does(workers in 1..4_usize, ops in ops(120)) {
        task::check(workers, &ops);
    }

    #[test]
    fn chunks_cover_every_item_once(len in any::<usize>(), size in any::<NonZeroUsize>()) {
        chunk::check(len, size);
    }

    #[test]
    fn a_few_chunks_cover_every_item_once(len in 0..5000_usize, size in 1..300_usize) {
        chunk::check(len, NonZeroUsize::new(size).expect("not zero"));
    }
}
