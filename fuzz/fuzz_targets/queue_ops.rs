//! The queues, one operation after the other, do what a `VecDeque` does, whoever pops.
//!
//! Two slots per block, so that almost every operation is near a block's end; several consumers,
//! so that they hold different blocks.
#![no_main]

use asyncpal_core::queue::{GrowableQueue, Queue};
use asyncpal_fuzz::subject::Item;
use asyncpal_fuzz::{decode, queue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let ops = decode(bytes);

    queue::check::<GrowableQueue<Item, 2>>(&ops);
    queue::check::<Queue<Item, 3>>(&ops);
});
