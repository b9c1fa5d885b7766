//! The parent's half of one worker, used by the one thread that owns it.
//!
//! Every way out of here leaves no process behind: a launch that fails, a loss, a close and a drop all end in a
//! reaped child.

#![forbid(unsafe_code)]

mod ending;
mod foreign;
mod greeting;
#[cfg(any(test, fuzzing))]
pub mod hostile;
mod link;
mod task;

use core::time::Duration;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Instant;

use crate::bell::Bell;
use crate::error::{
    HandshakeError, LaunchError, LostCause, RemoteError, RemoteErrorKind, WorkerLost,
};
use crate::parker::ProcessParker;
use crate::supervisor::flight::Flight;
use crate::supervisor::run_time::RunTime;
use crate::sys::child::{Child, Status, Survives};
use crate::sys::memory::Memory;
use crate::sys::spawn::{self, spawn};
use crate::sys::{kernel, object, procfs, worker};
use crate::wire::frame::{Frame, Header, Kind, MAX_FRAME_LIMIT, PANICKED};
use crate::wire::message::Failure;
use crate::worker_main::init_has_run;

use greeting::Closing;
use link::{Event, Link, Outgoing, Wait};

pub use crate::launch::{Foreign, Launch, Reply};
pub(crate) use task::{Caller, Terms};

/// How long a worker that hung up, or was told that its time is over, may take to be gone.
const ENDING_WITHIN: Duration = Duration::from_secs(1);

/// One worker process. Dropped, it is killed with its process group and reaped.
#[derive(Debug)]
pub struct Proxy {
    name: Box<str>,
    child: Child,
    link: Link,
    max_frame_bytes: usize,
    /// The process that tasks run in: the child, or one that the child has launched elsewhere.
    worker_pid: u32,
    grace: Duration,
    kill_grace: Duration,
    /// What it uses of memory, and how much it may keep.
    memory: Option<(Memory, u64)>,
    /// Requests that were sent and not answered. Once the worker is lost: those of them that it may have begun.
    flight: Flight,
    run_time: RunTime,
    may_spin: bool,
    /// While it starts: rings when nobody needs it any more.
    closing: Closing,
    lost: Option<WorkerLost>,
}

impl Proxy {
    /// Whether there can be workers of whatever program on this system: `Err` says why not.
    ///
    /// # Errors
    ///
    /// [`LaunchError::Kernel`].
    pub(crate) fn check_system() -> Result<(), LaunchError> {
        kernel::check().map_err(|(call, error)| LaunchError::Kernel { call, error })
    }

    /// Starts a worker and waits until it is ready.
    ///
    /// # Errors
    ///
    /// See [`LaunchError`]. No process is left behind.
    pub fn launch(launch: &Launch) -> Result<Self, LaunchError> {
        Self::start_and_greet(launch, Closing::Unheard, Terms::FOR_EVER)
    }

    /// The same for a worker that opens; once the bell has rung, it has its grace to become ready.
    pub(crate) fn open(launch: &Launch, closing: Arc<Bell>) -> Result<Self, LaunchError> {
        Self::start_and_greet(launch, Closing::Heard(closing), Terms::FOR_EVER)
    }

    /// The same for a task: if that is cancelled meanwhile, so is the start. The task's time does not run yet.
    pub(crate) fn launch_for(launch: &Launch, terms: Terms<'_>) -> Result<Self, LaunchError> {
        Self::start_and_greet(launch, Closing::Unheard, terms)
    }

    fn start_and_greet(
        launch: &Launch,
        closing: Closing,
        terms: Terms<'_>,
    ) -> Result<Self, LaunchError> {
        let mut proxy;
        if let Some(foreign) = &launch.foreign {
            proxy = Self::start_foreign(launch, foreign).map_err(LaunchError::Spawn)?;
            proxy.closing = closing;
            proxy.greet_foreign(launch, foreign, terms)?;
        } else {
            Self::precheck()?;
            proxy = Self::start(launch).map_err(LaunchError::Spawn)?;
            proxy.closing = closing;
            proxy.greet(launch, terms)?;
        }
        proxy.closing = Closing::Unheard;
        if let Some(most) = launch.max_rss_bytes {
            proxy.limit_memory(most)?;
        }
        Ok(proxy)
    }

