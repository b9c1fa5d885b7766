//! Panics in a model: a task's are caught, as in production; the checker's own end the model.
//!
//! The checker reports what it finds (a deadlock, a race on a cell, a leak, too many threads) by a
//! panic, on the thread that took the last step. If that is a worker with a task, the panic must
//! not become the task's failure: the model could pass. It also must not unwind through what would
//! take further steps on the way, or the program aborts: a checker that has found a deadlock takes
//! none. So a thread on which the checker panicked while our code or a task ran is left as it is,
//! in the middle; the checker finds that the model can never end, and gives up, on its own stack.
//! [`model::check`](crate::model::check) reports the first panic as the model's.

use core::any::Any;
use core::cell::RefCell;
use core::panic::{AssertUnwindSafe, UnwindSafe};
use std::panic::PanicHookInfo;
use std::thread::Result;

use crate::sync::program::Once;

type Payload = Box<dyn Any + Send>;

std::thread_local! {
    /// The text of the checker's last panic on this thread of the system.
    static TEXT: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The checker's first panic in this model.
    static VERDICT: RefCell<Option<Payload>> = const { RefCell::new(None) };
}

/// As that of the standard library for a panic of `f`'s own. A panic of the checker ends the model.
pub(crate) fn catch_unwind<R>(f: impl FnOnce() -> R + UnwindSafe) -> Result<R> {
    watch();
    std::panic::catch_unwind(f)
        .map_err(|payload| if is_checkers(&payload) { leave_model(payload) } else { payload })
}

/// Calls `f`, which takes steps of the checker and nothing else.
pub(super) fn or_leave_model<R>(f: impl FnOnce() -> R) -> R {
    watch();
    std::panic::catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| leave_model(payload))
}

/// Makes this thread the last of the model.
fn leave_model(payload: Payload) -> ! {
    VERDICT.with_borrow_mut(|verdict| {
        verdict.get_or_insert(payload);
    });
    // Back to the checker. If it has found a deadlock it does not come back.
    #[expect(deprecated, reason = "loom's threads are made for it")]
    generator::yield_with(());
    // It has: this thread is still the active one, so steps can be taken on the way out.
    std::panic::resume_unwind(take_verdict().expect("it was just put there"));
}

/// The checker's first panic since the last call.
pub(crate) fn take_verdict() -> Option<Payload> {
    VERDICT.take()
}

/// From now on, notes what the checker says when it panics.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if is_in_checker(info) {
                TEXT.set(text(info.payload()).map(Into::into));
            }
            next(info);
        }));
    });
}

/// Whether the panic was raised in loom's engine.
fn is_in_checker(info: &PanicHookInfo<'_>) -> bool {
    info.location().is_some_and(|location| {
        let file = location.file().replace('\\', "/");
        file.contains("loom") && file.contains("/src/rt/")
    })
}

fn is_checkers(payload: &Payload) -> bool {
    TEXT.with_borrow(|last| last.is_some() && text(&**payload) == last.as_deref())
}

fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
