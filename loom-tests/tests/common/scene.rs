//! The scene of the queue's models: a queue, and items that are watched.

use crate::ends::Ends;
use crate::memory::watched;
use crate::order::each_once_in_order;
use asyncpal_core::queue::{GrowableQueue, Pointer};
use asyncpal_core::sync::UnsafeCell;
use core::ptr::NonNull;
use loom::thread::{self, JoinHandle};
use std::rc::Rc;

/// A queue, and what becomes of its items.
///
/// Threads share it by a plain `Rc`: loom runs them all on one thread of the system, and an `Arc` of
/// loom's would add steps to the model. The model's main thread joins the others and drops it.
pub(crate) struct Scene<const SLOTS: usize> {
    pub(crate) queue: GrowableQueue<Item, SLOTS>,
    pub(crate) ends: Ends,
}

impl<const SLOTS: usize> Scene<SLOTS> {
    /// One execution, after which no item and no block may be left.
    pub(crate) fn play(kept: usize, execution: impl FnOnce(&Rc<Self>)) -> usize {
        watched(kept, || {
            execution(&Rc::new(Self { queue: GrowableQueue::new(), ends: Ends::default() }));
        })
    }

    pub(crate) fn push(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            self.queue.push(Item::new(number, &self.ends));
        }
    }

    pub(crate) fn pop(&self, at_most: usize) -> Vec<usize> {
        let mut consumer = self.queue.consumer();
        (0..at_most).filter_map(|_| consumer.pop()).map(Item::open).collect()
    }

    pub(crate) fn pop_all(&self) -> Vec<usize> {
        let mut consumer = self.queue.consumer();
        core::iter::from_fn(|| consumer.pop()).map(Item::open).collect()
    }

    pub(crate) fn on_a_thread<T: 'static>(
        self: &Rc<Self>,
        f: impl FnOnce(&Self) -> T + 'static,
    ) -> JoinHandle<T> {
        let scene = self.clone();
        thread::spawn(move || f(&scene))
    }

    pub(crate) fn push_from_a_thread<const N: usize>(
        self: &Rc<Self>,
        numbers: [usize; N],
    ) -> JoinHandle<()> {
        self.on_a_thread(move |scene| scene.push(numbers))
    }

    pub(crate) fn pop_on_a_thread(self: &Rc<Self>, at_most: usize) -> JoinHandle<Vec<usize>> {
        self.on_a_thread(move |scene| scene.pop(at_most))
    }

    /// Checks what consumers got, see [`each_once_in_order`], and that each item ended once.
    pub(crate) fn settle<const N: usize>(&self, popped: [Vec<usize>; N], pushed: &[usize]) {
        each_once_in_order(&popped, pushed);
        assert!(pushed.iter().all(|&number| self.ends.of(number) == 1), "an item ended twice");
    }
}

/// An item whose content the checker watches (Q1) and whose end is counted.
pub(crate) struct Item(Box<Content>);

struct Content {
    number: usize,
    /// Written before the push.
    written: UnsafeCell<usize>,
    ends: Ends,
}

impl Item {
    pub(crate) fn new(number: usize, ends: &Ends) -> Self {
        Self(Box::new(Content { number, written: UnsafeCell::new(number), ends: ends.clone() }))
    }

    pub(crate) fn open(self) -> usize {
        // SAFETY: an item has one owner.
        let written = self.0.written.with(|written| unsafe { *written });
        assert_eq!(written, self.0.number);
        written
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.0.ends.note(self.0.number);
    }
}

// SAFETY: a box's content has words in it, so its address is aligned to at least 4; it is taken
// apart and put together again without running `drop`.
unsafe impl Pointer for Item {
    fn into_raw(self) -> NonNull<()> {
        let item = core::mem::ManuallyDrop::new(self);
        // SAFETY: the wrapper is never looked at again.
        let content = unsafe { core::ptr::read(&item.0) };
        NonNull::from(Box::leak(content)).cast()
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: by the caller's promise the box was leaked by `into_raw` and is taken back once.
        Self(unsafe { Box::from_raw(raw.cast().as_ptr()) })
    }
}

pub(crate) fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no thread of a model panics")
}
