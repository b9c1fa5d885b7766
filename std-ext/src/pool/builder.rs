//! How a pool is built.

use core::fmt;
use core::time::Duration;

use super::Pool;
use super::roster::Terms;
use super::spawn::Spawner;
use super::submit::WhenFull;
use crate::error::BuildError;
use crate::failure::{ReportHook, UncollectedFailure};
use crate::kind::{Kind, Setup, TakesHook};
use crate::observe::{Event, EventHook, Observer};
use crate::parker::several_processors;
use crate::sync::program::AtomicUsize;
use crate::sync::{Arc, Ordering};

const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Each possible worker costs two cache lines from the start; more than this is a mistake.
const MAX_WORKERS: usize = 65_535;
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// Settings of a pool to be. Everything has a default.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use core::time::Duration;
/// use asyncpal::ThreadPool;
///
/// let pool = ThreadPool::builder()
///     .name("pages")
///     .max_workers(8)
///     .idle_timeout(Duration::from_secs(5))
///     .build()?;
/// assert_eq!(pool.max_workers(), 8);
/// # Ok::<(), asyncpal::BuildError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct Builder<K: Kind> {
    pub(super) max_workers: Option<usize>,
    name: Option<String>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) grace: Duration,
    capacity: Option<usize>,
    when_full: WhenFull,
    initializer: Option<Result<K::Hook, BuildError>>,
    finalizer: Option<Result<K::Hook, BuildError>>,
    min_workers: usize,
    max_tasks_per_worker: Option<usize>,
    keep_cancelled_tasks: bool,
    stack_size: Option<usize>,
    pub(super) spawner: Option<Spawner>,
    spin: bool,
    on_uncollected: Option<ReportHook>,
    on_event: Option<EventHook>,
    measure_times: bool,
    time_tasks: bool,
    options: K::Options,
}

impl<K: Kind> Builder<K> {
    pub(super) fn new(options: K::Options) -> Self {
        Self {
            max_workers: None,
            name: None,
            idle_timeout: Some(DEFAULT_IDLE_TIMEOUT),
            grace: DEFAULT_GRACE,
            capacity: None,
            when_full: WhenFull::Wait,
            initializer: None,
            finalizer: None,
            min_workers: 0,
            max_tasks_per_worker: None,
            keep_cancelled_tasks: false,
            stack_size: None,
            spawner: None,
            spin: true,
            on_uncollected: None,
            on_event: None,
            measure_times: false,
            time_tasks: true,
            options,
        }
    }

