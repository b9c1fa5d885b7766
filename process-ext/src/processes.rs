//! Processes as workers: each is a thread that owns a child.

use core::fmt;
use std::sync::Arc;

use asyncpal_core::task::{Job, KeptJob, Running};
use asyncpal_std::kind::{
    Accepts, Chunk, Failure, Fallible, Kind, Lender, OpenError, OpenFailure, Setup, TakesHook,
    With, contain,
};
use asyncpal_std::{BrokenCause, BuildError, Pool, PoolError};

use crate::error::{DecodeError, EncodeError, LaunchError, UnnamedFunction};
use crate::options::ProcessOptions;
use crate::parker::ProcessParker;
use crate::proxy::{Launch, Proxy};
use crate::remote::{FunctionId, RemoteFn, RemoteMapFn};
use crate::seat::{Outbound, ProcessSeat, Request};
use crate::starts::Starts;
use crate::wire::payload::{Arguments, Payload, decode_items, encode_items};

/// A pool of child processes that run functions of this program.
///
/// What it takes: function items, and closures that capture nothing. Arguments and results are
/// [`Payload`]s and travel as bytes. A worker that dies fails the task that it was running, and no
/// other.
///
/// [`init`](crate::init) must be the first line of `main`. It needs Linux 5.4 or later, and a filter of system calls
/// (seccomp) must not deny what workers are held by: `build` looks.
///
/// # Examples
///
/// ```no_run
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use asyncpal::ProcessPool;
///
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     asyncpal::process::init();
///     let pool = ProcessPool::builder().max_workers(2).build()?;
///     let handle = pool.submit_with(square, (12,))?;
///     assert_eq!(handle.collect()?, 144);
///     Ok(())
/// }
/// ```
pub type ProcessPool = Pool<Processes>;

/// The kind of a [`ProcessPool`].
#[derive(Debug)]
pub struct Processes {
    initializer: Option<FunctionId>,
    finalizer: Option<FunctionId>,
    spin: bool,
    options: ProcessOptions,
    starts: Arc<Starts>,
}

impl Kind for Processes {
    type Seat = ProcessSeat;
    type Parker = ProcessParker;
    type Hook = FunctionId;
    type Options = ProcessOptions;

    const INLINE: Option<fn() -> Self::Seat> = None;

    fn default_max_workers() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn new(setup: Setup<Self>) -> Result<Self, BuildError> {
        Proxy::precheck().map_err(LaunchError::into_build_error)?;
        let Setup { initializer, finalizer, spin, options, .. } = setup;
        options.check()?;
        let starts = Arc::new(Starts::new(options.max_failed_starts()));
        Ok(Self { initializer, finalizer, spin, options, starts })
    }

    fn parker(&self) -> ProcessParker {
        ProcessParker::default()
    }

    fn open(&self, worker: &str) -> Result<ProcessSeat, OpenError<OpenFailure>> {
        let mut launch = Launch::new(worker);
        launch.initializer = self.initializer;
        launch.finalizer = self.finalizer;
        launch.spin = self.spin;
        self.options.apply(&mut launch);
        ProcessSeat::open(launch, &self.starts)
    }

    fn is_sound(&self, seat: &ProcessSeat) -> bool {
        seat.is_sound()
    }

    fn is_lost(&self, seat: &ProcessSeat) -> bool {
        seat.is_lost()
    }

    const LENDS: bool = true;

    fn lend(&self, seat: &ProcessSeat, parker: &ProcessParker) -> bool {
        seat.lend(parker)
    }

    fn lender(seat: &ProcessSeat) -> Option<Lender> {
        seat.lender()
    }

    const TAKES_AHEAD: bool = true;

    fn may_take_ahead(&self, seat: &ProcessSeat) -> bool {
        seat.may_take_ahead()
    }

    fn recall(&self, seat: &mut ProcessSeat) -> usize {
        seat.recall()
    }

    fn replaced_seats(&self) -> usize {
        self.starts.replaced()
    }

    fn closed(&self) {
        self.starts.close();
    }

    fn close(&self, seat: ProcessSeat) -> Result<(), BrokenCause> {
        seat.close()
    }
}

/// A call on its way to a process: which function, its encoded arguments, how the result is read.
/// It keeps the call itself, to give it back if the pool does not take it.
pub struct ProcessJob<C, T> {
    call: C,
    outbound: Outbound,
    read: fn(&[u8]) -> Result<T, DecodeError>,
}

impl<C, T> ProcessJob<C, T> {
    fn new(
        call: C,
        function: Result<FunctionId, UnnamedFunction>,
        encode: impl FnOnce(&C, &mut Vec<u8>) -> Result<(), EncodeError>,
        read: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Self, (C, PoolError)> {
        let function = match function {
            Ok(function) => function,
            Err(error) => return Err((call, PoolError::Encode(Arc::new(error)))),
        };
        let mut payload = Vec::new();
        match encode(&call, &mut payload) {
            Ok(()) => {
                Ok(Self { call, outbound: Outbound::new(Request::task(function), payload), read })
            }
            Err(error) => Err((call, PoolError::Encode(Arc::new(error)))),
        }
    }

    fn exchange(self, seat: &mut ProcessSeat, this: Option<&Running<'_>>) -> Result<T, Failure> {
        // Dropped behind the call, which has a limit and hears a cancel.
        let _call = Contained(Some(self.call));
        seat.call(&self.outbound, this, self.read)
    }
}

/// Arguments are the user's, and so are their destructors, which may panic: also while a panic of the reading unwinds.
struct Contained<C>(Option<C>);

impl<C> Drop for Contained<C> {
    fn drop(&mut self) {
        let call = self.0.take();
        contain(|| drop(call));
    }
}

impl<C: Send + 'static, T: Send + 'static> Job<ProcessSeat, Failure> for ProcessJob<C, T> {
    type Output = T;

