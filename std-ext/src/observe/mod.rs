//! What a pool tells of itself: numbers, times, events, names.
//!
//! Every thread that runs a pool's tasks knows the pool's [`Observer`] while it does so: a worker for
//! as long as it lives, a submitter that runs its own task for that task.
//!
//! # What it costs
//! Nobody observes by default. Then a task costs one look at a flag of its thread. Numbers of tasks and
//! workers are those that the engine keeps anyway, or are counted where a system call, a failure or an
//! inline run costs far more.
//!
//! With times, each worker counts in words of its own: a load and a store for each of two per task, and a
//! reference to the observer is counted while the task runs. The moments are those that
//! [`Handle::durations`](crate::Handle::durations) needs: no clock is read for it.

mod event;
mod histogram;
mod hooks;
mod label;
mod stats;

use core::fmt;
use core::time::Duration;

use crossbeam_utils::CachePadded;

pub use self::event::{Ending, Event, EventKind, TaskLabel};
use self::histogram::Counting;
pub use self::histogram::{Bucket, Histogram};
#[cfg(feature = "log")]
pub use self::hooks::log_event;
#[cfg(feature = "tracing")]
pub use self::hooks::trace_event;
pub use self::label::{Labelled, LabelledJob};
pub use self::stats::Stats;
pub(crate) use self::stats::ended_and_running;
use crate::contain::contain;
use crate::error::TaskError;
use crate::failure::{ReportHook, UncollectedFailure};
use crate::running;
use crate::sync::{Arc, AtomicUsize, Ordering};

/// Called with what happens.
pub(crate) type EventHook = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// To whom a pool tells what happens, and what it counts.
pub(crate) struct Observer {
    pool_name: String,
    on_uncollected: Option<ReportHook>,
    on_event: Option<EventHook>,
    /// Tasks that panicked; that failed otherwise; that ended on the thread of who waits for them.
    panicked: AtomicUsize,
    failed: AtomicUsize,
    inlined: AtomicUsize,
    /// One for each slot, and one for all who run tasks without being workers.
    times: Option<Box<[CachePadded<Times>]>>,
}

#[derive(Debug)]
struct Times {
    waiting: Counting,
    running: Counting,
}

impl Observer {
    /// `times`: for so many workers.
    pub(crate) fn new(
        pool_name: String,
        on_uncollected: Option<ReportHook>,
        on_event: Option<EventHook>,
        times: Option<usize>,
    ) -> Self {
        let new = || Times { waiting: Counting::new(), running: Counting::new() };
        let times = times.map(|workers| (0..=workers).map(|_| CachePadded::new(new())).collect());
        Self {
            pool_name,
            on_uncollected,
            on_event,
            panicked: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            inlined: AtomicUsize::new(0),
            times,
        }
    }

    /// That of a pool of one worker that tries the settings out: its tasks are nobody's business.
    pub(crate) fn twin(&self) -> Self {
        Self::new(self.pool_name.clone(), self.on_uncollected.clone(), None, None)
    }

    /// The pool's name.
    pub(crate) fn pool_name(&self) -> &str {
        &self.pool_name
    }

    /// Whether times are counted.
    pub(crate) fn measures_times(&self) -> bool {
        self.times.is_some()
    }

    /// Whether there is a hook that is told what happens.
    pub(crate) fn has_hook(&self) -> bool {
        self.on_event.is_some()
    }

    /// Whether anybody wants to know of single tasks.
    pub(crate) fn is_wanted(&self) -> bool {
        self.has_hook() || self.measures_times()
    }

    /// Tells the hook, if there is one. The caller holds no lock.
    pub(crate) fn tell(&self, kind: EventKind<'_>) {
        if let Some(hook) = &self.on_event {
            let worker = running::worker_of(self);
            let event = Event { pool_name: &self.pool_name, worker, kind };
            contain(|| hook(&event));
        }
    }

    /// Counts the times of a task that `worker` has run, or somebody else.
    pub(crate) fn note_times(&self, worker: Option<usize>, waited: Duration, ran: Duration) {
        let Some(times) = &self.times else { return };
        if let Some(worker) = worker {
            // The slot's words are its worker's, and go on to the next with the slot.
            times[worker].waiting.count(waited);
            times[worker].running.count(ran);
        } else if let Some(others) = times.last() {
            others.waiting.count_shared(waited);
            others.running.count_shared(ran);
        }
    }

    /// Counts a failed task, before its end can be seen.
    pub(crate) fn note_failure(&self, error: &TaskError) {
        let count = if error.is_panic() { &self.panicked } else { &self.failed };
        // ORDERING: Relaxed: a number.
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a task that was run by who waits for it, and is over.
    pub(crate) fn note_inlined(&self) {
        // ORDERING: Relaxed: a number.
        self.inlined.fetch_add(1, Ordering::Relaxed);
    }

    /// Reports a failure that nobody collected.
    pub(crate) fn report(&self, failure: &UncollectedFailure<'_>) {
        // Whoever drops a failure is a worker between two tasks, or may be unwinding itself.
        contain(|| match &self.on_uncollected {
            Some(hook) => hook(failure),
            None => eprintln!("asyncpal: {failure}"),
        });
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("pool_name", &self.pool_name).finish_non_exhaustive()
    }
}
