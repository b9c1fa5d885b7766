//! The command whose processes are a pool's workers.

#![forbid(unsafe_code)]

use core::num::NonZeroU32;
use core::time::Duration;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use asyncpal_std::{Builder, Pool};

use crate::commands::Commands;
use crate::launch::DEFAULT_HANDSHAKE_TIMEOUT;
use crate::patience::Patience;
use crate::surroundings::{Surroundings, WorkerOutput};
use crate::wire::frame::DEFAULT_MAX_FRAME_BYTES;

/// A command that becomes a worker: another program, or a launcher that runs one elsewhere (`ssh host prog`,
/// `srun prog`, `kubectl exec -i pod -- prog`). Made by [`worker_command`].
///
/// What it runs speaks asyncpal's protocol over its standard input and output: a Rust program calls
/// [`serve_stdio`](crate::serve_stdio), others follow `docs/protocol.md`. Standard error is the pool's own, unless [`stderr`](Self::stderr) says otherwise.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until its pool is built and has a task"]
pub struct WorkerCommand {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// Its standard output is the pool's.
    pub(crate) surroundings: Surroundings,
    pub(crate) handshake_timeout: Duration,
    pub(crate) patience: Patience,
    pub(crate) max_frame_bytes: usize,
    pub(crate) crash_loop: Option<NonZeroU32>,
}

/// A pool whose workers are processes of this command, found as the shell finds it.
///
/// # Examples
///
/// ```no_run
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use asyncpal::process::{Named, worker_command};
///
/// const SQUARE: Named<fn(u64) -> u64> = Named::new("square");
///
/// let command = worker_command("ssh").args(["-o", "BatchMode=yes", "host", "squares"]);
/// let pool = command.pool().max_workers(4).build()?;
/// let squares: Result<Vec<u64>, _> = pool.map(SQUARE, 0..100).chunk_size(10).collect();
/// # drop(squares);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn worker_command(program: impl AsRef<OsStr>) -> WorkerCommand {
    WorkerCommand {
        program: program.as_ref().to_owned(),
        args: Vec::new(),
        surroundings: Surroundings::default(),
        handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
        patience: Patience::default(),
        max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
        crash_loop: None,
    }
}

impl WorkerCommand {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the command's environment, which otherwise is this program's. A launcher passes on what
    /// it was told to, only. A command that is given a `PATH` is looked for in that one alone.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.surroundings.set(key.as_ref(), Some(value.as_ref()));
        self
    }

    /// Removes a variable from the command's environment. It is looked for in this program's `PATH` all the same.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.surroundings.set(key.as_ref(), None);
        self
    }

    /// Leaves the command's environment empty, but for what is set after this.
    pub fn env_clear(mut self) -> Self {
        self.surroundings.set_none();
        self
    }

    /// Where the command's standard error goes: [`WorkerOutput`] or a `File`. Default: where this program's goes.
    pub fn stderr(mut self, output: impl Into<WorkerOutput>) -> Self {
        self.surroundings.stderr = output.into();
        self
    }

    /// The folder that the command starts in. Default: this program's.
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.surroundings.current_dir = Some(dir.as_ref().to_owned());
        self
    }

    /// How long the command may take to become a worker: once to its first word, and then to be ready, the
    /// initializer included. Default: 30 seconds for each.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long a worker that is told to end may take, finalizer included; then it gets SIGTERM, and as much time
    /// again before SIGKILL. Over a launcher it is the launcher that gets them. Default: 5 seconds.
    pub fn close_grace(mut self, grace: Duration) -> Self {
        self.patience.close_grace = grace;
        self
    }

    /// How long a task may run, from the moment when it is sent to a worker: then the command is killed, its task fails
    /// with [`LostCause::TimedOut`](crate::LostCause::TimedOut), and the next task gets another worker at once.
    /// Default: for ever.
    ///
    /// As for [processes](crate::ProcessOptions::task_timeout), [`Within`](crate::Within) sets it for one call, and a
    /// chunk of a map is one task. Over a launcher it is the launcher that is killed: what runs elsewhere may go on to
    /// the end of its task, whose result nobody gets.
    pub fn task_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.patience.task_timeout = limit.into();
        self
    }

    /// Whether [`Handle::cancel`](asyncpal_std::Handle::cancel) of a task that runs kills its command: the task fails
    /// with [`LostCause::Cancelled`](crate::LostCause::Cancelled), and the slot is free. Over a launcher it is the
    /// launcher that is killed, as by [`task_timeout`](Self::task_timeout). Default: no, the task runs on;
    /// [`ProcessOptions::kill_on_cancel`](crate::ProcessOptions::kill_on_cancel) says why, and who else cancels.
    pub fn kill_on_cancel(mut self, kill: bool) -> Self {
        self.patience.kill_on_cancel = kill;
        self
    }

    /// How long a command whose task is out of time or cancelled may live after SIGTERM; then it gets SIGKILL. Zero:
    /// SIGKILL without warning. Default: 1 second.
    ///
    /// Both signals go to the command's process group. Over a launcher it is the launcher that gets them, and its grace
    /// is what it needs to pass them on, if it does.
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.patience.kill_grace = grace;
        self
    }

    /// So many commands in a row that end, or have to be given up, before they are ready break the pool, with
    /// [`BrokenCause::CrashLoop`](asyncpal_std::BrokenCause::CrashLoop). Default: zero, it goes on trying, for a host
    /// may be away for long. An initializer that returns an error or panics breaks the pool the first time, whatever is
    /// set here.
    pub fn crash_loop(mut self, starts: u32) -> Self {
        self.crash_loop = NonZeroU32::new(starts);
        self
    }

    /// The largest arguments and the largest result of a task, in bytes of the protocol; what is larger fails its task.
    /// Default: 256 MiB. 4 GiB or more are an error of [`build`](Builder::build).
    pub fn max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = bytes;
        self
    }

    /// Settings for a pool of such workers.
    pub fn pool(self) -> Builder<Commands> {
        Pool::builder_with(self)
    }
}
