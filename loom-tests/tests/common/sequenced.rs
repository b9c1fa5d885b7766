//! A ring whose slots carry sequence numbers: the bounded queue that is *not* strictly lock-free.
//!
//! Vyukov's (*Bounded MPMC queue*, 2010), which many libraries have. A producer first takes a ticket
//! and then writes the slot, so that a consumer whose turn it is finds a ticket without an item; all
//! it can do is wait or say that the queue is empty. Here it says so.

use asyncpal_core::sync::{AtomicUsize, Ordering, UnsafeCell};

struct Slot {
    /// `ticket` while the slot is free for that ticket, `ticket + 1` while it holds its item.
    sequence: AtomicUsize,
    item: UnsafeCell<usize>,
}

/// A bounded queue of numbers; `N` is at least 2.
pub(crate) struct Sequenced<const N: usize> {
    head: AtomicUsize,
    tail: AtomicUsize,
    slots: [Slot; N],
}

impl<const N: usize> Sequenced<N> {
    pub(crate) fn new() -> Self {
        let slot = |i| Slot { sequence: AtomicUsize::new(i), item: UnsafeCell::new(0) };
        Self {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            slots: core::array::from_fn(slot),
        }
    }

    /// False if the queue is full.
    pub(crate) fn push(&self, item: usize) -> bool {
        let Some(ticket) = self.take_ticket(&self.tail, 0) else { return false };
        let slot = &self.slots[ticket % N];
        slot.item.with_mut(|place| {
            // SAFETY: only this thread has the ticket.
            unsafe { *place = item };
        });
        slot.sequence.store(ticket + 1, Ordering::Release);
        true
    }

    /// `None` if the queue is empty, or if the producer of the oldest item has not written it.
    pub(crate) fn pop(&self) -> Option<usize> {
        let ticket = self.take_ticket(&self.head, 1)?;
        let slot = &self.slots[ticket % N];
        // SAFETY: only this thread has the ticket.
        let item = slot.item.with(|place| unsafe { *place });
        slot.sequence.store(ticket + N, Ordering::Release);
        Some(item)
    }

    /// Takes the next ticket of an end, if its slot has come to `ticket + ahead`.
    fn take_ticket(&self, end: &AtomicUsize, ahead: usize) -> Option<usize> {
        let mut ticket = end.load(Ordering::Relaxed);
        loop {
            let sequence = self.slots[ticket % N].sequence.load(Ordering::Acquire);
            if sequence < ticket + ahead {
                return None;
            }
            if sequence > ticket + ahead {
                ticket = end.load(Ordering::Relaxed);
                continue;
            }
            match end.compare_exchange(ticket, ticket + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(ticket),
                Err(now) => ticket = now,
            }
        }
    }
}
