//! What a queue must offer to take part, and the peers that do.
//!
//! An item is one word: what is measured is the queue.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use concurrent_queue::ConcurrentQueue;
use crossbeam_queue::{ArrayQueue, SegQueue};

/// Of every bounded queue.
pub(crate) const CAPACITY: usize = 1024;

/// A queue under measurement.
pub(crate) trait Queue: Sync {
    const MAX_CONSUMERS: usize = usize::MAX;

    fn new() -> Self;

    /// Says whether there was room for the item.
    fn producer(&self) -> impl FnMut(usize) -> bool + Send;

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send;
}

impl Queue for ArrayQueue<usize> {
    fn new() -> Self {
        Self::new(CAPACITY)
    }

    fn producer(&self) -> impl FnMut(usize) -> bool + Send {
        |item| self.push(item).is_ok()
    }

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send {
        || self.pop()
    }
}

impl Queue for SegQueue<usize> {
    fn new() -> Self {
        Self::new()
    }

    fn producer(&self) -> impl FnMut(usize) -> bool + Send {
        |item| {
            self.push(item);
            true
        }
    }

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send {
        || self.pop()
    }
}

/// `concurrent-queue`, bounded or not.
pub(crate) struct Concurrent<const BOUNDED: bool>(ConcurrentQueue<usize>);

impl<const BOUNDED: bool> Queue for Concurrent<BOUNDED> {
    fn new() -> Self {
        let bounded = || ConcurrentQueue::bounded(CAPACITY);
        Self(if BOUNDED { bounded() } else { ConcurrentQueue::unbounded() })
    }

    fn producer(&self) -> impl FnMut(usize) -> bool + Send {
        |item| self.0.push(item).is_ok()
    }

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send {
        || self.0.pop().ok()
    }
}

pub(crate) type Heapless = heapless::mpmc::Queue<usize, CAPACITY>;

impl Queue for Heapless {
    #[expect(deprecated, reason = "not being lock-free is what it is compared for")]
    fn new() -> Self {
        Self::new()
    }

    fn producer(&self) -> impl FnMut(usize) -> bool + Send {
        |item| self.enqueue(item).is_ok()
    }

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send {
        || self.dequeue()
    }
}

/// A channel of the standard library, with a sender of either kind.
pub(crate) struct Std<S> {
    sender: S,
    receiver: Mutex<Option<Receiver<usize>>>,
}

impl<S> Std<S> {
    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send + use<S> {
        let receiver = self.receiver.lock().expect("nobody panics").take();
        let receiver = receiver.expect("there is one consumer");
        move || receiver.try_recv().ok()
    }
}

impl<S> From<(S, Receiver<usize>)> for Std<S> {
    fn from((sender, receiver): (S, Receiver<usize>)) -> Self {
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Queue for Std<SyncSender<usize>> {
    const MAX_CONSUMERS: usize = 1;

    fn new() -> Self {
        mpsc::sync_channel(CAPACITY).into()
    }

    fn producer(&self) -> impl FnMut(usize) -> bool + Send {
        |item| self.sender.try_send(item).is_ok()
    }

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send {
        self.consumer()
    }
}

impl Queue for Std<Sender<usize>> {
    const MAX_CONSUMERS: usize = 1;

    fn new() -> Self {
        mpsc::channel().into()
    }

    fn producer(&self) -> impl FnMut(usize) -> bool + Send {
        |item| self.sender.send(item).is_ok()
    }

    fn consumer(&self) -> impl FnMut() -> Option<usize> + Send {
        self.consumer()
    }
}
