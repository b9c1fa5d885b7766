//! A queue, one operation after the other, does what a `VecDeque` does, whoever pops; and it neither
//! loses nor keeps an item.
//!
//! What threads do to each other is the subject of the models and of `linearizability.rs`.

use super::Code;
use super::subject::{Item, Subject};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::collections::VecDeque;
use std::sync::Arc;

const CONSUMERS: usize = 3;

/// What is done to a queue; a number chooses the consumer.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Push {
        times: u8,
    },
    Pop {
        consumer: u8,
        times: u8,
    },
    /// Pops through a consumer that lives for this operation.
    PopFresh,
    /// Replaces a consumer, which gives back what it holds.
    Replace(u8),
    /// Asks a consumer whether the queue is empty.
    Ask(u8),
}

impl From<Code> for Op {
    fn from([which, consumer, times, _]: Code) -> Self {
        // Mostly one at a time; sometimes across several blocks.
        let times = if times < 192 { 1 } else { times % 8 };
        match which % 10 {
            0..=3 => Self::Push { times },
            4..=6 => Self::Pop { consumer, times },
            7 => Self::PopFresh,
            8 => Self::Replace(consumer),
            _ => Self::Ask(consumer),
        }
    }
}

/// Checks every answer of a queue to `ops`, and that all items are dropped with it.
pub fn check<Q: Subject>(ops: &[Op]) {
    let alive = Arc::new(AtomicUsize::new(0));
    let queue = Q::new();
    let mut consumers: [_; CONSUMERS] = core::array::from_fn(|_| queue.consumer());
    let mut reference = VecDeque::new();
    let mut pushed = 0;

    for &op in ops {
        match op {
            Op::Push { times } => {
                for _ in 0..times {
                    pushed += 1;
                    let fits = Q::CAPACITY.is_none_or(|capacity| reference.len() < capacity);
                    match queue.push(Item::new(pushed, &alive)) {
                        Ok(()) => reference.push_back(pushed),
                        Err(given_back) => assert_eq!(given_back.number(), pushed),
                    }
                    assert_eq!(reference.back() == Some(&pushed), fits, "push {pushed}");
                }
            }
            Op::Pop { consumer, times } => {
                let consumer = &mut consumers[usize::from(consumer) % CONSUMERS];
                for _ in 0..times {
                    pop::<Q>(consumer, &mut reference);
                }
            }
            Op::PopFresh => pop::<Q>(&mut queue.consumer(), &mut reference),
            Op::Replace(which) => consumers[usize::from(which) % CONSUMERS] = queue.consumer(),
            Op::Ask(which) => {
                let certain = Q::is_empty(&consumers[usize::from(which) % CONSUMERS]);
                assert!(certain != Some(true) || reference.is_empty(), "it is not empty");
            }
        }
        assert_eq!(alive.load(Relaxed), reference.len(), "items alive");
    }

    drop(consumers);
    drop(queue);
    assert_eq!(alive.load(Relaxed), 0, "items outlive their queue");
}

fn pop<Q: Subject>(consumer: &mut Q::Consumer<'_>, reference: &mut VecDeque<usize>) {
    let popped = Q::pop(consumer).map(|item| item.number());
    assert_eq!(popped, reference.pop_front());
    if popped.is_none() {
        assert_ne!(Q::is_empty(consumer), Some(false), "who just found nothing is certain");
    }
}
