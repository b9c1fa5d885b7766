//! What borrows and is on its way: a task's closure, then its output.
//!
//! What is held is dropped before its ticket is given back, and never unwinds out of here: the
//! panic of a destructor is noted in the ledger. Whoever drops it (a worker, a canceller, the
//! handle) goes on unharmed.

use core::panic::AssertUnwindSafe;
use core::ptr::NonNull;

use asyncpal_core::task::Receipt;

use super::ledger::{Ledger, Ticket};
use crate::failure::Failure;
use crate::sync::panic::catch_unwind;

/// A closure or an output, and its ticket.
pub(super) struct Held<X> {
    content: Option<X>,
    /// Until it has become a receipt.
    ticket: Option<Ticket>,
    /// For the destructor. Without a ticket this is an output that was published: it is touched by
    /// its handle before the scope's end, or by who has its receipt.
    ledger: NonNull<Ledger>,
}

// SAFETY: a ledger is made for sharing, and its address is used as the field says; the content moves
// along.
unsafe impl<X: Send> Send for Held<X> {}

impl<X> Held<X> {
    pub(super) fn new(content: X, ticket: Ticket) -> Self {
        let ledger = NonNull::from(ticket.ledger());
        Self { content: Some(content), ticket: Some(ticket), ledger }
    }

    /// The content; the ticket, if it is still here, is given back.
    pub(super) fn into_inner(mut self) -> X {
        self.content.take().expect("the content is taken once")
    }

    /// The ticket, as what is handed in once the content was published.
    pub(super) fn take_receipt(&mut self) -> Option<Receipt> {
        self.ticket.take().map(Ticket::into_receipt)
    }
}

impl<X> Held<X> {
    /// Drops the content, and keeps the ticket.
    pub(super) fn let_go(&mut self) {
        let Some(content) = self.content.take() else { return };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(content))) {
            // SAFETY: the ticket is counted, or as the field says.
            let _ = unsafe { self.ledger.as_ref() }.note(payload);
        }
    }
}

impl<X> Drop for Held<X> {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl<F> Held<F> {
    /// Calls the closure and gives its ticket on to the output.
    pub(super) fn call<T>(mut self) -> Result<Held<T>, Failure>
    where
        F: FnOnce() -> T,
    {
        let ticket = self.ticket.take().expect("closures have no receipt");
        // A call that unwound is gone, and what it shares with others is theirs to poison.
        match catch_unwind(AssertUnwindSafe(self.into_inner())) {
            Ok(output) => Ok(Held::new(output, ticket)),
            Err(payload) => Err(ticket.ledger().note(payload)),
        }
    }
}
