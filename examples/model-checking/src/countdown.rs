//! Who is the last one out?

use crate::sync::{AtomicUsize, Ordering};

/// Tells the last of several parties that it is the last.
pub trait LastOut: Send + Sync + 'static {
    /// For so many parties.
    fn new(parties: usize) -> Self;

    /// One party is done; true if it was the last. What the others did before they left has
    /// happened then.
    fn leave(&self) -> bool;
}

/// Counts the parties down.
#[derive(Debug)]
pub struct Countdown(AtomicUsize);

impl LastOut for Countdown {
    fn new(parties: usize) -> Self {
        Self(AtomicUsize::new(parties))
    }

    fn leave(&self) -> bool {
        // The subtraction itself says who was last.
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// Counts the parties down, and is wrong: between the two steps another party may take its own
/// first step, and then both see that nobody is left.
#[derive(Debug)]
pub struct HastyCountdown(AtomicUsize);

impl LastOut for HastyCountdown {
    fn new(parties: usize) -> Self {
        Self(AtomicUsize::new(parties))
    }

    fn leave(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel);
        self.0.load(Ordering::Acquire) == 0
    }
}
