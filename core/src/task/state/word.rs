//! The word of a task's state: its bits, and what a value of it says.

#![forbid(unsafe_code)]

use crate::task::Status;

pub(super) const PHASE: usize = 0b111;
pub(super) const PENDING: usize = 0;
pub(super) const RUNNING: usize = 1;
pub(super) const CANCELLING: usize = 2;
pub(super) const COMPLETED: usize = 3;
pub(super) const FAILED: usize = 4;
pub(super) const CANCELLED: usize = 5;

pub(super) const SLOT: usize = 1 << 3;
pub(super) const WAITER: usize = 1 << 4;
pub(super) const OBSERVED: usize = 1 << 5;
pub(super) const HANDLE_GONE: usize = 1 << 6;
pub(super) const ENTRY_GONE: usize = 1 << 7;
pub(super) const SETTLED: usize = 1 << 8;
pub(super) const TAKEN: usize = 1 << 9;
pub(super) const CAUSE: usize = 1 << 10;
pub(super) const CANCEL_REQUESTED: usize = 1 << 11;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) enum End {
    Completed,
    Failed,
    Cancelled { with_cause: bool },
}

impl End {
    pub(super) const fn bits(self) -> usize {
        match self {
            Self::Completed => COMPLETED,
            Self::Failed => FAILED,
            Self::Cancelled { with_cause: false } => CANCELLED,
            Self::Cancelled { with_cause: true } => CANCELLED | CAUSE,
        }
    }
}

/// A value that the word had.
#[derive(Clone, Copy)]
pub(in crate::task) struct Snapshot(pub(super) usize);

impl Snapshot {
    pub(super) const fn phase(self) -> usize {
        self.0 & PHASE
    }

    pub(super) const fn has(self, flags: usize) -> bool {
        self.0 & flags == flags
    }

    pub(in crate::task) const fn status(self) -> Status {
        match self.phase() {
            // Until it is published, a cancellation is nobody's business but the canceller's.
            PENDING | CANCELLING => Status::Pending,
            RUNNING => Status::Running,
            COMPLETED => Status::Completed,
            FAILED => Status::Failed,
            _ => Status::Cancelled,
        }
    }

    /// The end that was published, if one was.
    pub(in crate::task) const fn end(self) -> Option<End> {
        match self.phase() {
            COMPLETED => Some(End::Completed),
            FAILED => Some(End::Failed),
            CANCELLED => Some(End::Cancelled { with_cause: self.has(CAUSE) }),
            _ => None,
        }
    }

    /// Whether a canceller is between T3 and T4.
    #[cfg(feature = "alloc")]
    pub(in crate::task) const fn is_at_accounts(self) -> bool {
        self.phase() == CANCELLING
    }

    pub(in crate::task) const fn is_taken(self) -> bool {
        self.has(TAKEN)
    }

    pub(in crate::task) const fn is_cancel_requested(self) -> bool {
        self.has(CANCEL_REQUESTED)
    }

    /// Whether it is pending, and its cancel was requested: it was given back.
    pub(in crate::task) const fn is_cancel_due(self) -> bool {
        self.phase() == PENDING && self.is_cancel_requested()
    }

    /// Whether to publish an end runs users' code: callbacks, or the destructor of an outcome without a handle.
    pub(in crate::task) const fn is_loud(self) -> bool {
        self.is_observed() || self.has_no_handle()
    }

    pub(in crate::task) const fn is_waited_for(self) -> bool {
        self.has(WAITER)
    }

    pub(in crate::task) const fn is_observed(self) -> bool {
        self.has(OBSERVED)
    }

    pub(in crate::task) const fn has_no_handle(self) -> bool {
        self.has(HANDLE_GONE)
    }

    pub(in crate::task) const fn has_no_entry(self) -> bool {
        self.has(ENTRY_GONE)
    }

    /// S3, seen from the resolver: nobody else will touch the task again, and nobody wants to be told.
    pub(in crate::task) const fn is_all_the_resolvers(self) -> bool {
        self.has(HANDLE_GONE | ENTRY_GONE) && self.0 & (WAITER | OBSERVED) == 0
    }

    /// S3, seen from the handle: nobody else will touch the task again.
    pub(in crate::task) const fn is_all_the_handles(self) -> bool {
        self.has(ENTRY_GONE | SETTLED)
    }
}
