//! How long workers are waited for, and when the wait is given up: the same for pools of processes and of commands.

#![forbid(unsafe_code)]

use core::time::Duration;

use crate::launch::Launch;

/// How long a pool waits for its workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long each task may run, unless its call says otherwise.
    pub(crate) task_timeout: Option<Duration>,
    /// Whether the worker is killed when the handle of its running task is cancelled.
    pub(crate) kill_on_cancel: bool,
    /// How long a worker whose task is given up may live after SIGTERM.
    pub(crate) kill_grace: Duration,
    /// How long a worker may take to end when it is closed, and once more after SIGTERM.
    pub(crate) close_grace: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            task_timeout: None,
            kill_on_cancel: false,
            kill_grace: Duration::from_secs(1),
            close_grace: Duration::from_secs(5),
        }
    }
}

impl Patience {
    pub(crate) fn apply(self, launch: &mut Launch) {
        let Self { task_timeout, kill_on_cancel, kill_grace, close_grace } = self;
        launch.task_timeout = task_timeout;
        launch.kill_on_cancel = kill_on_cancel;
        launch.kill_grace = kill_grace;
        launch.grace = close_grace;
    }
}
