//! What the properties of queues are about: any queue of counted items.

use asyncpal_core::queue::{Consumer, Full, GrowableQueue, Pointer, Queue};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;

/// A queue of [`Item`]s.
pub trait Subject: Sized {
    /// What one thread pops with.
    type Consumer<'q>
    where
        Self: 'q;

    /// How many items fit, if not any number.
    const CAPACITY: Option<usize>;

    fn new() -> Self;
    fn push(&self, item: Item) -> Result<(), Item>;
    fn consumer(&self) -> Self::Consumer<'_>;
    fn pop(consumer: &mut Self::Consumer<'_>) -> Option<Item>;

    /// Whether the queue is certainly empty; `None` if this kind of queue does not say.
    fn is_empty(consumer: &Self::Consumer<'_>) -> Option<bool>;
}

impl<const SLOTS: usize> Subject for GrowableQueue<Item, SLOTS> {
    type Consumer<'q> = Consumer<'q, Item, SLOTS>;

    const CAPACITY: Option<usize> = None;

    fn new() -> Self {
        Self::new()
    }

    fn push(&self, item: Item) -> Result<(), Item> {
        self.push(item);
        Ok(())
    }

    fn consumer(&self) -> Self::Consumer<'_> {
        self.consumer()
    }

    fn pop(consumer: &mut Self::Consumer<'_>) -> Option<Item> {
        consumer.pop()
    }

    fn is_empty(consumer: &Self::Consumer<'_>) -> Option<bool> {
        Some(consumer.is_empty())
    }
}

impl<const N: usize> Subject for Queue<Item, N> {
    type Consumer<'q> = &'q Self;

    const CAPACITY: Option<usize> = Some(N);

    fn new() -> Self {
        Self::new()
    }

    fn push(&self, item: Item) -> Result<(), Item> {
        self.push(item).map_err(Full::into_inner)
    }

    fn consumer(&self) -> &Self {
        self
    }

    fn pop(consumer: &mut &Self) -> Option<Item> {
        (*consumer).pop()
    }

    fn is_empty(consumer: &&Self) -> Option<bool> {
        Some((*consumer).is_empty())
    }
}

/// A number whose drops are counted.
#[derive(Debug)]
pub struct Item(Box<Counted>);

#[derive(Debug)]
struct Counted {
    number: usize,
    alive: Arc<AtomicUsize>,
}

impl Item {
    /// One that counts among those `alive` until it is dropped.
    pub fn new(number: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Relaxed);
        Self(Box::new(Counted { number, alive: Arc::clone(alive) }))
    }

    pub fn number(&self) -> usize {
        self.0.number
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Relaxed);
    }
}

// SAFETY: a box of words is aligned to at least 4; a box is its pointer.
unsafe impl Pointer for Item {
    fn into_raw(self) -> NonNull<()> {
        NonNull::from(Box::leak(self.0)).cast()
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: by the caller's promise this is the pointer of a leaked box, taken back once.
        Self(unsafe { Box::from_raw(raw.cast().as_ptr()) })
    }
}
