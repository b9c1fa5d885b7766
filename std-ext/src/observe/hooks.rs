//! Hooks for the usual ways to log: nothing but functions.

#[cfg(feature = "tracing")]
use super::Ending;
#[cfg(any(feature = "log", feature = "tracing"))]
use super::{Event, EventKind};

/// A hook that logs every event through the crate `log`, with the target `asyncpal`: failures as
/// warnings, a broken pool as an error, workers and the pool's end at the level *debug*, tasks that start
/// and end well at *trace*.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{ThreadPool, log_event};
///
/// let pool = ThreadPool::builder().on_event(log_event).build()?;
/// # Ok::<(), asyncpal::BuildError>(())
/// ```
#[cfg(feature = "log")]
pub fn log_event(event: &Event<'_>) {
    let level = match event.kind {
        EventKind::PoolBroken(_) => log::Level::Error,
        _ if event.is_failure() => log::Level::Warn,
        EventKind::TaskStarted { .. } | EventKind::TaskEnded { .. } => log::Level::Trace,
        _ => log::Level::Debug,
    };
    log::log!(target: "asyncpal", level, "{event}");
}

/// A hook that gives every event to the crate `tracing`, with the target `asyncpal`, at the levels of
/// `log_event`. Fields: `pool`, `worker`, and for tasks `task`, `label`, `waited_us`, `ran_us` and
/// `ending`; the message is the event as text.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{ThreadPool, trace_event};
///
/// let pool = ThreadPool::builder().on_event(trace_event).build()?;
/// # Ok::<(), asyncpal::BuildError>(())
/// ```
#[cfg(feature = "tracing")]
pub fn trace_event(event: &Event<'_>) {
    // The level is part of what is static at each place.
    macro_rules! tell {
        ($level:ident, $($field:tt)*) => {
            tracing::$level!(
                target: "asyncpal", pool = event.pool_name, worker = event.worker, $($field)* "{event}"
            )
        };
    }
    let micros =
        |duration: core::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    match event.kind {
        EventKind::TaskStarted { task, waited } => {
            tell!(trace, task = task.id, label = task.label, waited_us = micros(waited),);
        }
        EventKind::TaskEnded { task, ending, waited, ran } => {
            let (waited_us, ran_us) = (micros(waited), micros(ran));
            let (task, label) = (task.id, task.label);
            match ending {
                Ending::Failed(_) => {
                    tell!(warn, task, label, waited_us, ran_us, ending = "failed",)
                }
                Ending::Completed => {
                    tell!(trace, task, label, waited_us, ran_us, ending = "completed",);
                }
                Ending::Cancelled => tell!(trace, task, label, waited_us, ending = "cancelled",),
            }
        }
        EventKind::PoolBroken(_) => tell!(error,),
        _ if event.is_failure() => tell!(warn,),
        _ => tell!(debug,),
    }
}
