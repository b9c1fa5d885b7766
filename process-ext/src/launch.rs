//! How a worker is started, and what comes back from it.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::io;
use std::sync::Arc;

use asyncpal_std::BuildError;

use crate::error::RemoteError;
use crate::patience::Patience;
use crate::remote::FunctionId;
use crate::surroundings::Surroundings;
use crate::wire::frame::{DEFAULT_MAX_FRAME_BYTES, MAX_FRAME_LIMIT};
use crate::worker_command::WorkerCommand;
use crate::worker_limits::WorkerLimits;

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The worker's name: in `ps`, in errors.
    pub name: String,
    /// The largest arguments and the largest result, encoded; below 4 GiB.
    pub max_frame_bytes: usize,
    /// A function without arguments to run before the first task.
    pub initializer: Option<FunctionId>,
    /// A function without arguments to run when the worker is closed.
    pub finalizer: Option<FunctionId>,
    /// How long the process may take to say HELLO, and then READY if there is no initializer.
    pub handshake_timeout: Duration,
    /// How long the initializer may run; it is user code, as tasks are, and by default may take its time.
    pub initializer_timeout: Option<Duration>,
    /// How long a worker may take to end when it is closed, finalizer included; then once more after SIGTERM.
    pub grace: Duration,
    /// How long each task may run, unless its call says otherwise.
    pub task_timeout: Option<Duration>,
    /// Whether the worker is killed when the handle of its running task is cancelled.
    pub kill_on_cancel: bool,
    /// How long a worker whose task is given up may live after SIGTERM; then it gets SIGKILL.
    pub kill_grace: Duration,
    /// A worker that has more bytes in memory after a task is replaced.
    pub max_rss_bytes: Option<u64>,
    /// Whether its two ends may look for the other's words for a few microseconds before they sleep.
    pub spin: bool,
    /// What the worker finds round it.
    pub surroundings: Arc<Surroundings>,
    /// What the worker may take of the machine.
    pub limits: WorkerLimits,
    /// Another program to start instead of this one.
    pub foreign: Option<Arc<Foreign>>,
}

/// A worker of another program. Its initializer and finalizer have names.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// What to start.
    pub command: WorkerCommand,
    /// A function without arguments to run before the first task.
    pub initializer: Option<&'static str>,
    /// A function without arguments to run when the worker is closed.
    pub finalizer: Option<&'static str>,
}

impl Launch {
    /// A worker of this name, without initializer and finalizer.
    pub fn new(name: impl Into<String>) -> Self {
        let Patience { task_timeout, kill_on_cancel, kill_grace, close_grace } =
            Patience::default();
        Self {
            name: name.into(),
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            initializer: None,
            finalizer: None,
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            initializer_timeout: None,
            grace: close_grace,
            task_timeout,
            kill_on_cancel,
            kill_grace,
            max_rss_bytes: None,
            spin: false,
            surroundings: Arc::default(),
            limits: WorkerLimits::new(),
            foreign: None,
        }
    }

    /// A worker of this name, of another program.
    pub fn foreign(name: impl Into<String>, foreign: &Arc<Foreign>) -> Self {
        let mut launch = Self {
            max_frame_bytes: foreign.command.max_frame_bytes,
            handshake_timeout: foreign.command.handshake_timeout,
            foreign: Some(Arc::clone(foreign)),
            ..Self::new(name)
        };
        foreign.command.patience.apply(&mut launch);
        launch
    }

    /// Whether the worker has something to run when it is closed.
    pub(crate) fn has_finalizer(&self) -> bool {
        let foreign = self.foreign.as_ref().is_some_and(|foreign| foreign.finalizer.is_some());
        foreign || self.finalizer.is_some()
    }
}

/// How long a process may take to become a worker, unless a pool says otherwise.
pub(crate) const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether there can be frames of so many bytes.
pub(crate) fn check_max_frame_bytes(bytes: usize) -> Result<(), BuildError> {
    if bytes <= MAX_FRAME_LIMIT {
        return Ok(());
    }
    let what = format!(
        "`max_frame_bytes` is {bytes}, and {MAX_FRAME_LIMIT} at most: what a length in the protocol, or memory, can be"
    );
    Err(BuildError::System(io::Error::new(io::ErrorKind::InvalidInput, what).into()))
}

/// What a task came to.
#[derive(Debug)]
#[must_use]
pub enum Reply {
    /// It returned; these are the result's bytes.
    Result(Vec<u8>),
    /// It returned an error, or could not be called.
    Error(RemoteError),
    /// It panicked.
    Panic(RemoteError),
}
