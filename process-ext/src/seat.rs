//! What a worker of a process pool sits on: its child.

#![forbid(unsafe_code)]

use asyncpal_core::clock::Instant;
use asyncpal_core::park::Unparked;
use asyncpal_std::TaskError;
use asyncpal_std::kind::{OpenError, OpenFailure, StdClock};

use crate::error::{CallError, CloseError, LaunchError};
use crate::parker::ProcessParker;
use crate::proxy::{Launch, Proxy, Reply};
use crate::remote::FunctionId;
use crate::wire::frame::Kind;

/// A worker's child.
#[derive(Debug)]
pub struct ProcessSeat {
    launch: Launch,
    proxy: Proxy,
    /// Names the tasks of this seat on the wire.
    task_id: u64,
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
    pub(crate) fn open(launch: Launch) -> Result<Self, OpenError<OpenFailure>> {
        match Proxy::launch(&launch) {
            Ok(proxy) => Ok(Self { launch, proxy, task_id: 0 }),
            Err(LaunchError::Initializer(error)) => Err(OpenError::Initializer(error.into())),
            Err(error) => Err(OpenError::Spawn(error.into())),
        }
    }

    /// Whether no loss of the child has been noticed yet.
    pub(crate) fn is_sound(&self) -> bool {
        self.proxy.is_alive()
    }

    /// Sleeps until a token, the deadline, or the child's end.
    pub(crate) fn park(&mut self, parker: &ProcessParker, deadline: Option<Instant>) -> Unparked {
        self.proxy.park(parker, deadline.map(|moment| StdClock.to_std(moment)))
    }

    /// Ends the child.
    pub(crate) fn close(self) -> Result<(), OpenFailure> {
        match self.proxy.close() {
            // A worker that was lost has failed its task already, or was idle.
            Ok(()) | Err(CloseError::Lost(_)) => Ok(()),
            // Something hung in it, and it was ended. Without a finalizer nothing that counts was left to do.
            Err(CloseError::TimedOut(_)) if !self.launch.has_finalizer() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a call. A child that turns out to have died before it read the call is replaced, once:
    /// the call was not started.
    pub(crate) fn exchange(&mut self, request: Request, body: &[u8]) -> Result<Vec<u8>, TaskError> {
        self.task_id += 1;
        let mut reply = self.proxy.ask(self.task_id, request, body);
        if let Err(CallError::NotStarted(_)) = reply {
            match Proxy::launch(&self.launch) {
                Ok(proxy) => {
                    self.proxy = proxy;
                    reply = self.proxy.ask(self.task_id, request, body);
                }
                Err(error) => return Err(TaskError::Failed(error.into())),
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
