//! The results of a map's chunks, one by one.

use core::fmt;
use core::num::NonZeroUsize;
use std::collections::VecDeque;
use std::vec;

use asyncpal_core::task::Label;

use super::split::SplitTask;
use crate::clock::Deadline;
use crate::contain::contain;
use crate::error::{PoolError, SubmitError, TaskError};
use crate::flight::Flight;
use crate::kind::{Accepts, Chunk};
use crate::observe::Labelled;
use crate::pool::{Pool, Submitted, Wait};
use crate::watcher::Generation;

/// Dropping it cancels the chunks that have not started.
pub(super) struct Results<T> {
    flight: Flight<Vec<T>>,
    /// What the pool did not take, each with its place among all chunks.
    refused: VecDeque<(usize, TaskError)>,
    /// How many chunks were submitted, refused ones included.
    submitted: usize,
    /// How many of those were returned.
    returned: usize,
    /// The results of the chunk that was returned last.
    ready: vec::IntoIter<T>,
    /// The pool takes no more.
    closed: bool,
    /// The next chunk was put back, for want of room.
    held: bool,
    /// The time is up, or the process was forked.
    over: bool,
    /// The process in which the chunks run.
    generation: Generation,
}

impl<T> Results<T> {
    pub(super) fn new(ordered: bool) -> Self {
        Self {
            flight: Flight::new(ordered),
            refused: VecDeque::new(),
            submitted: 0,
            returned: 0,
            ready: Vec::new().into_iter(),
            closed: false,
            held: false,
            over: false,
            generation: Generation::current(),
        }
    }

    /// Chunks in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.flight.len() + self.refused.len()
    }

    /// Submits chunks until `limit` are in flight or there is none left; without a limit all, however
    /// long that takes. Once the pool is closed or broken nothing more is submitted: that chunk's error is
    /// the last.
    ///
    /// Of a full pool no policy applies that would lose a chunk: it waits there. With a limit it waits no
    /// longer than until a result is ready, so that this can be returned, or until the deadline.
    pub(super) fn submit<K, F, I>(
        &mut self,
        pool: &Pool<K>,
        chunks: &mut SplitTask<F, I>,
        limit: Option<NonZeroUsize>,
        label: Option<&Label>,
        deadline: Deadline,
    ) where
        I: Iterator,
        K: Accepts<Chunk<F, I::Item>, Output = Vec<T>>,
    {
        self.held = false;
        while !self.closed && !self.over && !self.generation.is_past() {
            let flight = &self.flight;
            let is_served = || limit.is_some() && flight.is_ready();
            // A result that is there goes before a chunk that would only wait, and be encoded for that.
            let full = limit.is_some_and(|limit| self.in_flight() >= limit.get());
            if full || pool.is_full() && is_served() {
                break;
            }
            let Some(chunk) = chunks.next() else { break };
            match submit_chunk(pool, chunk, label, Wait { deadline, or: &is_served }) {
                Ok(handle) => self.flight.add(handle),
                Err(SubmitError { call, reason: PoolError::Full }) => {
                    chunks.put_back(call);
                    self.held = true;
                    break;
                }
                Err(SubmitError { reason, .. }) => {
                    self.closed = matches!(reason, PoolError::Closed | PoolError::Broken(_));
                    self.refused.push_back((self.submitted, TaskError::Rejected(reason)));
                }
            }
            self.submitted += 1;
        }
    }

    /// Whether the next chunk of those in flight is done.
    pub(super) fn is_next_done(&self) -> bool {
        self.flight.is_ready()
    }

    /// Whether the workers have run out of the chunks in flight.
    pub(super) fn is_dry(&self) -> bool {
        self.flight.is_dry()
    }

    /// All results that are there already.
    pub(super) fn all_ready(&mut self) -> vec::IntoIter<T> {
        core::mem::take(&mut self.ready)
    }

    /// A result that is there already.
    #[inline]
    pub(super) fn ready(&mut self) -> Option<T> {
        self.ready.next()
    }

    /// The next result, or one error in the place of a chunk's results. A timeout ends the
    /// iteration.
    pub(super) fn next(&mut self, deadline: Deadline) -> Option<Result<T, TaskError>> {
        loop {
            if self.over {
                return None;
            }
            if let Some(result) = self.ready() {
                return Some(Ok(result));
            }
            if self.generation.is_past() {
                self.over = true;
                return Some(Err(TaskError::Forked));
            }
            if let Some(error) = self.next_refused() {
                return Some(Err(error));
            }
            if self.flight.len() == 0 && !self.held {
                return None;
            }
            let Some(chunk) = self.flight.land(deadline) else {
                self.over = true;
                return Some(Err(TaskError::TimedOut));
            };
            self.returned += 1;
            match chunk.collect() {
                Ok(results) => self.ready = results.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The error of a refused chunk, if it is that chunk's turn.
    fn next_refused(&mut self) -> Option<TaskError> {
        let (place, _) = self.refused.front()?;
        if self.flight.is_ordered() && *place > self.returned {
            return None;
        }
        self.returned += 1;
        self.refused.pop_front().map(|(_, error)| error)
    }
}

/// Submits a chunk, or gives it back.
fn submit_chunk<K, F, A>(
    pool: &Pool<K>,
    chunk: Chunk<F, A>,
    label: Option<&Label>,
    wait: Wait<'_>,
) -> Submitted<K, Chunk<F, A>>
where
    K: Accepts<Chunk<F, A>>,
{
    match label {
        None => pool.submit_waiting(chunk, wait),
        Some(label) => {
            let labelled = Labelled::new(label.clone(), chunk);
            let submitted = pool.submit_waiting::<Labelled<Chunk<F, A>>>(labelled, wait);
            submitted
                .map_err(|SubmitError { call, reason }| SubmitError { call: call.call, reason })
        }
    }
}

impl<T> Drop for Results<T> {
    fn drop(&mut self) {
        if self.generation.is_past() {
            return;
        }
        for chunk in self.flight.rest() {
            // What has started runs to its end. What panics takes no other chunk along.
            contain(move || {
                let _ = chunk.cancel();
            });
        }
    }
}

impl<T> fmt::Debug for Results<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results")
            .field("ordered", &self.flight.is_ordered())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
