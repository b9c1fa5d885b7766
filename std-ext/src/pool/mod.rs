//! The pool: its public methods, one short step each onto the engine.

mod admission;
mod attendance;
mod builder;
mod ending;
mod inner;
mod keep_alive;
mod loan;
mod pause;
mod room;
mod roster;
mod spawn;
mod submit;

use core::fmt;
use core::time::Duration;

use asyncpal_core::executor::{Executor, Totals};
use asyncpal_core::lifecycle::Phase;

use self::admission::Patience;
pub(crate) use self::admission::Wait;
pub use self::builder::Builder;
use self::builder::Plan;
pub use self::ending::{CancelledTask, ShutdownReport};
use self::inner::{Inner, Probe};
use self::roster::Staff;
pub use self::spawn::{SpawnedThread, WorkerThread};
pub use self::submit::{Submitted, WhenFull};
use crate::clock::Deadline;
use crate::error::{PoolError, TaskError};
use crate::kind::Kind;
use crate::observe::Observer;
use crate::sync::{Arc, is_abandoned};
use crate::watcher;

/// A pool of workers of kind `K`: use it as [`ThreadPool`](crate::ThreadPool) or `ProcessPool`.
///
/// Workers are spawned when there are more tasks than workers to look at them, up to the maximum;
/// the same few are used as long as they suffice; idle ones leave after the idle timeout, down to
/// none. Tasks start first in, first out. Dropping the pool [shuts it down](Pool::shutdown), which cancels
/// the tasks that have not started: [`join`](Pool::join) first if they are to run. A pool that is still open when the program ends (return from `main`, a panic there, or
/// `std::process::exit`) is shut down within its grace.
///
/// In a child that the program forks, a pool that was made before takes nothing
/// ([`PoolError::Forked`]), waits for nobody, and dropping it does nothing: its workers are the
/// parent's. Pools that the child makes are its own. (The standard library takes a lock when a thread starts or ends,
/// and in `std::process::exit`, and some C libraries take one in `exit`: a child that was forked while another thread
/// was in the midst of that can start no threads, and has to leave by `_exit`.)
///
/// A task that panics fails with [`TaskError::Panicked`] and its worker goes on, a process as well as a
/// thread; under `panic = "abort"` a panic ends the program, or the worker process, which is lost with it.
pub struct Pool<K: Kind> {
    inner: Arc<Inner<K>>,
}

impl<K: Kind<Options: Default>> Pool<K> {
    /// Settings for a pool.
    pub fn builder() -> Builder<K> {
        Builder::new(K::Options::default())
    }

    /// Settings for a pool of one worker: its tasks run one after the other, in the order of their
    /// submits.
    #[doc(alias = "SingleThreadPool")]
    pub fn single() -> Builder<K> {
        Self::builder().max_workers(1)
    }

    /// Settings for a pool of at most two workers.
    #[doc(alias = "DualThreadPool")]
    pub fn dual() -> Builder<K> {
        Self::builder().max_workers(2)
    }

    /// Settings for a pool of at most three workers.
    #[doc(alias = "TripleThreadPool")]
    pub fn triple() -> Builder<K> {
        Self::builder().max_workers(3)
    }

    /// Settings for a pool of at most four workers.
    #[doc(alias = "QuadThreadPool")]
    pub fn quad() -> Builder<K> {
        Self::builder().max_workers(4)
    }
}

impl<K: Kind> Pool<K> {
    /// Settings for a pool of a kind that has options of its own.
    pub fn builder_with(options: K::Options) -> Builder<K> {
        Builder::new(options)
    }

    fn open(kind: K, plan: Plan<K>) -> Self {
        let executor = Executor::new(Staff::new(kind, &plan), plan.max_workers);
        let inner = Arc::new(Inner::new(executor, plan));
        watcher::watch(&inner, inner.home());
        Self { inner }
    }

    /// Runs everything that was submitted and lets the workers leave; new ones are spawned as
    /// needed, so the pool stays usable.
    ///
    /// A task of the pool that calls it runs other pending tasks meanwhile, one after the other and on its own stack: it
    /// should hold no lock that they need. Then it waits for those of the other workers that do not wait in this way
    /// themselves.
    pub fn join(&self) {
        self.inner.join(Deadline::NEVER);
    }

