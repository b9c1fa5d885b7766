//! A job: what a task is made of.

use core::ptr::NonNull;

use super::running::Running;

/// What a worker with a seat of type `S` can run; a failure is an `E`.
pub trait Job<S, E>: Send {
    /// What it returns.
    type Output: Send;

    /// Takes the output's receipt out of it: for outputs that must not be touched for longer than
    /// somebody waits. Called once per output, by whoever ran the job, before the output is
    /// published.
    const RECEIPT: Option<TakeReceipt<Self::Output>> = None;

    /// Copies the task's label out of the job, for tasks that have one: once, when the task is made.
    /// Only tasks on the heap keep it.
    #[cfg(feature = "alloc")]
    const LABEL: Option<TakeLabel<Self>> = None;

    /// Runs. It must not unwind: the core cannot catch, and the task would never end.
    fn run(self, seat: &mut S) -> Result<Self::Output, E>;

    /// What the engine calls: as `run`, for a job that wants to know whether it should stop.
    fn run_as(self, seat: &mut S, this: &Running<'_>) -> Result<Self::Output, E>
    where
        Self: Sized,
    {
        let _ = this;
        self.run(seat)
    }

    /// Sends the job ahead to the seat on which it will run after what is on its way there already; false
    /// if that cannot be now. It may have been announced before, to this seat or to another one: then it
    /// was not begun there, unless this one says that it still has it. It must not unwind.
    ///
    /// Only for kinds that [take tasks ahead](crate::executor::WorkerKind::TAKES_AHEAD).
    fn announce(&mut self, seat: &mut S) -> bool {
        let _ = seat;
        false
    }

    /// What is kept of a job whose task its pool cancels, for somebody to run it elsewhere; `None`:
    /// nothing. A job that borrows keeps nothing.
    #[cfg(feature = "alloc")]
    fn keep(self) -> Option<KeptJob<S, E>>
    where
        Self: Sized,
    {
        None
    }
}

/// What a task is called.
#[cfg(feature = "alloc")]
pub type Label = alloc::borrow::Cow<'static, str>;

/// Copies the label out of a job of type `J`.
#[cfg(feature = "alloc")]
pub type TakeLabel<J> = fn(&J) -> Label;

/// A job of any type whose task was cancelled.
#[cfg(feature = "alloc")]
pub type KeptJob<S, E> = alloc::boxed::Box<dyn AnyJob<S, E>>;

/// A job of any type.
#[cfg(feature = "alloc")]
pub trait AnyJob<S, E>: Send {
    /// Runs, as that task or as none, and drops what it returns.
    ///
    /// # Errors
    ///
    /// The job's failure.
    fn run_boxed(
        self: alloc::boxed::Box<Self>,
        seat: &mut S,
        this: Option<&Running<'_>>,
    ) -> Result<(), E>;
}

#[cfg(feature = "alloc")]
impl<S, E, J: Job<S, E>> AnyJob<S, E> for J {
    fn run_boxed(
        self: alloc::boxed::Box<Self>,
        seat: &mut S,
        this: Option<&Running<'_>>,
    ) -> Result<(), E> {
        let output = match this {
            None => (*self).run(seat),
            Some(this) => (*self).run_as(seat, this),
        };
        output.map(drop)
    }
}

/// Takes its receipt out of an output of type `T`.
pub type TakeReceipt<T> = fn(&mut T) -> Option<Receipt>;

/// Dropped when the thread that ran a job has touched its output for the last time: the output is
/// gone, or is the handle's alone.
#[derive(Debug)]
pub struct Receipt {
    holder: NonNull<()>,
    hand_in: unsafe fn(NonNull<()>),
}

impl Receipt {
    /// A receipt that calls `hand_in` with `holder`, once.
    ///
    /// # Safety
    ///
    /// That call is sound, on any thread, for as long as the receipt is there.
    pub unsafe fn new(holder: NonNull<()>, hand_in: unsafe fn(NonNull<()>)) -> Self {
        Self { holder, hand_in }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        // SAFETY: `new`'s caller vouches for the call; a drop comes once.
        unsafe { (self.hand_in)(self.holder) };
    }
}
