//! A parker and its waker, for models.

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;
use std::task::Wake;

/// One token. Its own edge is that of the `Park` contract; loom's `unpark`, which would order more,
/// is used only for a thread that sleeps.
pub(crate) struct Parker {
    word: AtomicUsize,
    thread: thread::Thread,
}

const NOTHING: usize = 0;
const ASLEEP: usize = 1;
const TOKEN: usize = 2;

impl Parker {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { word: AtomicUsize::new(NOTHING), thread: thread::current() })
    }

    pub(crate) fn park(&self) {
        let asleep =
            self.word.compare_exchange(NOTHING, ASLEEP, Ordering::Relaxed, Ordering::Acquire);
        if asleep.is_ok() {
            while self.word.load(Ordering::Acquire) != TOKEN {
                thread::park();
            }
        }
        self.word.store(NOTHING, Ordering::Relaxed);
    }

    pub(crate) fn has_token(&self) -> bool {
        self.word.load(Ordering::Acquire) == TOKEN
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        if self.word.swap(TOKEN, Ordering::Release) == ASLEEP {
            self.thread.unpark();
        }
    }
}
