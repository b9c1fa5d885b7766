//! Workers of another program, which know functions by name.

#![forbid(unsafe_code)]

use std::sync::Arc;

use asyncpal_core::task::{Job, KeptJob, Running};
use asyncpal_std::kind::{
    Accepts, Chunk, Failure, Kind, Lender, OpenError, OpenFailure, Setup, Spread, TakesHook, With,
};
use asyncpal_std::{BrokenCause, BuildError, Pool, PoolError};

use crate::error::{DecodeError, EncodeError, LaunchError};
use crate::launch::check_max_frame_bytes;
use crate::named::{Named, Signature};
use crate::parker::ProcessParker;
use crate::proxy::{Foreign, Launch, Proxy};
use crate::seat::{Outbound, ProcessSeat, Request};
use crate::starts::Starts;
use crate::wire::named::{Form, aux};
use crate::wire::payload::Plain;
use crate::worker_command::WorkerCommand;

/// A pool of processes of another program, on this machine or, by means of a launcher, on others.
///
/// What it takes: [`Named`] functions, with arguments and results that are [`Plain`]. It is made from a
/// [`worker_command`](crate::worker_command()), starts a command for each worker that it needs, and needs no
/// [`init`](crate::init). A worker that dies, a launcher that hangs or prints something of its own, fails the task
/// that it was to run, and no other.
///
/// It needs Linux 5.4 or later where it is built; what it launches may run on anything.
///
/// Like any pool it grows to its [`max_workers`](asyncpal_std::Builder::max_workers) (by default as many as this
/// machine has processors), and has no process while it is idle for long.
///
/// # Examples
///
/// ```no_run
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use asyncpal::process::{Named, worker_command};
///
/// const SQUARE: Named<fn(u64) -> u64> = Named::new("square");
///
/// let pool = worker_command("python3").arg("examples/worker.py").pool().max_workers(2).build()?;
/// assert_eq!(pool.submit_with(SQUARE, (12,))?.collect()?, 144);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type CommandPool = Pool<Commands>;

/// The kind of a [`CommandPool`].
#[derive(Debug)]
pub struct Commands {
    foreign: Arc<Foreign>,
    starts: Arc<Starts>,
}

impl Kind for Commands {
    type Seat = ProcessSeat;
    type Parker = ProcessParker;
    type Hook = &'static str;
    type Options = WorkerCommand;

    const INLINE: Option<fn() -> Self::Seat> = None;

    fn default_max_workers() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn new(setup: Setup<Self>) -> Result<Self, BuildError> {
        Proxy::check_system().map_err(LaunchError::into_build_error)?;
        let Setup { options: command, initializer, finalizer, .. } = setup;
        check_max_frame_bytes(command.max_frame_bytes)?;
        let starts = Arc::new(Starts::new(command.crash_loop));
        Ok(Self { foreign: Arc::new(Foreign { command, initializer, finalizer }), starts })
    }

    fn parker(&self) -> ProcessParker {
        ProcessParker::default()
    }

