//! Calls with a time limit of their own.

#![forbid(unsafe_code)]

use core::fmt;
use core::time::Duration;

use asyncpal_core::task::{Job, KeptJob, Running, TakeLabel, TakeReceipt};
use asyncpal_std::PoolError;
use asyncpal_std::kind::{Accepts, Failure};

use crate::commands::Commands;
use crate::processes::Processes;
use crate::seat::ProcessSeat;

/// A call that may run for so long, as [`task_timeout`](crate::ProcessOptions::task_timeout) says for all calls of a
/// pool.
///
/// It stands round any other call, in every way to submit, for pools of processes and of commands; of nested limits the
/// shortest counts. The time begins when the call is sent to a worker, and once more if that worker turns out to have
/// died before it read the call: then another is started, whose start is not part of it. When it is over and there is no
/// reply, the worker is killed, and the task fails with [`LostCause::TimedOut`](crate::LostCause::TimedOut). Over a
/// launcher it is the launcher that is killed.
///
/// # Examples
///
/// ```no_run
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use core::time::Duration;
/// use asyncpal::process::Within;
/// use asyncpal::{ProcessPool, With};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// asyncpal::process::init();
/// let pool = ProcessPool::builder().build()?;
/// let power = With::new(u32::pow, (2, 10));
/// let handle = pool.submit(Within::new(Duration::from_secs(5), power))?;
/// assert_eq!(handle.collect()?, 1024);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Within<C> {
    /// How long it may run.
    pub limit: Duration,
    /// The call.
    pub call: C,
}

impl<C> Within<C> {
    /// `call`, for at most `limit`.
    pub fn new(limit: Duration, call: C) -> Self {
        Self { limit, call }
    }
}

macro_rules! accepts {
    ($($kind:ty)*) => {$(
        impl<C> Accepts<Within<C>> for $kind
        where
            $kind: Accepts<C>,
        {
            type Output = <$kind as Accepts<C>>::Output;
            type Job = WithinJob<<$kind as Accepts<C>>::Job>;

            fn job(within: Within<C>) -> Result<Self::Job, (Within<C>, PoolError)> {
                let Within { limit, call } = within;
                match <$kind as Accepts<C>>::job(call) {
                    Ok(job) => Ok(WithinJob { limit, job }),
                    Err((call, reason)) => Err((Within { limit, call }, reason)),
                }
            }

            fn call(WithinJob { limit, job }: Self::Job) -> Within<C> {
                Within { limit, call: <$kind as Accepts<C>>::call(job) }
            }
        }
    )*};
}
accepts! { Processes Commands }

/// A call with a limit on its way to a worker.
pub struct WithinJob<J> {
    limit: Duration,
    job: J,
}

impl<J: Job<ProcessSeat, Failure> + 'static> Job<ProcessSeat, Failure> for WithinJob<J> {
    type Output = J::Output;

    const RECEIPT: Option<TakeReceipt<J::Output>> = J::RECEIPT;

    const LABEL: Option<TakeLabel<Self>> = match J::LABEL {
        Some(_) => Some(|this| J::LABEL.expect("it was there")(&this.job)),
        None => None,
    };

    fn run(self, seat: &mut ProcessSeat) -> Result<J::Output, Failure> {
        seat.limit_next(self.limit);
        self.job.run(seat)
    }

    fn run_as(self, seat: &mut ProcessSeat, this: &Running<'_>) -> Result<J::Output, Failure> {
        seat.limit_next(self.limit);
        self.job.run_as(seat, this)
    }

    fn announce(&mut self, seat: &mut ProcessSeat) -> bool {
        self.job.announce(seat)
    }

    fn keep(self) -> Option<KeptJob<ProcessSeat, Failure>> {
        Some(Box::new(self))
    }
}

impl<J> fmt::Debug for WithinJob<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithinJob").field("limit", &self.limit).finish_non_exhaustive()
    }
}
