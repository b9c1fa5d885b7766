//! The numbers of a pool.

use core::fmt;

use asyncpal_core::executor::{Departure, Totals};

use super::{Histogram, Observer, Times};
use crate::kind::Kind;
use crate::pool::Pool;
use crate::sync::Ordering;

/// Numbers of a pool since it was built: a snapshot, made by [`Pool::stats`].
///
/// The numbers are read one after the other while tasks go on, so they may be a few tasks apart. Once
/// nothing happens any more ([`join`](Pool::join) has returned) they agree:
/// `submitted = pending + running + completed + panicked + failed + cancelled`, and
/// `spawned = workers + retired + recycled + dismissed + lost_workers`.
///
/// All count modulo 2^64, or 2^32 where words have 32 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks that were submitted. One that was given back at the last moment, since the pool was closed
    /// meanwhile or no worker could be spawned, counts as submitted and cancelled.
    pub submitted: usize,
    /// Tasks that have neither started nor been cancelled.
    pub pending: usize,
    /// Tasks that run, those included that a waiting worker runs itself.
    pub running: usize,
    /// Tasks that returned a value.
    pub completed: usize,
    /// Tasks that panicked, in this process or in a worker process.
    pub panicked: usize,
    /// Tasks that failed otherwise: with an `Err`, in a worker process, or with it.
    pub failed: usize,
    /// Tasks that were cancelled before they started, by whomever.
    pub cancelled: usize,
    /// Tasks among these that were run by who waited for them, or submitted them.
    pub run_by_waiters: usize,
    /// The most tasks that were ever pending at once. `None` unless the pool
    /// [measures times](crate::Builder::measure_times): each submit has to count for it.
    pub most_pending: Option<usize>,
    /// Workers that live or are being spawned.
    pub workers: usize,
    /// Workers that wait for a task.
    pub idle_workers: usize,
    /// The most workers there ever were at once.
    pub most_workers: usize,
    /// Workers that were spawned, and processes that a worker has started in the place of one that it lost before that
    /// had read its task.
    pub spawned: usize,
    /// Workers that could not be spawned.
    pub spawn_failures: usize,
    /// Workers that left since they were idle for the idle timeout.
    pub retired: usize,
    /// Workers that left after [as many tasks](crate::Builder::max_tasks_per_worker) as they may run, or
    /// with a process that had grown too large.
    pub recycled: usize,
    /// Workers that left because of a join, the end or the breaking of the pool.
    pub dismissed: usize,
    /// Workers that lost their process, in a task or while it was idle, or whose initializer failed; and lost processes
    /// in whose place the worker has started another.
    pub lost_workers: usize,
    /// How often a worker went to sleep.
    pub sleeps: usize,
    /// How often an idle worker was claimed for a task.
    pub wake_ups: usize,
    /// How long tasks were pending before they started, if the pool
    /// [measures times](crate::Builder::measure_times). Cancelled tasks are not part of it.
    pub waiting_times: Option<Histogram>,
    /// How long tasks ran, if the pool measures times.
    pub running_times: Option<Histogram>,
}

impl Stats {
    pub(super) fn new(totals: &Totals, replaced: usize, observer: &Observer) -> Self {
        // ORDERING: Relaxed throughout this function: a snapshot.
        let [panicked, failed] =
            [&observer.panicked, &observer.failed].map(|count| count.load(Ordering::Relaxed));
        let counts = totals.counts;
        let (ended, running) = ended_and_running(totals, observer);
        let times = |of: fn(&Times) -> &super::Counting| {
            observer.times.as_ref().map(|times| {
                let mut histogram = Histogram::EMPTY;
                times.iter().for_each(|times| of(times).add_to(&mut histogram));
                histogram
            })
        };
        Self {
            submitted: counts.submitted,
            pending: counts.pending,
            running,
            completed: ended.saturating_sub(panicked).saturating_sub(failed),
            panicked,
            failed,
            cancelled: totals.cancelled,
            run_by_waiters: totals.inlined,
            most_pending: observer.measures_times().then_some(totals.most_pending),
            workers: counts.workers,
            idle_workers: counts.idle,
            most_workers: totals.most_workers,
            spawned: totals.spawned + replaced,
            spawn_failures: totals.spawn_failures,
            retired: totals.left(Departure::Idle),
            recycled: totals.left(Departure::Recycled),
            dismissed: totals.left(Departure::Dismissed),
            lost_workers: totals.left(Departure::SeatLost)
                + totals.left(Departure::NotOpened)
                + replaced,
            sleeps: totals.sleeps,
            wake_ups: totals.wake_ups,
            waiting_times: times(|times| &times.waiting),
            running_times: times(|times| &times.running),
        }
    }
}

/// How many tasks have ended and how many run: those included that no worker's accounts tell of, since who waits for
/// them or has submitted them runs them.
pub(crate) fn ended_and_running(totals: &Totals, observer: &Observer) -> (usize, usize) {
    // ORDERING: Relaxed: a snapshot.
    let inlined = observer.inlined.load(Ordering::Relaxed);
    let Totals { counts, inlined: begun, .. } = totals;
    (counts.ended.wrapping_add(inlined), counts.running + begun.saturating_sub(inlined))
}

impl<K: Kind> Pool<K> {
    /// What the pool has done so far, in numbers. They are there whether or not anybody asks, so asking
    /// is all it costs: a look at each possible worker's words.
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use asyncpal::ThreadPool;
    ///
    /// let pool = ThreadPool::builder().max_workers(1).build()?;
    /// drop(pool.submit(|| 1)?);
    /// drop(pool.submit_fallible(|| "x".parse::<u8>())?.wait());
    /// pool.join();
    ///
    /// let stats = pool.stats();
    /// assert_eq!((stats.submitted, stats.completed, stats.failed), (2, 1, 1));
    /// println!("{stats}");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn stats(&self) -> Stats {
        Stats::new(&self.totals(), self.replaced_seats(), self.observer())
    }
}

impl fmt::Display for Stats {
    /// Two lines, for tasks and for workers, and one for the times if they are measured.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { submitted, pending, running, completed, panicked, failed, .. } = self;
        write!(f, "tasks: {submitted} submitted, {completed} completed, {failed} failed, ")?;
        write!(f, "{panicked} panicked, {} cancelled, {running} running, ", self.cancelled)?;
        write!(f, "{pending} pending")?;
        if let Some(most) = self.most_pending {
            write!(f, " ({most} at most)")?;
        }
        let Self { workers, most_workers, idle_workers, spawned, retired, recycled, .. } = self;
        write!(f, "\nworkers: {workers} ({most_workers} at most), {idle_workers} idle; ")?;
        write!(f, "{spawned} spawned, {} not; ", self.spawn_failures)?;
        write!(f, "{retired} retired, {recycled} recycled, {} sent home", self.dismissed)?;
        write!(f, ", {} lost; ", self.lost_workers)?;
        write!(f, "{} sleeps, {} wake-ups", self.sleeps, self.wake_ups)?;
        let times = [("waited", &self.waiting_times), ("ran", &self.running_times)];
        for (what, times) in times {
            let Some(times) = times else { continue };
            let [half, most, all] = [0.5, 0.99, 1.0].map(|q| times.quantile(q).unwrap_or_default());
            write!(f, "\ntasks {what}: half < {half:.0?}, 99 % < {most:.0?}, all < {all:.0?}")?;
        }
        Ok(())
    }
}
