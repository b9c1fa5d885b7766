//! What is set for a pool of processes only.

#![forbid(unsafe_code)]

use core::num::NonZeroU32;
use core::time::Duration;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use asyncpal_std::{BuildError, Builder, Pool};

use crate::launch::{Launch, check_max_frame_bytes};
use crate::patience::Patience;
use crate::processes::Processes;
use crate::supervisor::breaker::DEFAULT_STARTS;
use crate::surroundings::{Surroundings, WorkerOutput};
use crate::worker_limits::WorkerLimits;

/// Settings of a [`ProcessPool`](crate::ProcessPool) that other pools do not have. Everything has a default.
///
/// [`pool`](Self::pool) leads on to the settings that all pools have.
///
/// What its tasks find in a worker, whatever is set: `std::env::args()` is the worker's name and nothing more, standard
/// input is at its end (`/dev/null`), the environment and the folder are those of this program at the worker's start,
/// the statics are as new, and SIGINT, SIGQUIT, SIGTTIN and SIGTTOU are ignored. A call and a result are at most
/// [`max_frame_bytes`](Self::max_frame_bytes) long.
///
/// # Examples
///
/// ```no_run
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use core::time::Duration;
/// use asyncpal::process::{LostCause, ProcessOptions, WorkerLost};
/// use asyncpal::TaskError;
///
/// fn forever() -> u64 {
///     loop {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// asyncpal::process::init();
/// let options = ProcessOptions::new().task_timeout(Duration::from_secs(1));
/// let pool = options.pool().max_workers(2).build()?;
///
/// let Err(TaskError::Failed(error)) = pool.submit(forever)?.collect() else { unreachable!() };
/// let lost: &WorkerLost = error.downcast_ref().unwrap();
/// assert_eq!(*lost.cause(), LostCause::TimedOut(Duration::from_secs(1)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "settings do nothing until their pool is built"]
pub struct ProcessOptions {
    patience: Patience,
    surroundings: Surroundings,
    limits: WorkerLimits,
    max_worker_rss: Option<u64>,
    max_frame_bytes: Option<usize>,
    handshake_timeout: Option<Duration>,
    initializer_timeout: Option<Duration>,
    /// Zero: never too many.
    crash_loop: Option<u32>,
}

