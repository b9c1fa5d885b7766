//! Tasks that were submitted and whose handles were not returned yet.

use core::mem;
use std::collections::VecDeque;

use crate::clock::Deadline;
use crate::filter::CompletionFilter;
use crate::handle::Handle;

pub(crate) enum Flight<T> {
    /// They land in the order in which they started.
    Ordered(VecDeque<Handle<T>>),
    /// They land as they are done.
    Unordered(CompletionFilter<T>),
}

impl<T> Flight<T> {
    pub(crate) fn new(ordered: bool) -> Self {
        if ordered {
            Self::Ordered(VecDeque::new())
        } else {
            Self::Unordered(CompletionFilter::new())
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ordered(handles) => handles.len(),
            Self::Unordered(filter) => filter.len(),
        }
    }

    pub(crate) fn is_ordered(&self) -> bool {
        matches!(self, Self::Ordered(_))
    }

    /// Whether [`land`](Self::land) would return a task without waiting.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Ordered(handles) => handles.front().is_some_and(Handle::is_done),
            Self::Unordered(filter) => filter.is_any_done(),
        }
    }

    /// Whether workers have nothing left to start: the last that was added is done, or, where there is no order,
    /// all are.
    pub(crate) fn is_dry(&self) -> bool {
        match self {
            Self::Ordered(handles) => handles.back().is_none_or(Handle::is_done),
            Self::Unordered(filter) => filter.are_all_done(),
        }
    }

    pub(crate) fn add(&mut self, handle: Handle<T>) {
        match self {
            Self::Ordered(handles) => handles.push_back(handle),
            Self::Unordered(filter) => filter.put(handle),
        }
    }

    /// The next task, which is done; `None` at the deadline, or if none is in flight. A worker that
    /// waits without a deadline for tasks of its own pool runs the next, or the oldest pending one,
    /// meanwhile.
    pub(crate) fn land(&mut self, deadline: Deadline) -> Option<Handle<T>> {
        match self {
            Self::Ordered(handles) => {
                if !handles.front()?.wait_until(deadline) {
                    return None;
                }
                handles.pop_front()
            }
            Self::Unordered(filter) => filter.get_until(deadline),
        }
    }

    /// Takes all out.
    pub(crate) fn rest(&mut self) -> Vec<Handle<T>> {
        let ordered = self.is_ordered();
        match mem::replace(self, Self::new(ordered)) {
            Self::Ordered(handles) => handles.into(),
            Self::Unordered(filter) => filter.into_rest().collect(),
        }
    }
}

#[cfg(all(test, not(asyncpal_loom)))]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::ThreadPool;

    #[test]
    fn a_flight_is_dry_once_all_have_landed_or_could() {
        for ordered in [true, false] {
            let pool = ThreadPool::new();
            let mut flight = Flight::new(ordered);
            assert!(flight.is_dry());
            let (open, gate) = mpsc::channel();

            flight.add(pool.submit(|| ()).expect("open"));
            let last = pool.submit(move || gate.recv().expect("opened")).expect("open");
            flight.add(last);
            assert!(flight.land(Deadline::NEVER).is_some());
            assert!(!flight.is_dry());

            open.send(()).expect("the task waits");
            pool.shutdown();
            assert!(flight.is_dry() && flight.len() == 1);
        }
    }
}