    /// Says how many bytes it may keep in memory.
    fn limit_memory(&mut self, most: u64) -> Result<(), LaunchError> {
        let memory = Memory::of(&self.child)
            .map_err(|error| LaunchError::Limit { what: "resident memory", error })?;
        self.memory = Some((memory, most));
        Ok(())
    }

    /// The worker's process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Whether no loss of the worker has been noticed yet.
    pub fn is_alive(&self) -> bool {
        self.lost.is_none()
    }

    /// Whether a worker could ever be started here: `Err` says why not.
    ///
    /// # Errors
    ///
    /// [`LaunchError::InitMissing`], [`LaunchError::Privileged`], [`LaunchError::Kernel`], [`LaunchError::Proc`],
    /// [`LaunchError::NotThisProgram`].
    pub fn precheck() -> Result<(), LaunchError> {
        if !init_has_run() {
            return Err(LaunchError::InitMissing);
        }
        if worker::is_privileged() {
            return Err(LaunchError::Privileged);
        }
        Self::check_system()?;
        std::fs::metadata(procfs::own("exe")).map_err(LaunchError::Proc)?;
        object::other_executable()
            .map_or(Ok(()), |other| Err(LaunchError::NotThisProgram(other.to_owned())))
    }

    /// Lets the parker of the worker's slot watch for the worker's end; false if it cannot sleep.
    pub(crate) fn lend(&self, parker: &ProcessParker) -> bool {
        parker.watch(self.child.shared_exit_fd())
    }

    /// Looks whether the worker has ended while it was idle, and if so reaps it and says how it was lost.
    pub fn check(&mut self) -> Option<&WorkerLost> {
        if self.is_alive() && self.child.ends_by(Instant::now()) {
            let _ = self.mourn();
        }
        self.lost.as_ref()
    }

    fn start(launch: &Launch) -> std::io::Result<Self> {
        let max_frame_bytes = launch.max_frame_bytes.min(MAX_FRAME_LIMIT);
        let (link, ends) = Link::open()?;
        let child = spawn(
            &launch.name,
            &spawn::Ends {
                requests: link.requests_for_worker(),
                replies: ends.replies.as_fd(),
                lifeline: ends.lifeline.as_fd(),
            },
            &launch.surroundings,
        )?;
        // The worker's ends close here: from now on it alone holds them.
        Ok(Self::new(launch, child.tied_to(ends.tied_to), link, max_frame_bytes))
    }

    fn new(launch: &Launch, child: Child, link: Link, max_frame_bytes: usize) -> Self {
        Self {
            name: launch.name.as_str().into(),
            worker_pid: child.pid(),
            child,
            link,
            max_frame_bytes,
            grace: launch.grace,
            kill_grace: launch.kill_grace,
            memory: None,
            flight: Flight::default(),
            run_time: RunTime::default(),
            may_spin: launch.spin,
            closing: Closing::Unheard,
            lost: None,
        }
    }

    /// Sends a frame and waits for one; `None` when the deadline has passed, or the grace of a worker that opens.
    fn converse(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        deadline: Option<Instant>,
        terms: Terms<'_>,
    ) -> Result<Option<Frame>, WorkerLost> {
        loop {
            let bell = match &self.closing {
                Closing::Heard(bell) => Some(&**bell),
                Closing::Unheard | Closing::Rung(_) => terms.bell,
            };
            let until = [deadline, self.closing.end()].into_iter().flatten().min();
            let wait = Wait { bell: bell.map(|bell| bell.as_fd()), ..Wait::until(until) };
            match self.link.exchange(outgoing, self.child.exit_fd(), wait) {
                Ok(Event::TimedOut) => return Ok(None),
                Ok(Event::Rung) if matches!(self.closing, Closing::Heard(_)) => {
                    self.closing = Closing::Rung(after(self.grace));
                }
                Ok(Event::Rung) if terms.is_cancelled() => {
                    return Err(self.give_up(LostCause::Cancelled));
                }
                Ok(Event::Rung) => {}
                event => return self.heard(event).map(Some),
            }
        }
    }

