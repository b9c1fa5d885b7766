//! What a worker of a process pool sits on: its child.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::sync::Arc;

use asyncpal_core::task::Running;
use asyncpal_std::kind::{Failure, Lender, OpenError, OpenFailure};
use asyncpal_std::{BrokenCause, Panic, TaskError};

use crate::bell::Bell;
use crate::error::{CallError, CloseError, DecodeError, LaunchError, LostCause, WorkerLost};
use crate::parker::ProcessParker;
use crate::proxy::{Caller, Launch, Proxy, Reply, Terms};
use crate::remote::FunctionId;
use crate::starts::Starts;
use crate::sync::{AtomicU32, Ordering};
use crate::wire::frame::{Header, Kind};

/// A worker's child.
#[derive(Debug)]
pub struct ProcessSeat {
    launch: Launch,
    starts: Arc<Starts>,
    proxy: Proxy,
    /// What a start within a task breaks the pool with.
    breaks: Option<OpenFailure>,
    /// The worker that sits on it.
    lender: Option<Lender>,
    /// Among all seats.
    serial: u32,
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

    /// The head of its frame.
    pub(crate) fn header(self, task_id: u64) -> Header {
        Header { kind: self.kind, flags: 0, task_id, aux: self.aux }
    }

    /// A function of another program; its name comes first in the body.
    pub(crate) fn call(aux: u64) -> Self {
        Self { kind: Kind::Call, aux }
    }
}

/// A call that is encoded, and where it was sent last.
#[derive(Debug)]
pub(crate) struct Outbound {
    request: Request,
    body: Vec<u8>,
    /// The seat to which it was announced, and its number there.
    announced: Option<(u32, u64)>,
}

impl Outbound {
    pub(crate) fn new(request: Request, body: Vec<u8>) -> Self {
        Self { request, body, announced: None }
    }
}

/// How many calls may be in the hands of a child that is busy with one before them. With that one they fit a pipe's
/// pages, of which each takes one.
const MOST_AHEAD: usize = 8;

/// Seats made so far.
static SEATS: AtomicU32 = AtomicU32::new(0);

