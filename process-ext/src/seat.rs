//! What a worker of a process pool sits on: its child.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::sync::Arc;

use asyncpal_core::clock::Instant;
use asyncpal_core::park::Unparked;
use asyncpal_std::kind::{OpenError, OpenFailure, StdClock};
use asyncpal_std::{BrokenCause, TaskError};

use crate::bell::Bell;
use crate::error::{CallError, CloseError, LaunchError};
use crate::parker::ProcessParker;
use crate::proxy::{Launch, Proxy, Reply, Terms};
use crate::remote::FunctionId;
use crate::starts::{FailedStart, Starts};
use crate::wire::frame::Kind;

/// A worker's child.
#[derive(Debug)]
pub struct ProcessSeat {
    launch: Launch,
    starts: Arc<Starts>,
    proxy: Proxy,
    /// What a start within a task breaks the pool with.
    breaks: Option<OpenFailure>,
    /// Names the tasks of this seat on the wire.
    task_id: u64,
    /// How long the next task may run, if it says so itself.
    own_limit: Option<Duration>,
    /// Rings when the running task may have been cancelled, if anybody wants to know.
    bell: Option<Arc<Bell>>,
}

/// Which function a task calls: the kind of its frame, and its `aux`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    pub(crate) aux: u64,
}

impl Request {
    /// A function of this program.
    pub(crate) fn task(function: FunctionId) -> Self {
        Self { kind: Kind::Task, aux: function.offset() as u64 }
    }

    /// A function of another program; its name comes first in the body.
    pub(crate) fn call(aux: u64) -> Self {
        Self { kind: Kind::Call, aux }
    }
}

impl ProcessSeat {
    /// Starts a child.
    pub(crate) fn open(
        launch: Launch,
        starts: &Arc<Starts>,
    ) -> Result<Self, OpenError<OpenFailure>> {
        // First of all a bell: without it a cancel would go unheard.
        let bell = launch.kill_on_cancel.then(Bell::hang).transpose();
        let bell = bell.map_err(|error| OpenError::Spawn(LaunchError::Spawn(error).into()))?;
        let proxy = starts.start(&launch)?;
        let starts = Arc::clone(starts);
        Ok(Self { launch, starts, proxy, breaks: None, task_id: 0, own_limit: None, bell })
    }

    /// Limits the next task; of several limits the shortest counts.
    pub(crate) fn limit_next(&mut self, limit: Duration) {
        self.own_limit = Some(self.own_limit.map_or(limit, |other| other.min(limit)));
    }

    /// Whether no loss of the child has been noticed yet, and it has not grown too large.
    pub(crate) fn is_sound(&self) -> bool {
        self.proxy.is_alive() && !self.proxy.is_swollen()
    }

    /// Sleeps until a token, the deadline, or the child's end.
    pub(crate) fn park(&mut self, parker: &ProcessParker, deadline: Option<Instant>) -> Unparked {
        self.proxy.park(parker, deadline.map(|moment| StdClock.to_std(moment)))
    }

    /// Ends the child.
    pub(crate) fn close(self) -> Result<(), BrokenCause> {
        if let Some(cause) = self.breaks {
            return Err(BrokenCause::of_opening(cause));
        }
        match self.proxy.close() {
            // A worker that was lost has failed its task already, or was idle.
            Ok(()) | Err(CloseError::Lost(_)) => Ok(()),
            // Something hung in it, and it was ended. Without a finalizer nothing that counts was left to do.
            Err(CloseError::TimedOut(_)) if !self.launch.has_finalizer() => Ok(()),
            Err(error) => Err(BrokenCause::Finalizer(error.into())),
        }
    }

    /// Runs a call. A child that turns out to have died before it read the call is replaced, once:
    /// the call was not started, and has all its time before it.
    pub(crate) fn exchange(
        &mut self,
        request: Request,
        body: &[u8],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, TaskError> {
        self.task_id += 1;
        let terms = Terms {
            limit: self.own_limit.take().or(self.launch.task_timeout),
            cancel: self.bell.as_deref().map(|bell| (bell, is_cancelled)),
        };
        let mut reply = self.proxy.ask(self.task_id, request, body, terms);
        if let Err(CallError::NotStarted(_)) = reply {
            match self.starts.start(&self.launch) {
                Ok(proxy) => {
                    self.proxy = proxy;
                    reply = self.proxy.ask(self.task_id, request, body, terms);
                }
                Err(FailedStart { error, breaks }) => {
                    self.breaks = breaks;
                    return Err(TaskError::Failed(error.into()));
                }
            }
        }
        match reply {
            Ok(Reply::Result(bytes)) => Ok(bytes),
            Ok(Reply::Error(error) | Reply::Panic(error)) => Err(TaskError::Failed(error.into())),
            // The loss itself: its text says who was lost and how.
            Err(CallError::Lost(lost) | CallError::NotStarted(lost)) => {
                Err(TaskError::Failed(lost.into()))
            }
            Err(error) => Err(TaskError::Failed(error.into())),
        }
    }
}