    /// The frame, or the loss that the event is.
    fn heard(&mut self, event: Result<Event, String>) -> Result<Frame, WorkerLost> {
        match event {
            Ok(Event::Frame(frame)) => {
                if !self.link.is_at_boundary() && self.in_flight() <= 1 {
                    // The frame was whole and counts; what follows it is out of turn.
                    let _ = self.expel("it sent more than one frame at a time");
                }
                Ok(frame)
            }
            Ok(Event::TimedOut | Event::Rung) => Err(self.expel("a wait without end has ended")),
            Ok(Event::Ended | Event::HungUp) => Err(self.mourn()),
            Ok(Event::Refused(error)) => {
                Err(self.kill_for(LostCause::WaitRefused(error.to_string().into())))
            }
            Err(what) => Err(self.expel(what)),
        }
    }

    fn remote_error(&mut self, frame: &Frame) -> Result<RemoteError, WorkerLost> {
        let Header { kind, flags, .. } = frame.header;
        let kind = if kind == Kind::Panic || flags & PANICKED != 0 {
            RemoteErrorKind::Panic
        } else {
            RemoteErrorKind::Error
        };
        match Failure::decode(&frame.body) {
            Ok(failure) => Ok(RemoteError::new(kind, self.worker_pid, &self.name, failure)),
            Err(error) => Err(self.expel(error.to_string())),
        }
    }

    /// Kills a worker that broke the protocol.
    fn expel(&mut self, what: impl Into<Box<str>>) -> WorkerLost {
        self.kill_for(LostCause::Protocol(what.into()))
    }

    /// Kills a worker. If the system refuses that, it is what is to be told.
    fn kill_for(&mut self, cause: LostCause) -> WorkerLost {
        let cause = match self.child.kill() {
            Err(Survives::Refused(error)) => LostCause::KillRefused(error.to_string().into()),
            Ok(_) | Err(Survives::Stuck) => cause,
        };
        self.lose(cause)
    }

    fn expel_for(&mut self, frame: &Frame) -> WorkerLost {
        self.expel(format!("it sent {:?} out of turn", frame.header.kind))
    }

    /// Reaps a worker that has ended, or has hung up and must end now.
    fn mourn(&mut self) -> WorkerLost {
        if !self.child.ends_by(after(ENDING_WITHIN)) {
            return self.expel("it closed its reply pipe");
        }
        // What the task has started ends with it. Before the reaping, while the group's number is not free.
        self.end()
    }

    /// Kills what is left of a worker, and says how it has ended.
    fn end(&mut self) -> WorkerLost {
        let cause = match self.child.kill() {
            Ok(status) => cause_of(status),
            Err(Survives::Stuck) => LostCause::StatusTaken,
            Err(Survives::Refused(error)) => LostCause::KillRefused(error.to_string().into()),
        };
        self.lose(cause)
    }

    /// Nobody begins any more what the worker has not read by now. One that may live on may take in whatever has been
    /// sent.
    fn lose(&mut self, cause: LostCause) -> WorkerLost {
        if !matches!(cause, LostCause::KillRefused(_)) {
            let unread = self.link.take_unread();
            self.flight.drop_last(self.flight.not_read_whole(unread));
        }
        let lost = WorkerLost::new(self.pid(), &self.name, cause);
        self.lost.insert(lost).clone()
    }
}

fn lost_early(lost: WorkerLost) -> LaunchError {
    LaunchError::Handshake(HandshakeError::Lost(lost))
}

fn cause_of(status: Status) -> LostCause {
    match status {
        Status::Exited(code) => LostCause::Exited(code),
        Status::Killed(signal) => LostCause::Signal(signal),
        Status::Taken => LostCause::StatusTaken,
    }
}

/// The instant that lies so far ahead; one that cannot be told lies a year ahead.
fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(365 * 24 * 3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_init_is_refused_before_anything_starts() {
        // The harness of unit tests has a `main` of its own, which knows nothing of `init`.
        let error = Proxy::launch(&Launch::new("worker")).unwrap_err();

        assert!(matches!(error, LaunchError::InitMissing));
    }

    #[test]
    fn a_worker_whose_memory_cannot_be_looked_at_is_told_as_a_limit_that_could_not_be_set() {
        let (mut proxy, _worker) = hostile::stand_in();

        let error = proxy.limit_memory(1 << 20).unwrap_err();

        assert!(matches!(error, LaunchError::Limit { what: "resident memory", .. }), "{error:?}");
    }
}