    /// At most so many workers at once, 1 to 65 535. Default: processors + 5 threads, or as many processes as
    /// processors.
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = Some(workers);
        self
    }

    /// So many workers stay, however long they are idle, once they were spawned for a task or by
    /// [`Pool::spawn_workers`]. Default: none.
    #[doc(alias = "core_workers")]
    pub fn min_workers(mut self, workers: usize) -> Self {
        self.min_workers = workers;
        self
    }

    /// The pool's name; its workers are `NAME-0`, `NAME-1` … (Linux shows 15 bytes). Default:
    /// `asyncpal-N`, counted through the program.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long an idle worker waits for a task before it leaves, in whole milliseconds, rounded
    /// up; `None` means for ever. Default: 60 seconds.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// How long the end of the program waits for running tasks of a pool that is still open.
    /// Default: 30 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// At most so many tasks may be pending; those that run do not count. Default: no limit.
    ///
    /// What callbacks and hooks submit in the place of a worker comes on top if it would have to
    /// [wait](WhenFull::Wait) for that worker.
    pub fn capacity(mut self, tasks: impl Into<Option<usize>>) -> Self {
        self.capacity = tasks.into();
        self
    }

    /// What [`Pool::submit`] does while as many tasks are pending as the [capacity](Self::capacity)
    /// allows. Default: it waits.
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }

    /// Called by each worker before its first task. If it panics or returns an error the pool
    /// breaks.
    pub fn initializer<F>(mut self, initializer: F) -> Self
    where
        K: TakesHook<F>,
    {
        self.initializer = Some(K::hook(initializer));
        self
    }

    /// Called by each worker after its last task. If it panics or returns an error the pool
    /// breaks; so it does if a process dies in it, or must be ended since it takes too long.
    pub fn finalizer<F>(mut self, finalizer: F) -> Self
    where
        K: TakesHook<F>,
    {
        self.finalizer = Some(K::hook(finalizer));
        self
    }

    /// A worker leaves after so many tasks, and another takes its place as needed. Default: no
    /// limit.
    pub fn max_tasks_per_worker(mut self, tasks: impl Into<Option<usize>>) -> Self {
        self.max_tasks_per_worker = tasks.into();
        self
    }

    /// Whether tasks that the pool cancels because it is shut down or breaks are kept, for
    /// [`Pool::take_cancelled_tasks`]. Default: no, their closures are dropped at once.
    ///
    /// Kept closures live as long as the pool: one that owns the pool (an `Arc` of it) keeps it alive
    /// until somebody takes it.
    pub fn keep_cancelled_tasks(mut self, keep: bool) -> Self {
        self.keep_cancelled_tasks = keep;
        self
    }

    /// The stack of each worker's thread, in bytes. Default: as of `std::thread`.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Whether a worker without a task may look for one for a few microseconds before it sleeps. In a stream of
    /// brief tasks it lets some gather first, for up to some ten microseconds.
    /// Never done on a single processor. Default: yes.
    ///
    /// Threads that wait for a handle look in the same way, whatever is said here: it is theirs, not the pool's.
    pub fn spin(mut self, spin: bool) -> Self {
        self.spin = spin;
        self
    }

    /// Called with every failure that nobody will ever collect: the task has panicked or failed (an
    /// `Err` of [`submit_fallible`](Pool::submit_fallible), a lost worker), and its handle was dropped,
    /// before or after, without a look at the error. Cancelled tasks are not reported.
    ///
    /// It is called by whoever drops the last of the task: the worker, or the thread that drops the
    /// handle. So it should not wait; its own panic is caught. Default: one line on the standard error
    /// output, beside the one that the panic hook may have printed.
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use std::sync::mpsc;
    /// use asyncpal::ThreadPool;
    ///
    /// let (tell, told) = mpsc::channel();
    /// let pool = ThreadPool::builder()
    ///     .name("log")
    ///     .on_uncollected(move |failure| tell.send(failure.to_string()).unwrap())
    ///     .build()?;
    ///
    /// drop(pool.submit_fallible(|| "12%".parse::<u8>())?);
    ///
    /// let expected = "pool \"log\": task 1, which nobody collected: the task failed: \
    ///     invalid digit found in string";
    /// assert_eq!(told.recv()?, expected);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn on_uncollected(
        mut self,
        hook: impl Fn(&UncollectedFailure<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_uncollected = Some(Arc::new(hook));
        self
    }

    /// Called with everything that happens in the pool: tasks that start and end, workers that come and
    /// go, spawns that fail, the end. Default: nobody is called, and nothing is paid.
    ///
    /// It is called where it happens, by the thread that does it, and under no lock: of a task by whoever
    /// runs or cancels it, so what the hook takes is part of the task's time or of the call. Events of
    /// one thread come in order; of a task that ended its handle tells only after the hook. The hook
    /// may use the pool, but must not wait for the task that it is told of. Its own panic is caught.
    /// Told of a [spawn that failed](crate::EventKind::SpawnFailed), it must not wait for any task of the pool, nor
    /// for room or its end: what nobody else will run is given back or cancelled by this very thread, when the
    /// hook is over.
    ///
    /// The thread that ends a task is usually a worker. The hook may submit; in a pool of processes it must not wait
    /// for tasks of that pool, whose replies this very thread may have to read, and it holds up what its worker was
    /// sent ahead.
    ///
    /// With the features `log` and `tracing` there are hooks for these crates: `log_event` and
    /// `trace_event`.
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use asyncpal::ThreadPool;
    ///
    /// let pool = ThreadPool::builder()
    ///     .name("log")
    ///     .on_event(|event| {
    ///         if event.is_failure() {
    ///             eprintln!("{event}");
    ///         }
    ///     })
    ///     .build()?;
    ///
    /// // pool "log", worker 0: task 1 "parse" failed after 1.2µs: the task failed: invalid digit …
    /// let parse = || "12%".parse::<u8>();
    /// let task = asyncpal::Labelled::new("parse", asyncpal::Fallible(parse));
    /// assert!(pool.run(task).is_err());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn on_event(mut self, hook: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(hook));
        self
    }

    /// Whether the pool counts how long its tasks wait and run, and how many are pending at most, for
    /// [`Pool::stats`](crate::Pool::stats). Default: no.
    ///
    /// It takes 1 KiB for each possible worker (half of that where words have 32 bits) and some tens of
    /// nanoseconds per task; the clock is not read more often than without. Each submit counts the pending tasks,
    /// which is a look at a word of each possible worker.
    pub fn measure_times(mut self, measure: bool) -> Self {
        self.measure_times = measure;
        self
    }

    /// Whether the clock is read for tasks, at their submit and at their end: about a quarter of what a brief task
    /// costs. Without, [`Handle::durations`](crate::Handle::durations) is `None`. Who [measures
    /// times](Self::measure_times) or [listens to events](Self::on_event) needs it; then this has no effect.
    /// Default: yes.
    pub fn time_tasks(mut self, time: bool) -> Self {
        self.time_tasks = time;
        self
    }

    /// Builds the pool. It has no worker until it has a task.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says which setting cannot be.
    pub fn build(self) -> Result<Pool<K>, BuildError> {
        let max_workers = self.max_workers.unwrap_or_else(K::default_max_workers);
        if max_workers == 0 {
            return Err(BuildError::NoWorkers);
        }
        if max_workers > MAX_WORKERS {
            return Err(BuildError::TooManyWorkers { limit: MAX_WORKERS });
        }
        if self.min_workers > max_workers {
            return Err(BuildError::MinAboveMax { min: self.min_workers, max: max_workers });
        }
        if self.capacity == Some(0) {
            return Err(BuildError::NoCapacity);
        }
        if self.when_full == WhenFull::RunHere && K::INLINE.is_none() {
            return Err(BuildError::CannotRunHere);
        }
        if self.max_tasks_per_worker == Some(0) {
            return Err(BuildError::NoTasksPerWorker);
        }
        let name = self.name.unwrap_or_else(next_name);
        if name.contains('\0') {
            return Err(BuildError::Name);
        }
        let spin = self.spin && several_processors();
        let setup = Setup {
            name: name.clone(),
            initializer: self.initializer.transpose()?,
            finalizer: self.finalizer.transpose()?,
            spin,
            options: self.options,
        };
        let observer = Arc::new(Observer::new(
            name.clone(),
            self.on_uncollected,
            self.on_event,
            self.measure_times.then_some(max_workers),
        ));
        let terms = Terms {
            time_tasks: self.time_tasks || observer.is_wanted(),
            observer,
            name,
            min_workers: self.min_workers,
            stack_size: self.stack_size,
            spawner: self.spawner,
            keep_cancelled_tasks: self.keep_cancelled_tasks,
            max_tasks_per_worker: self.max_tasks_per_worker,
            spin,
        };
        let Self { idle_timeout, grace, capacity, when_full, .. } = self;
        Plan { setup, terms, max_workers, idle_timeout, grace, capacity, when_full }.build()
    }
}

