//! Which of several tasks are done, in the order in which they were.

use std::collections::VecDeque;

use crate::clock::Deadline;
use crate::handle::Handle;
use crate::sync::{Arc, Condvar, Mutex, lock, wait};

/// A channel of the indices of tasks that are over. Each task is watched with a callback.
#[derive(Clone, Default)]
pub(crate) struct Completions(Arc<Channel>);

#[derive(Default)]
struct Channel {
    done: Mutex<VecDeque<usize>>,
    more: Condvar,
}

impl Completions {
    /// Reports `index` once `handle` is done.
    pub(crate) fn watch<T>(&self, index: usize, handle: &Handle<T>) {
        let channel = self.0.clone();
        handle.add_callback(move |_| {
            lock(&channel.done).push_back(index);
            channel.more.notify_one();
        });
    }

    /// An index that was reported and not returned yet.
    pub(crate) fn try_next(&self) -> Option<usize> {
        lock(&self.0.done).pop_front()
    }

    /// The next index to be reported; `None` at the deadline.
    pub(crate) fn next(&self, deadline: Deadline) -> Option<usize> {
        let mut done = lock(&self.0.done);
        loop {
            if let Some(index) = done.pop_front() {
                return Some(index);
            }
            done = wait(&self.0.more, done, deadline)?;
        }
    }

    /// As [`next`](Self::next). A worker that waits without a deadline for tasks of its own pool
    /// runs the oldest pending of `handles` meanwhile.
    pub(crate) fn next_helping<'h, T: 'h>(
        &self,
        deadline: Deadline,
        mut handles: impl Iterator<Item = &'h Handle<T>>,
    ) -> Option<usize> {
        if deadline.is_never() {
            if let Some(index) = self.try_next() {
                return Some(index);
            }
            handles.find(|handle| handle.run_here());
        }
        self.next(deadline)
    }
}