    fn run(self, seat: &mut ProcessSeat) -> Result<T, Failure> {
        self.exchange(seat, None)
    }

    fn run_as(self, seat: &mut ProcessSeat, this: &Running<'_>) -> Result<T, Failure> {
        self.exchange(seat, Some(this))
    }

    fn announce(&mut self, seat: &mut ProcessSeat) -> bool {
        seat.announce(&mut self.outbound)
    }

    fn keep(self) -> Option<KeptJob<ProcessSeat, Failure>> {
        Some(Box::new(self))
    }
}

impl<C, T> fmt::Debug for ProcessJob<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessJob").field("outbound", &self.outbound).finish_non_exhaustive()
    }
}

impl<F> Accepts<F> for Processes
where
    F: RemoteFn<(), Output: Payload + Send>,
{
    type Output = F::Output;
    type Job = ProcessJob<F, F::Output>;

    fn job(call: F) -> Result<Self::Job, (F, PoolError)> {
        let function = FunctionId::plain::<F, ()>(call);
        ProcessJob::new(call, function, |_, _| Ok(()), <F::Output as Payload>::decode)
    }

    fn call(job: Self::Job) -> F {
        job.call
    }
}

impl<F, A> Accepts<With<F, A>> for Processes
where
    F: RemoteFn<A, Output: Payload + Send>,
    A: Arguments + Send,
{
    type Output = F::Output;
    type Job = ProcessJob<With<F, A>, F::Output>;

    fn job(call: With<F, A>) -> Result<Self::Job, (With<F, A>, PoolError)> {
        let function = FunctionId::plain::<F, A>(call.function);
        let encode = |call: &With<F, A>, out: &mut _| call.arguments.encode(out);
        ProcessJob::new(call, function, encode, <F::Output as Payload>::decode)
    }

    fn call(job: Self::Job) -> With<F, A> {
        job.call
    }
}

impl<F, T, E> Accepts<Fallible<F>> for Processes
where
    F: RemoteFn<(), Output = Result<T, E>>,
    T: Payload + Send,
    E: Into<OpenFailure> + 'static,
{
    type Output = T;
    type Job = ProcessJob<Fallible<F>, T>;

    fn job(call: Fallible<F>) -> Result<Self::Job, (Fallible<F>, PoolError)> {
        let function = FunctionId::fallible::<F, (), T, E>(call.0);
        ProcessJob::new(call, function, |_, _| Ok(()), T::decode)
    }

    fn call(job: Self::Job) -> Fallible<F> {
        job.call
    }
}

impl<F, A, T, E> Accepts<Fallible<With<F, A>>> for Processes
where
    F: RemoteFn<A, Output = Result<T, E>>,
    A: Arguments + Send,
    T: Payload + Send,
    E: Into<OpenFailure> + 'static,
{
    type Output = T;
    type Job = ProcessJob<Fallible<With<F, A>>, T>;

    fn job(call: Fallible<With<F, A>>) -> Result<Self::Job, (Fallible<With<F, A>>, PoolError)> {
        let function = FunctionId::fallible::<F, A, T, E>(call.0.function);
        let encode = |call: &Fallible<With<F, A>>, out: &mut _| call.0.arguments.encode(out);
        ProcessJob::new(call, function, encode, T::decode)
    }

    fn call(job: Self::Job) -> Fallible<With<F, A>> {
        job.call
    }
}

impl<F, A> Accepts<Chunk<F, A>> for Processes
where
    F: RemoteMapFn<A, Output: Payload + Send>,
    A: Payload + Send,
{
    type Output = Vec<F::Output>;
    type Job = ProcessJob<Chunk<F, A>, Vec<F::Output>>;

    fn job(call: Chunk<F, A>) -> Result<Self::Job, (Chunk<F, A>, PoolError)> {
        let function = FunctionId::chunk::<F, A>(*call.function);
        let encode = |call: &Chunk<F, A>, out: &mut _| encode_items(&call.items, out);
        ProcessJob::new(call, function, encode, decode_items)
    }

    fn call(job: Self::Job) -> Chunk<F, A> {
        job.call
    }
}

impl<F> TakesHook<F> for Processes
where
    F: RemoteFn<(), Output: RemoteHook<F>>,
{
    fn hook(f: F) -> Result<FunctionId, BuildError> {
        <F::Output as RemoteHook<F>>::name(f).map_err(|error| BuildError::Hook(error.into()))
    }
}

/// What an initializer or finalizer of a process pool returns: nothing, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "an initializer or finalizer cannot return `{Self}`",
    note = "it returns nothing, or a `Result<(), E>` whose error is a `Box<dyn Error + Send + Sync>` or can become one"
)]
pub trait RemoteHook<F> {
    /// Names the function.
    ///
    /// # Errors
    ///
    /// It is not part of the main executable.
    fn name(f: F) -> Result<FunctionId, UnnamedFunction>;
}

impl<F: RemoteFn<(), Output = ()>> RemoteHook<F> for () {
    fn name(f: F) -> Result<FunctionId, UnnamedFunction> {
        FunctionId::plain::<F, ()>(f)
    }
}

impl<F, E> RemoteHook<F> for Result<(), E>
where
    F: RemoteFn<(), Output = Self>,
    E: Into<OpenFailure> + 'static,
{
    fn name(f: F) -> Result<FunctionId, UnnamedFunction> {
        FunctionId::fallible::<F, (), (), E>(f)
    }
}