impl ProcessOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a task may run, from the moment when it is sent to a worker: then the worker is killed, its task fails
    /// with [`LostCause::TimedOut`](crate::LostCause::TimedOut), and the next task gets another worker at once.
    /// Default: for ever.
    ///
    /// [`Within`](crate::Within) sets it for one call, shorter or longer. A chunk of a map is one task.
    pub fn task_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.patience.task_timeout = limit.into();
        self
    }

    /// Whether [`Handle::cancel`](asyncpal_std::Handle::cancel) of a task that runs kills its worker: the task fails
    /// with [`LostCause::Cancelled`](crate::LostCause::Cancelled), and the slot is free. `cancel` still returns false,
    /// since the task may end by itself before it is killed: the handle tells. A failure that was asked for so is not
    /// [reported](asyncpal_std::Builder::on_uncollected) if nobody collects it. Default: no, the task runs on.
    ///
    /// It is not the default because not only users cancel: a handle of
    /// [`cancel_on_drop`](asyncpal_std::Handle::cancel_on_drop) and a map that is dropped half-way do, too, and
    /// a worker that is killed loses all that its initializer prepared, and leaves half done what its task did to
    /// files and peers. The end of a pool does not kill: its tasks may end in peace.
    pub fn kill_on_cancel(mut self, kill: bool) -> Self {
        self.patience.kill_on_cancel = kill;
        self
    }

    /// How long a worker whose task is out of time or cancelled may live after SIGTERM; then it gets SIGKILL. A worker
    /// that has not asked for that signal dies of it at once. Zero: SIGKILL without warning. Default: 1 second.
    ///
    /// Both signals go to the worker's process group: what its task has started ends with it.
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.patience.kill_grace = grace;
        self
    }

    /// How long a worker that is told to end may take, finalizer included; then it gets SIGTERM, and as much time
    /// again before SIGKILL. So long, too, may a worker that starts while its pool ends take to be ready; then it is
    /// killed. Default: 5 seconds.
    pub fn close_grace(mut self, grace: Duration) -> Self {
        self.patience.close_grace = grace;
        self
    }

    /// How long a process may take to become a worker: to its first word, and then, without an initializer, to be ready.
    /// Then it is killed, and [`crash_loop`](Self::crash_loop) counts it. What `main` does before
    /// [`init`](crate::init) is a part of it. Default: 30 seconds for each.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = Some(timeout);
        self
    }

    /// How long the [initializer](Builder::initializer) may take; then its worker is killed, as one that is not ready in
    /// the [`handshake_timeout`](Self::handshake_timeout). Default: for ever.
    pub fn initializer_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.initializer_timeout = timeout.into();
        self
    }

    /// The largest arguments of a call and the largest result, encoded, in bytes; what is larger fails its task, and the
    /// worker goes on. A chunk of a map is one call. Default: 256 MiB. 4 GiB or more are an error of
    /// [`build`](Builder::build).
    pub fn max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = Some(bytes);
        self
    }

    /// Sets a variable of the workers' environment, which otherwise is this program's at the moment when a worker
    /// starts. A name that no variable can have is an error of the first worker's start.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.surroundings.set(key.as_ref(), Some(value.as_ref()));
        self
    }

    /// Removes a variable from the workers' environment.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.surroundings.set(key.as_ref(), None);
        self
    }

    /// Leaves the workers' environment empty, but for what is set after this.
    pub fn env_clear(mut self) -> Self {
        self.surroundings.set_none();
        self
    }

    /// The folder that the workers start in. Default: this program's.
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.surroundings.current_dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Where the workers' standard output goes: [`WorkerOutput`] or a `File`. Default: where this program's goes.
    pub fn stdout(mut self, output: impl Into<WorkerOutput>) -> Self {
        self.surroundings.stdout = output.into();
        self
    }

    /// Where the workers' standard error goes: [`WorkerOutput`] or a `File`. Default: where this program's goes.
    pub fn stderr(mut self, output: impl Into<WorkerOutput>) -> Self {
        self.surroundings.stderr = output.into();
        self
    }

    /// What each worker may take of the machine. Default: as much as this program.
    pub fn worker_limits(mut self, limits: WorkerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// A worker that has more bytes than these in memory (its resident set) when a task is over leaves, and another
    /// takes its place as needed: for tasks that leak, or memory that is not given back. It costs a system
    /// call per task. Default: no limit.
    ///
    /// [`max_tasks_per_worker`](asyncpal_std::Builder::max_tasks_per_worker) counts tasks instead;
    /// [`WorkerLimits::address_space`] fails the task that takes too much.
    #[doc(alias = "max_memory_per_child")]
    pub fn max_worker_rss(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.max_worker_rss = bytes.into();
        self
    }

    /// So many workers in a row that end, or have to be given up, before they are ready break the pool, with
    /// [`BrokenCause::CrashLoop`](asyncpal_std::BrokenCause::CrashLoop); zero: it goes on trying. Default: 5.
    ///
    /// Before that, a task that has nobody to run it after three of them, and each one after it, is given back with the
    /// cause. A start within a task, whose worker has died before it read the call, counts like any other; if it fails,
    /// so does that task. An initializer that returns an error or panics breaks the pool the first time.
    pub fn crash_loop(mut self, starts: u32) -> Self {
        self.crash_loop = Some(starts);
        self
    }

    /// Settings for a pool of such workers.
    pub fn pool(self) -> Builder<Processes> {
        Pool::builder_with(self)
    }

    pub(crate) fn max_failed_starts(&self) -> Option<NonZeroU32> {
        self.crash_loop.map_or(Some(DEFAULT_STARTS), NonZeroU32::new)
    }

    pub(crate) fn check(&self) -> Result<(), BuildError> {
        self.max_frame_bytes.map_or(Ok(()), check_max_frame_bytes)
    }

    pub(crate) fn apply(&self, launch: &mut Launch) {
        launch.max_frame_bytes = self.max_frame_bytes.unwrap_or(launch.max_frame_bytes);
        launch.handshake_timeout = self.handshake_timeout.unwrap_or(launch.handshake_timeout);
        launch.initializer_timeout = self.initializer_timeout;
        launch.surroundings = Arc::new(self.surroundings.clone());
        launch.limits = self.limits;
        launch.max_rss_bytes = self.max_worker_rss;
        self.patience.apply(launch);
    }
}