/// What the loss of its worker means for a task. It fails with the loss itself, whose text says who was lost and how; a
/// kill that was asked for is nothing to report.
pub(crate) fn lost_to(lost: WorkerLost) -> Failure {
    let wanted = *lost.cause() == LostCause::Cancelled;
    let error = TaskError::Failed(lost.into());
    if wanted { Failure::by_request(error) } else { error.into() }
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
        let proxy = starts.open(&launch)?;
        Ok(Self {
            launch,
            starts: Arc::clone(starts),
            proxy,
            breaks: None,
            lender: Lender::current(),
            // ORDERING: Relaxed: a number.
            serial: SEATS.fetch_add(1, Ordering::Relaxed),
            task_id: 0,
            own_limit: None,
            bell,
        })
    }

    /// Limits the next task; of several limits the shortest counts.
    pub(crate) fn limit_next(&mut self, limit: Duration) {
        self.own_limit = Some(self.own_limit.map_or(limit, |other| other.min(limit)));
    }

    /// Whether no loss of the child has been noticed yet, and it has not grown too large.
    pub(crate) fn is_sound(&self) -> bool {
        self.proxy.is_alive() && !self.proxy.is_swollen()
    }

    /// Whether its child was lost.
    pub(crate) fn is_lost(&self) -> bool {
        !self.proxy.is_alive()
    }

    /// Lets the parker of its worker notice the child's end; false if it cannot sleep.
    pub(crate) fn lend(&self, parker: &ProcessParker) -> bool {
        self.proxy.lend(parker)
    }

    /// The worker that sits on it.
    pub(crate) fn lender(&self) -> Option<Lender> {
        self.lender
    }

    /// Ends the child.
    pub(crate) fn close(self) -> Result<(), BrokenCause> {
        if let Some(cause) = self.breaks {
            return Err(BrokenCause::of_opening(cause));
        }
        match self.proxy.close() {
            // A worker that was lost has failed its task already, was idle, or had nothing left to do.
            Ok(()) | Err(CloseError::Lost(_)) => Ok(()),
            // It has died, or something hung in it. Without a finalizer nothing that counts was left to do.
            Err(CloseError::CutShort(_) | CloseError::TimedOut(_))
                if !self.launch.has_finalizer() =>
            {
                Ok(())
            }
            Err(error) => Err(BrokenCause::Finalizer(error.into())),
        }
    }

    /// Sends a call ahead, if it is small and nothing about it asks for more than a reply.
    pub(crate) fn announce(&mut self, outbound: &mut Outbound) -> bool {
        if self.in_flight(outbound).is_some() {
            return true;
        }
        // A cancel that kills the worker must not meet another task than its own.
        if self.bell.is_some() {
            return false;
        }
        let task_id = self.next_id();
        let announced = self.proxy.announce(task_id, outbound.request, &outbound.body);
        if announced {
            outbound.announced = Some((self.serial, task_id));
        }
        announced
    }

    /// Whether another call may be sent ahead.
    pub(crate) fn may_take_ahead(&self) -> bool {
        self.proxy.is_brief() && self.proxy.in_flight() <= MOST_AHEAD && self.is_sound()
    }

    /// Takes back what the child has not begun; how many calls it has.
    pub(crate) fn recall(&mut self) -> usize {
        self.proxy.recall();
        self.proxy.in_flight()
    }

    /// Runs a call. A child that turns out to have died before it read the call is replaced, once:
    /// the call was not started, and has all its time before it. Unless it was cancelled, if a cancel kills.
    fn exchange(
        &mut self,
        outbound: &Outbound,
        this: Option<&Running<'_>>,
    ) -> Result<Vec<u8>, Failure> {
        let task_id = self.in_flight(outbound).unwrap_or_else(|| self.next_id());
        let Outbound { request, body, .. } = outbound;
        let terms = Terms {
            limit: self.own_limit.take().or(self.launch.task_timeout),
            bell: self.bell.as_deref(),
            caller: &this,
        };
        let mut reply = self.proxy.ask(task_id, *request, body, terms);
        if let Err(CallError::NotStarted(lost)) = reply {
            // What was sent behind it has not started either.
            terms.caller.give_back(usize::MAX);
            let cancelled =
                || lost_to(WorkerLost::new(lost.pid(), lost.name(), LostCause::Cancelled));
            if terms.is_cancelled() {
                return Err(cancelled());
            }
            match self.starts.replace(&self.launch, terms) {
                Ok(proxy) => self.proxy = proxy,
                Err(mut failed) => {
                    self.breaks = failed.breaks.take();
                    return Err(failed.into());
                }
            }
            if terms.is_cancelled() {
                return Err(cancelled());
            }
            reply = self.proxy.ask(task_id, *request, body, terms);
        }
        match reply {
            Ok(Reply::Result(bytes)) => Ok(bytes),
            Ok(Reply::Error(error)) => Err(TaskError::Failed(error.into()).into()),
            Ok(Reply::Panic(error)) => {
                let message = error.message().to_owned();
                Err(TaskError::Panicked(Panic::in_worker(&message, error.into())).into())
            }
            Err(CallError::Lost(lost) | CallError::NotStarted(lost)) => Err(lost_to(lost)),
            Err(error) => Err(TaskError::Failed(error.into()).into()),
        }
    }

    /// The number of a call that was sent to this seat, and neither answered nor taken back.
    fn in_flight(&self, outbound: &Outbound) -> Option<u64> {
        let (seat, task_id) = outbound.announced?;
        (seat == self.serial && self.proxy.has_in_flight(task_id)).then_some(task_id)
    }

    /// Runs a call and reads its result. That may unwind, where users wrote how; nothing here is half done then.
    pub(crate) fn call<T>(
        &mut self,
        outbound: &Outbound,
        this: Option<&Running<'_>>,
        read: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, Failure> {
        let bytes = self.exchange(outbound, this)?;
        let result = read(&bytes);
        self.proxy.recycle(bytes);
        result.map_err(|error| TaskError::Failed(error.into()).into())
    }

    fn next_id(&mut self) -> u64 {
        self.task_id += 1;
        self.task_id
    }
}

impl Caller for Option<&Running<'_>> {
    fn is_cancelled(&self) -> bool {
        self.is_some_and(Running::is_cancel_called)
    }

    fn give_back(&self, last: usize) {
        if let Some(running) = self {
            running.give_back(last);
        }
    }
}
