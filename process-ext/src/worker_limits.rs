//! What a worker may take of the machine.

#![forbid(unsafe_code)]

/// Limits of each worker process, for as long as it lives. What is not set is as for this program.
///
/// They hold before the initializer runs, and for what the worker's tasks start. A limit that the system refuses is a
/// [`LaunchError::Limit`](crate::LaunchError::Limit), which is the cause that the task is given back with.
///
/// # Examples
///
/// ```
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use asyncpal::process::{ProcessOptions, WorkerLimits};
///
/// let limits = WorkerLimits::new().address_space(2 << 30).nice(10);
/// let options = ProcessOptions::new().worker_limits(limits);
/// # drop(options);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "limits do nothing until their pool is built"]
pub struct WorkerLimits {
    pub(crate) address_space: Option<u64>,
    pub(crate) cpu_seconds: Option<u64>,
    pub(crate) nice: Option<i32>,
    pub(crate) oom_score_adj: Option<i32>,
}

impl WorkerLimits {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most so many bytes of address space (`RLIMIT_AS`): a larger allocation fails, which ends a worker by
    /// SIGABRT unless its task asked with `try_reserve`. Mapped files and stacks count, what is only reserved, too.
    #[doc(alias = "RLIMIT_AS")]
    pub fn address_space(mut self, bytes: u64) -> Self {
        self.address_space = Some(bytes);
        self
    }

    /// At most so many seconds on a processor (`RLIMIT_CPU`), all tasks of the worker together: then SIGXCPU ends it,
    /// and a second later SIGKILL; SIGKILL alone where this program's own hard limit is just that. For a limit of each
    /// task see [`task_timeout`](crate::ProcessOptions::task_timeout).
    #[doc(alias = "RLIMIT_CPU")]
    pub fn cpu_seconds(mut self, seconds: u64) -> Self {
        self.cpu_seconds = Some(seconds);
        self
    }

    /// The worker's niceness, from -20 to 19: the higher, the more it lets others go first. To go below this program's
    /// own takes a privilege.
    pub fn nice(mut self, nice: i32) -> Self {
        self.nice = Some(nice);
        self
    }

    /// How much rather than others the worker is killed when memory runs out, from -1000 (never) to 1000. To go below
    /// this program's own takes a privilege.
    pub fn oom_score_adj(mut self, score: i32) -> Self {
        self.oom_score_adj = Some(score);
        self
    }
}
