//! The time of a model: it stands still until the model says otherwise.
//!
//! Without a [`Time`] every clock shows its origin and no timeout ever passes. With one, the model
//! moves the clock, and whoever sleeps until a moment that is past then is woken. Looking at the
//! clock becomes a step that the checker sees: it tries each order of looks and elapsing.

use core::cell::RefCell;
use core::time::Duration;

use asyncpal_core::clock::Instant;

use super::thread::Thread;
use super::{Mutex, lock};
use crate::clock::Deadline;
use crate::sync::Arc;

/// The model's hold on time.
///
/// From [`start`](Self::start) on idle timeouts and timed waits of the pools under check pass when
/// [`elapse`](Self::elapse) moves the clock beyond their end, and not before. Without one they
/// never pass, which costs the checker less.
///
/// Keep it until the end of the model's closure.
#[derive(Debug)]
pub struct Time {
    clock: Arc<Clock>,
}

#[derive(Debug)]
struct Clock(Mutex<Timers>);

#[derive(Debug)]
struct Timers {
    now: Instant,
    /// Who is to be woken when. Who was woken otherwise is still here: it is woken once more, for
    /// no reason.
    sleepers: Vec<(Instant, Thread)>,
}

std::thread_local! {
    /// The model's clock: all threads of a model run on one thread of the system.
    static CLOCK: RefCell<Option<Arc<Clock>>> = const { RefCell::new(None) };
}

impl Time {
    /// Starts the clock, at its origin. Call it first in the model.
    pub fn start() -> Self {
        let timers = Timers { now: ORIGIN, sleepers: Vec::new() };
        let clock = Arc::new(Clock(Mutex::new(timers)));
        CLOCK.set(Some(clock.clone()));
        Self { clock }
    }

    /// Lets so much time pass, and wakes whoever waited for a moment that is past now.
    ///
    /// # Panics
    ///
    /// If no clock can show the moment.
    pub fn elapse(&self, time: Duration) {
        let mut timers = lock(&self.clock.0);
        timers.now = timers.now.after(time).expect("a moment that a clock can show");
        let now = timers.now;
        let all = core::mem::take(&mut timers.sleepers);
        let (due, later): (Vec<_>, _) = all.into_iter().partition(|(end, _)| *end <= now);
        timers.sleepers = later;
        drop(timers);
        for (_, sleeper) in due {
            sleeper.unpark();
        }
    }
}

impl Drop for Time {
    fn drop(&mut self) {
        forget();
    }
}

/// Takes the clock away.
pub(crate) fn forget() {
    CLOCK.set(None);
}

const ORIGIN: Instant = Instant::from_nanos(0);

fn clock() -> Option<Arc<Clock>> {
    CLOCK.with_borrow(Clone::clone)
}

/// The present moment.
pub(crate) fn now() -> Instant {
    clock().map_or(ORIGIN, |clock| lock(&clock.0).now)
}

/// Sees to it that `sleeper` is woken at the deadline; false if it is past.
pub(super) fn call_at(deadline: Deadline, sleeper: &Thread) -> bool {
    let (Some(end), Some(clock)) = (deadline.end(), clock()) else { return true };
    let mut timers = lock(&clock.0);
    if timers.now >= end {
        return false;
    }
    timers.sleepers.retain(|(_, other)| !other.is(sleeper));
    timers.sleepers.push((end, sleeper.clone()));
    true
}