    fn open(&self, worker: &str) -> Result<ProcessSeat, OpenError<OpenFailure>> {
        ProcessSeat::open(Launch::foreign(worker, &self.foreign), &self.starts)
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

/// A call on its way to another program. It keeps the call itself, to give it back if the pool does not take it.
#[derive(Debug)]
pub struct NamedJob<C, T> {
    call: C,
    /// The name, and the encoded arguments behind it.
    outbound: Outbound,
    read: fn(&[u8]) -> Result<T, DecodeError>,
}

impl<C, T> NamedJob<C, T> {
    fn new<F>(
        call: C,
        function: Named<F>,
        form: Form,
        encode: impl FnOnce(&C, &mut Vec<u8>) -> Result<(), EncodeError>,
        read: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Self, (C, PoolError)> {
        let name = function.name();
        let mut body = name.as_bytes().to_vec();
        match encode(&call, &mut body) {
            Ok(()) => Ok(Self {
                call,
                outbound: Outbound::new(Request::call(aux(name, form)), body),
                read,
            }),
            Err(error) => Err((call, PoolError::Encode(Arc::new(error)))),
        }
    }

    fn exchange(self, seat: &mut ProcessSeat, this: Option<&Running<'_>>) -> Result<T, Failure> {
        // Plain values: their destructors are the standard library's.
        drop(self.call);
        seat.call(&self.outbound, this, self.read)
    }
}

impl<C: Send + 'static, T: Send + 'static> Job<ProcessSeat, Failure> for NamedJob<C, T> {
    type Output = T;

    fn run(self, seat: &mut ProcessSeat) -> Result<T, Failure> {
        self.exchange(seat, None)
    }

    fn run_as(self, seat: &mut ProcessSeat, this: &Running<'_>) -> Result<T, Failure> {
        self.exchange(seat, Some(this))
    }

    fn keep(self) -> Option<KeptJob<ProcessSeat, Failure>> {
        Some(Box::new(self))
    }
}

impl<F, T> Accepts<Named<F>> for Commands
where
    F: Signature<Args = (), Output = T>,
    T: Plain + Send,
{
    type Output = T;
    type Job = NamedJob<Named<F>, T>;

    fn job(call: Named<F>) -> Result<Self::Job, (Named<F>, PoolError)> {
        NamedJob::new(call, call, Form::One, |_, _| Ok(()), T::decode)
    }

    fn call(job: Self::Job) -> Named<F> {
        job.call
    }
}

impl<F: Signature> Accepts<With<Named<F>, F::Args>> for Commands {
    type Output = F::Output;
    type Job = NamedJob<With<Named<F>, F::Args>, F::Output>;

    fn job(
        call: With<Named<F>, F::Args>,
    ) -> Result<Self::Job, (With<Named<F>, F::Args>, PoolError)> {
        let function = call.function;
        let encode = |call: &With<_, F::Args>, out: &mut _| call.arguments.encode(out);
        NamedJob::new(call, function, Form::One, encode, F::Output::decode)
    }

    fn call(job: Self::Job) -> With<Named<F>, F::Args> {
        job.call
    }
}

/// One argument travels as the tuple of it: the items are the arguments.
impl<F, A> Accepts<Chunk<Named<F>, A>> for Commands
where
    F: Signature<Args = (A,)>,
    A: Plain + Send,
{
    type Output = Vec<F::Output>;
    type Job = NamedJob<Chunk<Named<F>, A>, Vec<F::Output>>;

    fn job(call: Chunk<Named<F>, A>) -> Result<Self::Job, (Chunk<Named<F>, A>, PoolError)> {
        let function = *call.function;
        let encode = |call: &Chunk<_, A>, out: &mut _| A::encode_many(&call.items, out);
        NamedJob::new(call, function, Form::Many, encode, F::Output::decode_many)
    }

    fn call(job: Self::Job) -> Chunk<Named<F>, A> {
        job.call
    }
}

impl<F, A> Accepts<Chunk<Spread<Named<F>>, A>> for Commands
where
    F: Signature<Args = A>,
    A: Plain + Send,
{
    type Output = Vec<F::Output>;
    type Job = NamedJob<Chunk<Spread<Named<F>>, A>, Vec<F::Output>>;

    fn job(
        call: Chunk<Spread<Named<F>>, A>,
    ) -> Result<Self::Job, (Chunk<Spread<Named<F>>, A>, PoolError)> {
        let function = call.function.0;
        let encode = |call: &Chunk<_, A>, out: &mut _| A::encode_many(&call.items, out);
        NamedJob::new(call, function, Form::Many, encode, F::Output::decode_many)
    }

    fn call(job: Self::Job) -> Chunk<Spread<Named<F>>, A> {
        job.call
    }
}

/// An initializer or finalizer: a function of the other program that takes nothing and returns nothing. It may fail.
impl TakesHook<Named<fn()>> for Commands {
    fn hook(function: Named<fn()>) -> Result<&'static str, BuildError> {
        Ok(function.name())
    }
}
