//! Panics of tasks in a worker: caught, and described by what the panic hook saw.

#![forbid(unsafe_code)]

use core::any::Any;
use core::cell::{Cell, RefCell};
use core::panic::AssertUnwindSafe;
use std::backtrace::Backtrace;
use std::panic;

use asyncpal_std::kind::contain;

use crate::wire::message::Failure;

thread_local! {
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// What only the hook can see.
struct Seen {
    location: String,
    backtrace: String,
}

/// Lets panics of tasks be described instead of printed. Panics of other threads are printed as before.
pub(crate) fn install_hook() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // With `panic = "abort"` nobody lives to send a description.
        if cfg!(panic = "abort") || !IN_TASK.try_with(Cell::get).unwrap_or(false) {
            return previous(info);
        }
        let seen = Seen {
            location: info.location().map_or_else(String::new, ToString::to_string),
            backtrace: Backtrace::force_capture().to_string(),
        };
        let _ = SEEN.try_with(|slot| {
            if let Ok(mut slot) = slot.try_borrow_mut() {
                *slot = Some(seen);
            }
        });
    }));
}

/// Runs a task and turns its panic into a description.
pub(crate) fn catch<T>(task: impl FnOnce() -> T) -> Result<T, Failure> {
    SEEN.with(|slot| slot.borrow_mut().take());
    IN_TASK.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(task));
    IN_TASK.set(false);
    outcome.map_err(describe)
}

fn describe(payload: Box<dyn Any + Send>) -> Failure {
    let (type_name, message) = if let Some(text) = payload.downcast_ref::<&'static str>() {
        ("&str", (*text).to_owned())
    } else if let Some(text) = payload.downcast_ref::<String>() {
        ("alloc::string::String", text.clone())
    } else {
        ("", String::from("a value that is no text"))
    };
    // A payload may panic when it is dropped; that must not end the worker.
    contain(|| drop(payload));
    // Without `SEEN` the panic was resumed, or the task replaced the hook.
    let seen = SEEN.with(|slot| slot.borrow_mut().take());
    let (location, backtrace) = seen.map_or_else(Default::default, |s| (s.location, s.backtrace));
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    Failure { location, thread, backtrace, ..Failure::new(type_name, message) }
}