/// Settings that were checked.
pub(super) struct Plan<K: Kind> {
    pub(super) setup: Setup<K>,
    pub(super) terms: Terms,
    pub(super) max_workers: usize,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) grace: Duration,
    pub(super) capacity: Option<usize>,
    pub(super) when_full: WhenFull,
}

impl<K: Kind> Plan<K> {
    fn build(self) -> Result<Pool<K>, BuildError> {
        let kind = K::new(self.setup.clone())?;
        Ok(Pool::open(kind, self))
    }

    /// A pool like the one that was built by this plan, of one worker.
    pub(super) fn build_twin(&self) -> Result<Pool<K>, BuildError> {
        let observer = Arc::new(self.terms.observer.twin());
        let terms = Terms { min_workers: 0, observer, ..self.terms.clone() };
        Plan { setup: self.setup.clone(), terms, max_workers: 1, ..*self }.build()
    }
}

fn next_name() -> String {
    static BUILT: AtomicUsize = AtomicUsize::new(0);
    // ORDERING: Relaxed: only distinct.
    format!("asyncpal-{}", BUILT.fetch_add(1, Ordering::Relaxed) + 1)
}

impl<K: Kind> fmt::Debug for Builder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("max_workers", &self.max_workers)
            .field("idle_timeout", &self.idle_timeout)
            .field("capacity", &self.capacity)
            .field("measure_times", &self.measure_times)
            .finish_non_exhaustive()
    }
}
