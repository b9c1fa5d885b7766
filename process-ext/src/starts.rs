//! The starts of a pool's children: the one place where a child is started, whoever asks for it.
//!
//! A worker starts a child when it opens, and another one within a task, if the child has died before it read the call.
//! Each start counts for the breaker. One that breaks the pool does so at once: it fails the opening, or the worker
//! whose task it was in leaves with the cause. To wait for the next opening would let further calls be taken, and cost
//! another start, although it is known already that starts are of no use.

#![forbid(unsafe_code)]

use core::num::NonZeroU32;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use asyncpal_std::TaskError;
use asyncpal_std::kind::{CrashLoop, Failure, OpenError, OpenFailure};

use crate::bell::Bell;
use crate::error::{HandshakeError, LaunchError, LostCause, WorkerLost};
use crate::proxy::{Launch, Proxy, Terms};
use crate::seat::lost_to;
use crate::supervisor::breaker::{Breaker, Start, Verdict};
use crate::sync::{AtomicUsize, Ordering};

/// Starts the children of one pool.
#[derive(Debug)]
pub(crate) struct Starts {
    breaker: Breaker,
    /// Children that were lost before they read a call, and for which another one was started there and then.
    replaced: AtomicUsize,
    /// Those of workers that open; `None` when the pool is shut down.
    openings: Mutex<Option<Vec<Weak<Bell>>>>,
}

/// A start that failed.
#[derive(Debug)]
pub(crate) struct FailedStart {
    pub(crate) error: LaunchError,
    /// What the pool breaks with, if it does.
    pub(crate) breaks: Option<OpenFailure>,
}

impl Starts {
    /// So many in a row that fail break the pool; `None`: no number does.
    pub(crate) fn new(most: Option<NonZeroU32>) -> Self {
        Self {
            breaker: Breaker::new(most),
            replaced: AtomicUsize::new(0),
            openings: Mutex::new(Some(Vec::new())),
        }
    }

    /// How many children were started in the place of others within a task.
    pub(crate) fn replaced(&self) -> usize {
        // ORDERING: Relaxed: a snapshot.
        self.replaced.load(Ordering::Relaxed)
    }

    /// The pool is shut down: no worker that opens is waited for any longer than for one that ends.
    pub(crate) fn close(&self) {
        let openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner).take();
        openings.iter().flatten().filter_map(Weak::upgrade).for_each(|bell| bell.sound());
    }

    /// A bell that rings when the pool is shut down, or has rung.
    fn opening(&self) -> io::Result<Arc<Bell>> {
        let bell = Bell::still()?;
        match &mut *self.openings.lock().unwrap_or_else(PoisonError::into_inner) {
            None => bell.sound(),
            Some(openings) => {
                openings.retain(|bell| bell.strong_count() > 0);
                openings.push(Arc::downgrade(&bell));
            }
        }
        Ok(bell)
    }

    /// Starts the child of a worker that opens, and waits until it is ready, or the pool is shut down and the grace of
    /// its workers over.
    pub(crate) fn open(&self, launch: &Launch) -> Result<Proxy, FailedStart> {
        match self.opening() {
            Ok(bell) => self.observe(Proxy::open(launch, bell)),
            Err(error) => Err(FailedStart { error: LaunchError::Spawn(error), breaks: None }),
        }
    }

    /// Starts one in the place of a child that has not read its call, unless the call is cancelled meanwhile.
    pub(crate) fn replace(&self, launch: &Launch, terms: Terms<'_>) -> Result<Proxy, FailedStart> {
        let proxy = self.observe(Proxy::launch_for(launch, terms))?;
        // ORDERING: Relaxed: a number.
        self.replaced.fetch_add(1, Ordering::Relaxed);
        Ok(proxy)
    }

    fn observe(&self, started: Result<Proxy, LaunchError>) -> Result<Proxy, FailedStart> {
        let verdict = match &started {
            Ok(_) => self.breaker.observe(Start::Ready),
            Err(error) if given_up(error).is_some() => Verdict::GoOn,
            Err(LaunchError::Handshake(HandshakeError::Dismissed)) => Verdict::GoOn,
            Err(LaunchError::Handshake(_)) => self.breaker.observe(Start::Died),
            Err(_) => Verdict::GoOn,
        };
        started.map_err(|error| {
            let breaks = match (&error, verdict) {
                (LaunchError::Initializer(error), _) => Some(error.clone().into()),
                (LaunchError::Handshake(last), Verdict::Break(starts)) => {
                    let last = LaunchError::Handshake(last.clone()).into();
                    Some(CrashLoop { starts, last }.into())
                }
                _ => None,
            };
            FailedStart { error, breaks }
        })
    }
}

/// The child that was killed while it started, since its call was cancelled.
fn given_up(error: &LaunchError) -> Option<&WorkerLost> {
    match error {
        LaunchError::Handshake(HandshakeError::Lost(lost)) => {
            (*lost.cause() == LostCause::Cancelled).then_some(lost)
        }
        _ => None,
    }
}

impl From<FailedStart> for Failure {
    /// What it means for the task that it was for.
    fn from(FailedStart { error, .. }: FailedStart) -> Self {
        match given_up(&error) {
            Some(lost) => lost_to(lost.clone()),
            None => TaskError::Failed(error.into()).into(),
        }
    }
}

impl From<FailedStart> for OpenError<OpenFailure> {
    /// What it means for a worker that opens.
    fn from(FailedStart { error, breaks }: FailedStart) -> Self {
        breaks.map_or_else(|| Self::Spawn(error.into()), Self::Initializer)
    }
}
