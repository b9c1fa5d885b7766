//! Threads as workers.

use core::panic::AssertUnwindSafe;

use asyncpal_core::task::{Job, KeptJob};

use crate::contain::in_one_process;
use crate::error::{BrokenCause, BuildError, Panic, PoolError, TaskError};
use crate::failure::Failure;
use crate::kind::{
    Accepts, Apply, Chunk, Fallible, Kind, MapFn, OpenError, OpenFailure, Setup, TakesHook, With,
};
use crate::parker::ThreadParker;
use crate::pool::Pool;
use crate::sync::panic::catch_unwind;
use crate::sync::{Arc, thread};

/// A pool of threads of this program.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::ThreadPool;
///
/// let pool = ThreadPool::builder().max_workers(4).build()?;
/// let handle = pool.submit(|| 6 * 7)?;
/// assert_eq!(handle.collect()?, 42);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub type ThreadPool = Pool<Threads>;

/// The kind of a [`ThreadPool`].
#[derive(Debug)]
pub struct Threads {
    setup: Setup<Self>,
}

type HookFn = dyn Fn() -> Result<(), OpenFailure> + Send + Sync;

/// A function that each worker calls.
pub struct Hook(Box<HookFn>);

impl core::fmt::Debug for Hook {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hook")
    }
}

/// A thread needs nothing to work: it has itself.
#[derive(Debug)]
pub struct ThreadSeat(());

impl ThreadSeat {
    /// The seat of the worker that this thread is.
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl Kind for Threads {
    type Seat = ThreadSeat;
    type Parker = ThreadParker;
    type Hook = Arc<Hook>;
    type Options = ();

    const INLINE: Option<fn() -> ThreadSeat> = Some(ThreadSeat::new);

    fn default_max_workers() -> usize {
        thread::available_parallelism().map_or(1, usize::from) + 5
    }

    fn new(setup: Setup<Self>) -> Result<Self, BuildError> {
        Ok(Self { setup })
    }

    fn parker(&self) -> ThreadParker {
        ThreadParker::new()
    }

    fn open(&self, _worker: &str) -> Result<ThreadSeat, OpenError<OpenFailure>> {
        call_hook(self.setup.initializer.as_deref()).map_err(OpenError::Initializer)?;
        Ok(ThreadSeat::new())
    }

    fn close(&self, _seat: ThreadSeat) -> Result<(), BrokenCause> {
        call_hook(self.setup.finalizer.as_deref()).map_err(BrokenCause::Finalizer)
    }
}

fn call_hook(hook: Option<&Hook>) -> Result<(), OpenFailure> {
    let Some(Hook(hook)) = hook else { return Ok(()) };
    match in_one_process(|| catch_unwind(AssertUnwindSafe(hook))) {
        Ok(result) => result,
        Err(payload) => Err(Box::new(TaskError::Panicked(Panic::new(payload)))),
    }
}

/// What an initializer or finalizer returns: nothing, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "an initializer or finalizer cannot return `{Self}`",
    note = "it returns nothing, or a `Result<(), E>` whose error is a `Box<dyn Error + Send + Sync>` or can become one"
)]
pub trait HookResult {
    /// As a result.
    ///
    /// # Errors
    ///
    /// The error that was returned.
    fn into_result(self) -> Result<(), OpenFailure>;
}

impl HookResult for () {
    fn into_result(self) -> Result<(), OpenFailure> {
        Ok(())
    }
}

impl<E: Into<OpenFailure>> HookResult for Result<(), E> {
    fn into_result(self) -> Result<(), OpenFailure> {
        self.map_err(Into::into)
    }
}

impl<F, R> TakesHook<F> for Threads
where
    F: Fn() -> R + Send + Sync + 'static,
    R: HookResult,
{
    fn hook(f: F) -> Result<Arc<Hook>, BuildError> {
        Ok(Arc::new(Hook(Box::new(move || f().into_result()))))
    }
}

/// A shape of call that a thread can make.
pub trait ThreadCall: Send + 'static {
    /// What it returns.
    type Output: Send + 'static;

    /// Makes the call. It may unwind.
    ///
    /// # Errors
    ///
    /// If the call failed.
    fn invoke(self) -> Result<Self::Output, Failure>;
}

impl<F, T> ThreadCall for F
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    fn invoke(self) -> Result<T, Failure> {
        Ok(self())
    }
}

impl<F, A> ThreadCall for With<F, A>
where
    F: Apply<A, Output: Send + 'static> + Send + 'static,
    A: Send + 'static,
{
    type Output = F::Output;

    fn invoke(self) -> Result<F::Output, Failure> {
        Ok(self.function.apply(self.arguments))
    }
}

impl<C, T, E> ThreadCall for Fallible<C>
where
    C: ThreadCall<Output = Result<T, E>>,
    T: Send + 'static,
    E: Into<OpenFailure>,
{
    type Output = T;

    fn invoke(self) -> Result<T, Failure> {
        self.0.invoke()?.map_err(|error| TaskError::Failed(error.into()).into())
    }
}

impl<F, A> ThreadCall for Chunk<F, A>
where
    F: MapFn<A, Output: Send + 'static> + Send + Sync + 'static,
    A: Send + 'static,
{
    type Output = Vec<F::Output>;

    fn invoke(self) -> Result<Vec<F::Output>, Failure> {
        Ok(self.run())
    }
}

/// A call on its way to a thread.
#[derive(Debug)]
pub struct ThreadJob<C>(C);

impl<C: ThreadCall> Job<ThreadSeat, Failure> for ThreadJob<C> {
    type Output = C::Output;

    fn run(self, _seat: &mut ThreadSeat) -> Result<C::Output, Failure> {
        self.0.invoke()
    }

    fn keep(self) -> Option<KeptJob<ThreadSeat, Failure>> {
        Some(Box::new(self))
    }
}

impl<C: ThreadCall> Accepts<C> for Threads {
    type Output = C::Output;
    type Job = ThreadJob<C>;

    fn job(call: C) -> Result<ThreadJob<C>, (C, PoolError)> {
        Ok(ThreadJob(call))
    }

    fn call(job: ThreadJob<C>) -> C {
        job.0
    }
}
