#![forbid(unsafe_code)]

use alloc::boxed::Box;

use super::*;

/// B3.
#[test]
fn many_consumers_that_come_and_go_do_not_fill_a_word() {
    let queue = GrowableQueue::<Box<usize>, 4>::new();
    let head = || Word(queue.head.load(Ordering::Relaxed));
    let look = || assert!(queue.consumer().pop_at_once().is_none());
    // It keeps the block, so that its address is not used again.
    let mut witness = queue.consumer();
    assert!(witness.pop_at_once().is_none());
    let first = head().block::<4>();

    (1..MANY).for_each(|_| look());
    assert!(head() == Word::new(first, MANY));
    look();

    // The next block begins with a poisoned slot, and the consumer has looked at another one.
    assert!(head().block::<4>() != first && head().count() <= 2);
    queue.push(Box::new(7));
    assert_eq!(queue.consumer().pop_at_once().as_deref(), Some(&7));
}
