//! Queues that are wrong on purpose, each in one way: does the recorder see it?

use super::subject::{Item, Subject};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// What is wrong; nothing is for a check of the others.
pub const NOTHING: usize = 0;
pub const LAST_IN_FIRST_OUT: usize = 1;
pub const LOSES_AN_ITEM: usize = 2;
pub const POPS_AN_ITEM_TWICE: usize = 3;
pub const MISSES_AN_ITEM: usize = 4;
pub const FULL_TOO_EARLY: usize = 5;
pub const FULL_TOO_LATE: usize = 6;

const SLOTS: usize = 3;

/// A deque of at most three items behind a lock, broken in one way: at every third item, where that
/// can be said.
pub struct Broken<const HOW: usize> {
    items: Mutex<VecDeque<Item>>,
    calls: AtomicUsize,
    copies: Arc<AtomicUsize>,
}

impl<const HOW: usize> Broken<HOW> {
    /// Whether this call goes wrong.
    fn goes(&self, wrong: usize) -> bool {
        HOW == wrong && self.calls.fetch_add(1, Relaxed) % 3 == 2
    }
}

impl<const HOW: usize> Subject for Broken<HOW> {
    type Consumer<'q> = &'q Self;

    const CAPACITY: Option<usize> = Some(SLOTS);

    fn new() -> Self {
        Self { items: Mutex::default(), calls: AtomicUsize::new(0), copies: Arc::default() }
    }

    fn push(&self, item: Item) -> Result<(), Item> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let room = match HOW {
            FULL_TOO_EARLY => SLOTS - 1,
            FULL_TOO_LATE => SLOTS + 1,
            _ => SLOTS,
        };
        if items.len() >= room {
            return Err(item);
        }
        if !self.goes(LOSES_AN_ITEM) {
            items.push_back(item);
        }
        Ok(())
    }

    fn consumer(&self) -> &Self {
        self
    }

    fn pop(consumer: &mut &Self) -> Option<Item> {
        let mut items = consumer.items.lock().unwrap_or_else(PoisonError::into_inner);
        if consumer.goes(MISSES_AN_ITEM) {
            return None;
        }
        if HOW == LAST_IN_FIRST_OUT {
            return items.pop_back();
        }
        if consumer.goes(POPS_AN_ITEM_TWICE) {
            return items.front().map(|item| Item::new(item.number(), &consumer.copies));
        }
        items.pop_front()
    }

    fn is_empty(consumer: &&Self) -> Option<bool> {
        Some(consumer.items.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
    }
}
