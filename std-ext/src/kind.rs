//! What a crate brings to make a new kind of pool: what its workers sit on, and which calls they
//! take.

use core::error::Error;

use asyncpal_core::park::Park;
use asyncpal_core::task::Job;

pub use asyncpal_core::executor::OpenError;
#[cfg(doc)]
use asyncpal_core::executor::WorkerKind;

pub use crate::clock::StdClock;
pub use crate::contain::contain;
pub use crate::current::Lender;
pub use crate::error::CrashLoop;
use crate::error::{BrokenCause, BuildError, PoolError};
pub use crate::failure::Failure;
pub use crate::observe::LabelledJob;
#[doc(hidden)]
pub use crate::once_box::OnceBox;
pub use crate::parker::ThreadParker;
pub use crate::search::Search;
use crate::sync::Arc;
pub use crate::watcher::{CancelBell, hear_cancels};

/// What a pool is built with, as its kind sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Setup<K: Kind> {
    /// The pool's name.
    pub name: String,
    /// Called by each worker before its first task.
    pub initializer: Option<K::Hook>,
    /// Called by each worker after its last task.
    pub finalizer: Option<K::Hook>,
    /// Whether workers may spin before they sleep.
    pub spin: bool,
    /// What only this kind asks for.
    pub options: K::Options,
}

impl<K: Kind> Clone for Setup<K> {
    fn clone(&self) -> Self {
        let Self { name, initializer, finalizer, spin, options } = self;
        Self {
            name: name.clone(),
            initializer: initializer.clone(),
            finalizer: finalizer.clone(),
            spin: *spin,
            options: options.clone(),
        }
    }
}

/// Threads, processes: what differs between pools. Each worker is a thread; what it sits on while
/// it works is its seat.
pub trait Kind: Send + Sync + Sized + 'static {
    /// What a worker owns while it lives, and lends to each task.
    type Seat: Send + 'static;
    /// How a worker sleeps.
    type Parker: Park + 'static;
    /// An initializer or finalizer.
    type Hook: Clone + Send + Sync + 'static;
    /// What is set for this kind of pool only. A kind that cannot do without has no default, and is
    /// built by [`Pool::builder_with`](crate::Pool::builder_with).
    type Options: Clone + Send + Sync + 'static;

    /// The seat of any thread, if a task can run on the spot: on the worker that waits for it, or
    /// on its submitter. Then `Seat` is `ThreadSeat`.
    const INLINE: Option<fn() -> Self::Seat>;

    /// The maximum of workers if the user does not say.
    fn default_max_workers() -> usize;

    /// Checks what the user wants.
    ///
    /// # Errors
    ///
    /// If no worker could ever start.
    fn new(setup: Setup<Self>) -> Result<Self, BuildError>;

    /// A parker for a slot.
    fn parker(&self) -> Self::Parker;

    /// Prepares a worker, on its own thread.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    fn open(&self, worker: &str) -> Result<Self::Seat, OpenError<OpenFailure>>;

    /// Whether a worker can go on with this seat.
    fn is_sound(&self, seat: &Self::Seat) -> bool {
        let _ = seat;
        true
    }

    /// Whether a seat that is not sound was lost in a task: see [`WorkerKind::is_lost`].
    fn is_lost(&self, seat: &Self::Seat) -> bool {
        let _ = seat;
        false
    }

    /// Whether a caller may run its call on the seat of an idle worker, on its own thread
    /// ([`WorkerKind::LENDS`]): what [`run`](crate::Pool::run) tries first.
    const LENDS: bool = false;

    /// The seat is about to be lent: see [`WorkerKind::lend`].
    fn lend(&self, seat: &Self::Seat, parker: &Self::Parker) -> bool {
        let _ = (seat, parker);
        true
    }

    /// Whose seat it is. Without it, users' code that runs on a borrowed seat waits for itself when it waits for the
    /// workers to leave.
    fn lender(seat: &Self::Seat) -> Option<Lender> {
        let _ = seat;
        None
    }

    /// Whether workers may take tasks ahead of their turn: see [`WorkerKind::TAKES_AHEAD`].
    const TAKES_AHEAD: bool = false;

    /// Whether a worker with this seat may take one more: see [`WorkerKind::may_take_ahead`].
    fn may_take_ahead(&self, seat: &Self::Seat) -> bool {
        let _ = seat;
        false
    }

    /// Takes back what was announced to the seat: see [`WorkerKind::recall`].
    fn recall(&self, seat: &mut Self::Seat) -> usize {
        let _ = seat;
        0
    }

    /// How often so far a seat lost what it is made of, and got it anew within the same task. The pool's
    /// [`Stats`](crate::Stats) count each as a worker lost and one spawned.
    fn replaced_seats(&self) -> usize {
        0
    }

    /// The pool is shut down: see [`WorkerKind::closed`]. Workers of it may be opening.
    fn closed(&self) {}

    /// Ends a worker, on its own thread.
    ///
    /// # Errors
    ///
    /// What the pool breaks with: the finalizer failed, or something did before that the seat has kept.
    fn close(&self, seat: Self::Seat) -> Result<(), BrokenCause>;
}

/// Why a worker could not start, or not end well.
pub type OpenFailure = Box<dyn Error + Send + Sync>;

