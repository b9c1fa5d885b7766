//! A job that a caller runs on the seat of an idle worker: meanwhile that worker counts as the caller's own, and is
//! not waited for by it.

use core::marker::PhantomData;

use asyncpal_core::task::{Job, KeptJob, Running, TakeLabel, TakeReceipt};

use crate::current::holding;
use crate::failure::Failure;
use crate::kind::Kind;

/// A job for the seat of an idle worker of kind `K`.
pub(super) struct OnLoan<K, J> {
    job: J,
    kind: PhantomData<fn() -> K>,
}

impl<K, J> OnLoan<K, J> {
    pub(super) fn new(job: J) -> Self {
        Self { job, kind: PhantomData }
    }

    pub(super) fn into_inner(self) -> J {
        self.job
    }
}

impl<K: Kind, J: Job<K::Seat, Failure>> Job<K::Seat, Failure> for OnLoan<K, J> {
    type Output = J::Output;

    const RECEIPT: Option<TakeReceipt<J::Output>> = J::RECEIPT;

    const LABEL: Option<TakeLabel<Self>> = match J::LABEL {
        Some(_) => Some(|this| J::LABEL.map(|label| label(&this.job)).unwrap_or_default()),
        None => None,
    };

    fn run(self, seat: &mut K::Seat) -> Result<J::Output, Failure> {
        match K::lender(seat) {
            Some(lender) => holding(lender, || self.job.run(seat)),
            None => self.job.run(seat),
        }
    }

    fn run_as(self, seat: &mut K::Seat, this: &Running<'_>) -> Result<J::Output, Failure> {
        match K::lender(seat) {
            Some(lender) => holding(lender, || self.job.run_as(seat, this)),
            None => self.job.run_as(seat, this),
        }
    }

    fn keep(self) -> Option<KeptJob<K::Seat, Failure>> {
        self.job.keep()
    }
}
