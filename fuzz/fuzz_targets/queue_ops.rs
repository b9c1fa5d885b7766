//! The growable queue, one operation after the other, does what a `VecDeque` does.
//!
//! Two slots per block, so that almost every operation is near a block's end; several consumers,
//! so that they hold different blocks. What threads do to each other is the subject of the models.
#![no_main]

use arbitrary::Arbitrary;
use asyncpal_core::queue::{Consumer, GrowableQueue};
use libfuzzer_sys::fuzz_target;
use std::collections::VecDeque;

const SLOTS: usize = 2;
const CONSUMERS: usize = 3;

#[derive(Arbitrary, Debug)]
enum Operation {
    Push,
    /// Pops through one of the consumers.
    Pop(u8),
    /// Pops through a consumer that lives for this operation.
    PopFresh,
    /// Replaces one of the consumers; it gives its block back.
    Replace(u8),
}

fuzz_target!(|operations: Vec<Operation>| {
    let queue = GrowableQueue::<Box<usize>, SLOTS>::new();
    let mut consumers: [Consumer<'_, _, SLOTS>; CONSUMERS] =
        core::array::from_fn(|_| queue.consumer());
    let mut model = VecDeque::new();

    for (number, operation) in operations.iter().enumerate() {
        match operation {
            Operation::Push => {
                queue.push(Box::new(number));
                model.push_back(number);
            }
            Operation::Pop(which) => {
                let consumer = &mut consumers[usize::from(*which) % CONSUMERS];
                assert_eq!(consumer.pop().map(|item| *item), model.pop_front());
            }
            Operation::PopFresh => {
                assert_eq!(queue.consumer().pop().map(|item| *item), model.pop_front());
            }
            Operation::Replace(which) => {
                consumers[usize::from(*which) % CONSUMERS] = queue.consumer();
            }
        }
    }

    // Half of what is left comes out through the consumers; dropping the queue frees the rest,
    // which the leak checker watches.
    for turn in 0..model.len() / 2 {
        let item = consumers[turn % CONSUMERS].pop();
        assert_eq!(item.map(|item| *item), model.pop_front());
    }
});