/// A kind that takes calls of type `C`.
#[diagnostic::on_unimplemented(
    message = "`{C}` is no call that a pool of `{Self}` takes",
    note = "a thread pool takes `FnOnce() -> T + Send + 'static`",
    note = "a process pool takes functions and closures that capture nothing; pass values as arguments, with \
            `submit_with`",
    note = "a pool of another program's workers takes a `Named` function, with its arguments"
)]
pub trait Accepts<C>: Kind {
    /// What the call returns.
    type Output: Send + 'static;
    /// The call, ready for a worker.
    type Job: Job<Self::Seat, Failure, Output = Self::Output> + 'static;

    /// Makes the call ready.
    ///
    /// # Errors
    ///
    /// With the call, if it cannot be brought to a worker.
    fn job(call: C) -> Result<Self::Job, (C, PoolError)>;

    /// The call that was made ready.
    fn call(job: Self::Job) -> C;
}

/// A kind that takes initializers and finalizers of type `F`.
#[diagnostic::on_unimplemented(
    message = "`{F}` is no initializer or finalizer that a pool of `{Self}` takes",
    note = "a thread pool takes `Fn() -> R + Send + Sync + 'static`, a process pool functions and closures that \
            capture nothing; `R` is `()` or a `Result<(), E>`"
)]
pub trait TakesHook<F>: Kind {
    /// Makes the hook ready.
    ///
    /// # Errors
    ///
    /// If no worker could call it.
    fn hook(f: F) -> Result<Self::Hook, BuildError>;
}

/// A function and its arguments, a tuple of up to six: a call where a closure would be one, too.
///
/// [`submit_with`](crate::Pool::submit_with) makes it of both. It is made by hand to be given to something else than
/// `submit`.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{ThreadPool, With};
///
/// fn divide(x: u32, y: u32) -> Result<u32, String> {
///     x.checked_div(y).ok_or_else(|| "a division by zero".to_owned())
/// }
///
/// let pool = ThreadPool::new();
/// assert_eq!(pool.submit_fallible(With::new(divide, (10, 2)))?.collect()?, 5);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct With<F, A> {
    /// The function.
    pub function: F,
    /// Its arguments.
    pub arguments: A,
}

impl<F, A> With<F, A> {
    /// A call of this function with these arguments.
    pub const fn new(function: F, arguments: A) -> Self {
        Self { function, arguments }
    }
}

/// A call whose `Err` is the task's failure: see [`submit_fallible`](crate::Pool::submit_fallible).
#[derive(Clone, Debug)]
pub struct Fallible<C>(pub C);

/// A function that is applied to each of a chunk of items: one task of a map.
///
/// Made by [`split_map_task`](crate::split_map_task) and
/// [`split_starmap_task`](crate::split_starmap_task), to be [submitted](crate::Pool::submit) to any
/// pool; its result is the `Vec` of the function's results, in the order of the items.
#[derive(Clone, Debug)]
pub struct Chunk<F, A> {
    /// The function, shared by all chunks of a map.
    pub function: Arc<F>,
    /// The items.
    pub items: Vec<A>,
}

impl<F: MapFn<A>, A> Chunk<F, A> {
    /// Applies the function to the items here and now.
    pub fn run(self) -> Vec<F::Output> {
        self.items.into_iter().map(|item| self.function.call(item)).collect()
    }
}

/// What a map can apply to items of type `A`: a function of one argument, or [`Spread`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be applied to items of type `{A}`",
    note = "`map` takes a function of one argument, `starmap` one of as many arguments as its \
            items, tuples of one to six, have parts"
)]
pub trait MapFn<A> {
    /// What it returns.
    type Output;

    /// Calls it.
    fn call(&self, item: A) -> Self::Output;
}

impl<F, A, T> MapFn<A> for F
where
    F: Fn(A) -> T,
{
    type Output = T;

    fn call(&self, item: A) -> T {
        self(item)
    }
}

/// A function of one to six arguments, as one that takes them from a tuple: what a starmap applies.
#[derive(Clone, Copy, Debug)]
pub struct Spread<F>(pub F);

/// A function that takes the arguments `A`, a tuple of up to six.
pub trait Apply<A> {
    /// What it returns.
    type Output;

    /// Calls it.
    fn apply(self, arguments: A) -> Self::Output;
}

impl<Function, Output> Apply<()> for Function
where
    Function: FnOnce() -> Output,
{
    type Output = Output;

    fn apply(self, (): ()) -> Output {
        self()
    }
}

macro_rules! apply {
    ($(($($name:ident)*))*) => {$(
        #[expect(non_snake_case, reason = "one name serves type and value")]
        impl<Function, Output, $($name),*> Apply<($($name,)*)> for Function
        where
            Function: FnOnce($($name),*) -> Output,
        {
            type Output = Output;

            fn apply(self, ($($name,)*): ($($name,)*)) -> Output {
                self($($name),*)
            }
        }

        #[expect(non_snake_case, reason = "one name serves type and value")]
        impl<Function, Output, $($name),*> MapFn<($($name,)*)> for Spread<Function>
        where
            Function: Fn($($name),*) -> Output,
        {
            type Output = Output;

            fn call(&self, ($($name,)*): ($($name,)*)) -> Output {
                (self.0)($($name),*)
            }
        }
    )*};
}

apply! {
    (A1) (A1 A2) (A1 A2 A3) (A1 A2 A3 A4) (A1 A2 A3 A4 A5) (A1 A2 A3 A4 A5 A6)
}
