//! The task that this thread runs: whether it should stop, and where its failure comes from.

use core::cell::Cell;
use core::ptr::NonNull;

use asyncpal_core::task::{Job, KeptJob, Running, TakeReceipt};

use crate::failure::{Failure, Origin, Reporter};
use crate::sync::{Arc, thread_local};

thread_local! {
    // No destructor: readable for as long as the thread runs, `exit` included.
    static CURRENT: Cell<Option<NonNull<Running<'static>>>> = const { Cell::new(None) };
    // That of the pool whose tasks this thread runs.
    static REPORTER: Cell<Option<Arc<Reporter>>> = const { Cell::new(None) };
}

/// Whether the task that calls this should stop: somebody has called
/// [`cancel`](crate::Handle::cancel) on its handle after it had started, or the program is about to
/// end. False outside a task, and in a worker process.
///
/// A running task cannot be stopped from outside. One that takes long asks this now and then, and
/// returns early; what it returns is its result, as ever. What happened before the `cancel` is seen by
/// who sees it here. It costs a load or two.
///
/// # Examples
///
/// ```
/// use asyncpal_std::ThreadPool;
///
/// let pool = ThreadPool::new();
/// let (started, has_started) = std::sync::mpsc::channel();
/// let handle = pool.submit(move || {
///     started.send(()).unwrap();
///     let mut rounds = 0_u64;
///     while !asyncpal_std::is_cancel_requested() {
///         rounds += 1;
///     }
///     rounds
/// })?;
///
/// has_started.recv()?;
/// assert!(!handle.cancel(), "it runs: it is only asked to stop");
/// println!("{} rounds", handle.collect()?);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub fn is_cancel_requested() -> bool {
    CURRENT.with(Cell::get).is_some_and(|task| {
        // SAFETY: `Entered` put it there for as long as the task is lent, on this thread.
        unsafe { task.as_ref() }.is_cancel_requested()
    })
}

/// Makes `reporter` that of this thread; the one that it had.
pub(crate) fn report_to(reporter: Option<Arc<Reporter>>) -> Option<Arc<Reporter>> {
    REPORTER.try_with(|ours| ours.replace(reporter)).ok().flatten()
}

/// A job that is this thread's current one while it runs.
pub(crate) struct Tracked<J>(pub(crate) J);

impl<S, J: Job<S, Failure>> Job<S, Failure> for Tracked<J> {
    type Output = J::Output;

    const RECEIPT: Option<TakeReceipt<J::Output>> = J::RECEIPT;

    fn run(self, seat: &mut S) -> Result<J::Output, Failure> {
        self.0.run(seat)
    }

    fn run_as(self, seat: &mut S, this: &Running<'_>) -> Result<J::Output, Failure> {
        let entered = Entered::new(this);
        let result = self.0.run_as(seat, this);
        drop(entered);
        result.map_err(|failure| attribute(failure, this))
    }

    fn keep(self) -> Option<KeptJob<S, Failure>> {
        self.0.keep()
    }
}

/// Says which task failed, so that the failure can be reported.
#[cold]
fn attribute(failure: Failure, task: &Running<'_>) -> Failure {
    // Who runs a task has a reporter until its thread ends.
    let reporter = report_to(None);
    report_to(reporter.clone());
    match reporter {
        Some(reporter) => failure.come_from(Origin {
            reporter,
            task_id: task.id(),
            cancel_requested: task.is_cancel_requested(),
        }),
        None => failure,
    }
}

/// A task that this thread runs, inside another one if that waits for it.
struct Entered {
    outer: Option<NonNull<Running<'static>>>,
}

impl Entered {
    /// The task is this thread's current one until the guard is dropped.
    fn new(task: &Running<'_>) -> Self {
        let task = NonNull::from(task).cast();
        Self { outer: CURRENT.with(|current| current.replace(Some(task))) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.outer));
    }
}
