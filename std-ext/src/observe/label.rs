//! Labels of tasks.

use core::fmt;

use asyncpal_core::task::{Job, KeptJob, Label, Running, TakeLabel, TakeReceipt};

use crate::error::PoolError;
use crate::failure::Failure;
use crate::kind::Accepts;

/// A call with a label: a name for people, in the handle's `Debug`, in
/// [events](crate::Builder::on_event), in reports of uncollected failures, and in
/// [`current_task`](crate::current_task).
///
/// It stands round any other call, in every way to submit, for threads and processes.
/// A task without a label pays nothing for it; one with a label has it in its own allocation (an owned
/// label is copied: one more).
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use core::time::Duration;
/// use asyncpal::kind::With;
/// use asyncpal::{Labelled, ThreadPool};
///
/// let pool = ThreadPool::new();
/// let handle = pool.submit_labelled("sum", || 1 + 1)?;
/// assert_eq!(handle.label(), Some("sum"));
///
/// let power = Labelled::new("power", With { function: u32::pow, arguments: (2, 10) });
/// let handle = pool.submit_timeout(power, Duration::from_secs(1))?;
/// assert_eq!(handle.collect()?, 1024);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Labelled<C> {
    /// The label.
    pub label: Label,
    /// The call.
    pub call: C,
}

impl<C> Labelled<C> {
    /// `call`, called `label`.
    pub fn new(label: impl Into<Label>, call: C) -> Self {
        Self { label: label.into(), call }
    }
}

impl<K: Accepts<C>, C> Accepts<Labelled<C>> for K {
    type Output = K::Output;
    type Job = LabelledJob<K::Job>;

    fn job(Labelled { label, call }: Labelled<C>) -> Result<Self::Job, (Labelled<C>, PoolError)> {
        match K::job(call) {
            Ok(job) => Ok(LabelledJob { label, job }),
            Err((call, reason)) => Err((Labelled { label, call }, reason)),
        }
    }

    fn call(LabelledJob { label, job }: Self::Job) -> Labelled<C> {
        Labelled { label, call: K::call(job) }
    }
}

/// A labelled call on its way to a worker.
pub struct LabelledJob<J> {
    pub(crate) label: Label,
    pub(crate) job: J,
}

impl<S, J: Job<S, Failure>> Job<S, Failure> for LabelledJob<J> {
    type Output = J::Output;

    const RECEIPT: Option<TakeReceipt<J::Output>> = J::RECEIPT;

    const LABEL: Option<TakeLabel<Self>> = Some(|this| this.label.clone());

    fn run(self, seat: &mut S) -> Result<J::Output, Failure> {
        self.job.run(seat)
    }

    fn run_as(self, seat: &mut S, this: &Running<'_>) -> Result<J::Output, Failure> {
        self.job.run_as(seat, this)
    }

    fn announce(&mut self, seat: &mut S) -> bool {
        self.job.announce(seat)
    }

    fn keep(self) -> Option<KeptJob<S, Failure>> {
        self.job.keep()
    }
}

impl<J> fmt::Debug for LabelledJob<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabelledJob").field("label", &self.label).finish_non_exhaustive()
    }
}