    /// As [`join`](Pool::join), but waits at most so long; false if workers are still at work then.
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        self.inner.join(Deadline::after(timeout))
    }

    /// Spawns workers before there are tasks for them: at most so many, and never beyond the
    /// maximum. How many were spawned.
    ///
    /// Idle ones leave after the idle timeout like all others, down to
    /// [`min_workers`](Builder::min_workers).
    ///
    /// # Errors
    ///
    /// [`PoolError`]: the pool is closed or broken, or the first of them could not be spawned.
    pub fn spawn_workers(&self, most: usize) -> Result<usize, PoolError> {
        self.check()?;
        match self.inner.executor.spawn_workers(most) {
            (0, Some(cause)) => Err(PoolError::of_spawn(&cause)),
            (spawned, _) => Ok(spawned),
        }
    }

    /// Spawns as many workers as are missing to the maximum. How many that were.
    ///
    /// # Errors
    ///
    /// As [`spawn_workers`](Pool::spawn_workers).
    pub fn spawn_max_workers(&self) -> Result<usize, PoolError> {
        self.spawn_workers(self.max_workers())
    }

    /// Tries out what the pool was built with: a worker of a pool like this one starts, runs its
    /// initializer, a task that does nothing, and its finalizer. This pool itself is not touched.
    ///
    /// # Errors
    ///
    /// Why there would be no worker, or what broke that pool.
    pub fn test(&self) -> Result<(), TaskError> {
        let unable = |error| TaskError::Rejected(PoolError::Spawn(Arc::new(error)));
        let twin = self.inner.plan.build_twin().map_err(unable)?;
        let ran = match twin.inner.submit(Probe, Patience::Policy(WhenFull::Wait)) {
            Ok(handle) => handle.collect(),
            Err((Probe, reason)) => Err(TaskError::Rejected(reason)),
        };
        twin.shutdown();
        if twin.is_broken() {
            Err(TaskError::Rejected(twin.inner.staff().broken_or_closed()))
        } else {
            ran
        }
    }

    /// Whether the pool takes tasks.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn check(&self) -> Result<(), PoolError> {
        self.inner.check()
    }

    /// True once the pool was shut down.
    pub fn is_closed(&self) -> bool {
        self.inner.phase() >= Phase::Draining
    }

    /// True once the pool was shut down and its last worker has left.
    pub fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }

    /// True once an initializer or finalizer has failed, or workers have died again and again while they started: for
    /// good.
    pub fn is_broken(&self) -> bool {
        // The cause is set first; a submit may still be taken meanwhile.
        self.inner.phase() != Phase::Open && self.inner.staff().broken_cause().is_some()
    }

    /// The pool's name.
    pub fn name(&self) -> &str {
        &self.inner.staff().terms.name
    }

    /// The maximum of workers.
    pub fn max_workers(&self) -> usize {
        self.inner.plan.max_workers
    }

    /// After how many tasks a worker leaves.
    pub fn max_tasks_per_worker(&self) -> Option<usize> {
        self.inner.staff().terms.max_tasks_per_worker
    }

    /// How long an idle worker waits before it leaves; `None`: for ever.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.inner.staff().keep_alive.get()
    }

    /// Changes the idle timeout, also for workers that are idle now.
    pub fn set_idle_timeout(&self, timeout: impl Into<Option<Duration>>) {
        if self.inner.is_forked() {
            return;
        }
        self.inner.staff().keep_alive.set(timeout.into());
        self.inner.executor.rouse_workers();
    }

    pub(crate) fn totals(&self) -> Totals {
        self.inner.executor.engine().totals()
    }

    pub(crate) fn replaced_seats(&self) -> usize {
        self.inner.staff().kind.replaced_seats()
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.inner.staff().terms.observer
    }

    /// Workers that live or are being spawned: a snapshot.
    pub fn count_workers(&self) -> usize {
        self.inner.executor.engine().counts().workers
    }

    /// Workers that wait for a task: a snapshot.
    pub fn count_free_workers(&self) -> usize {
        self.inner.executor.engine().counts().idle
    }

    /// Workers that have or look for a task: a snapshot.
    pub fn count_busy_workers(&self) -> usize {
        let counts = self.inner.executor.engine().counts();
        counts.workers.saturating_sub(counts.idle)
    }

    /// Tasks that have neither started nor been cancelled: a snapshot.
    pub fn count_pending_tasks(&self) -> usize {
        self.inner.executor.engine().counts().pending
    }
}

impl Pool<crate::Threads> {
    /// A thread pool with the default settings.
    #[expect(clippy::new_without_default, reason = "a pool that appears unasked would surprise")]
    pub fn new() -> Self {
        Self::builder().build().expect("the default settings are valid")
    }
}

impl<K: Kind> Drop for Pool<K> {
    fn drop(&mut self) {
        if is_abandoned() || self.inner.is_forked() {
            core::mem::forget(self.inner.clone());
            return;
        }
        self.inner.end();
    }
}

impl<K: Kind> fmt::Debug for Pool<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.inner.executor.engine().counts();
        f.debug_struct("Pool")
            .field("name", &self.name())
            .field("phase", &self.inner.phase())
            .field("workers", &counts.workers)
            .field("idle_workers", &counts.idle)
            .field("max_workers", &self.max_workers())
            .field("pending_tasks", &counts.pending)
            .finish_non_exhaustive()
    }
}
