//! How hart 0 waits, and when it gives up.

#![forbid(unsafe_code)]

use core::time::Duration;

use asyncpal::clock::{Clock, Instant};
use asyncpal::park::{Park, Unparked};

use crate::harts::SUBMITTER;
use crate::machine::Mtime;
use crate::park::HartPark;
use crate::pool::{Handle, Outcome};

/// Longer than any wait of this program on the slowest of hosts.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where hart 0 sleeps.
pub(crate) static MAIN: Watched = Watched(HartPark::new(SUBMITTER));

/// A parker on which nobody sleeps for long: a lost wake-up ends the program instead of silencing it.
pub(crate) struct Watched(HartPark);

impl Park for Watched {
    fn park(&self, deadline: Option<Instant>) -> Unparked {
        let limit = Watch::new();
        let unparked = self.0.park(Some(deadline.map_or(limit.0, |at| at.min(limit.0))));
        if unparked == Unparked::TimedOut {
            limit.check();
        }
        unparked
    }

    fn unpark(&self) {
        self.0.unpark();
    }
}

/// When to give up.
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn new() -> Self {
        Self(Mtime.now().after(PATIENCE).unwrap_or(Instant::from_nanos(u64::MAX)))
    }

    /// Gives up if it is time.
    pub(crate) fn check(&self) {
        if Mtime.now() >= self.0 {
            panic!("nothing happened for {PATIENCE:?}: a wake-up was lost");
        }
    }
}

/// Sleeps until something is so; whoever changes it leaves a token in [`MAIN`].
pub(crate) fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        let _ = MAIN.park(None);
    }
}

/// Sleeps for so long; a token for [`MAIN`] ends it earlier.
pub(crate) fn sleep(time: Duration) {
    let _ = MAIN.park(Mtime.now().after(time));
}

/// Looks until something is so, all the time, so that nobody has to wake hart 0.
pub(crate) fn look_until(mut is_so: impl FnMut() -> bool) {
    const LOOKS: usize = 1 << 16;
    let limit = Watch::new();
    loop {
        for _ in 0..LOOKS {
            if is_so() {
                return;
            }
            core::hint::spin_loop();
        }
        limit.check();
    }
}

/// The outcome of a task, looked for all the time.
pub(crate) fn watch<T: Send>(mut handle: Handle<T>) -> Outcome<T> {
    let mut outcome = None;
    look_until(|| {
        outcome = handle.take();
        outcome.is_some()
    });
    outcome.expect("it was looked for until it was there")
}
