//! The memory of a task, wherever it lies: header, closure or outcome, and waiter in one piece.
//!
//! # State
//! The state word says who may touch what; see `state` for the invariants S1 to S5.
//!
//! | field | touched by |
//! |---|---|
//! | `home`, `vtable`, `id` | the submitter before the push, then all, read only |
//! | `waker` | S5 |
//! | `times`, `stage` | the submitter before the push, then the resolver (S1), then the owner of the outcome (S4) |
//!
//! The stage stands behind the header as plain memory, because its type is known to the functions
//! of the task's table only; the header's cell `stage` stands for it under the model checker.
//!
//! # Modelled by
//! `loom-tests/tests/task.rs`, `loom-tests/tests/executor.rs`

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::Waker;

use super::home::Home;
use super::job::{Job, Receipt};
#[cfg(feature = "alloc")]
use super::job::{KeptJob, Label};
use super::live::Live;
use super::observers::Callbacks;
use super::running::{Clocked, Running, Withdrawn};
#[cfg(feature = "alloc")]
use super::slab::Token;
use super::state::{End, State};
use crate::clock::Instant;
use crate::sync::{LastUse, UnsafeCell, Untracked};

/// The part of a task that does not depend on its types.
pub(super) struct Header {
    pub(super) state: State,
    pub(super) vtable: &'static VTable,
    pub(super) home: *const (),
    pub(super) id: usize,
    pub(super) callbacks: Callbacks,
    pub(super) waker: UnsafeCell<Option<Waker>>,
    /// Nanoseconds: first the moment of the submit, at the end the two durations.
    pub(super) times: UnsafeCell<[u64; 2]>,
    /// Stands for the stage.
    pub(super) stage: UnsafeCell<()>,
}

impl Header {
    /// Drops what the task's parties left in it, so that the memory may serve another task.
    ///
    /// # Safety
    ///
    /// The task is reached by nobody else.
    pub(super) unsafe fn clear(&self) {
        // SAFETY: by the caller's promise.
        drop(self.waker.with_mut(|waker| unsafe { (*waker).take() }));
        // SAFETY: by the caller's promise.
        unsafe { self.callbacks.clear() };
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        let Self { state, waker, times, stage, .. } = self;
        state.last_use();
        waker.last_use();
        times.last_use();
        stage.last_use();
    }
}

/// `repr(C)`: each content starts where the union does, so a cast reaches it.
#[repr(C)]
pub(super) union Stage<J, T, E> {
    job: ManuallyDrop<J>,
    output: ManuallyDrop<T>,
    failure: ManuallyDrop<E>,
}

impl<J, T, E> Stage<J, T, E> {
    /// That of a completed task.
    pub(super) const fn of_output(output: T) -> Self {
        Self { output: ManuallyDrop::new(output) }
    }

    /// That of a pending task.
    pub(super) const fn of(job: J) -> Self {
        Self { job: ManuallyDrop::new(job) }
    }
}

#[repr(C)]
pub(super) struct Task<J, T, E> {
    pub(super) header: Header,
    stage: Untracked<Stage<J, T, E>>,
}

impl<J, T, E> Task<J, T, E> {
    /// A task of its own memory.
    #[cfg(feature = "alloc")]
    pub(super) fn new(header: Header, job: J) -> Self {
        Self { header, stage: Untracked::new(Stage::of(job)) }
    }

    /// Where the stage of the task at `task` is. Who touches it does so inside the header's `stage`.
    ///
    /// # Safety
    ///
    /// The task is live and of these types.
    pub(super) unsafe fn stage_of(task: NonNull<Header>) -> *mut Stage<J, T, E> {
        // SAFETY: the caller vouches for the task.
        unsafe { task.cast::<Self>().as_ref() }.stage.get()
    }
}

/// A task with a label: the label stands behind it, so that others pay nothing.
#[cfg(feature = "alloc")]
#[repr(C)]
pub(super) struct Labelled<J, T, E> {
    pub(super) task: Task<J, T, E>,
    pub(super) label: Label,
}

/// What depends on a task's types. A function that takes a task needs the right to what it touches: to the
/// cell before the end is published (S1), to the outcome afterwards (S4), to the memory as the last (S3). One
/// that takes a home needs it alive (`home`, *Its lifetime*).
pub(super) struct VTable {
    /// Runs the job and leaves its outcome.
    pub(super) run: unsafe fn(NonNull<Header>, seat: *mut (), &Clocked<'_>) -> End,
    /// Announces the job to the seat.
    pub(super) announce: unsafe fn(NonNull<Header>, seat: *mut ()) -> bool,
    pub(super) drop_job: unsafe fn(NonNull<Header>),
    /// Moves what is kept of the job out to a pointer.
    #[cfg(feature = "alloc")]
    pub(super) keep_job: unsafe fn(NonNull<Header>, to: *mut ()),
    /// Where the label is.
    #[cfg(feature = "alloc")]
    pub(super) label: Option<unsafe fn(NonNull<Header>) -> *const Label>,
    /// Where the stage is.
    pub(super) stage: unsafe fn(NonNull<Header>) -> *const (),
    /// Moves a failure in from a pointer.
    pub(super) put_failure: unsafe fn(NonNull<Header>, failure: *const ()),
    /// Moves the output or the failure out to a pointer.
    pub(super) take_output: unsafe fn(NonNull<Header>, to: *mut ()),
    pub(super) take_failure: unsafe fn(NonNull<Header>, to: *mut ()),
    pub(super) drop_outcome: unsafe fn(NonNull<Header>, End),
    /// Takes the output's receipt.
    pub(super) receipt: Option<unsafe fn(NonNull<Header>) -> Option<Receipt>>,
    pub(super) free: unsafe fn(NonNull<Header>),
    pub(super) is_far: bool,
    pub(super) left_pending: unsafe fn(*const ()),
    pub(super) cancelled: unsafe fn(*const (), &Withdrawn<'_>),
    pub(super) withdrawn: unsafe fn(*const ()),
    pub(super) ran_inline: unsafe fn(*const ()),
    pub(super) asks_to_stop: unsafe fn(*const ()) -> bool,
    pub(super) now: unsafe fn(*const ()) -> Instant,
    pub(super) retain: unsafe fn(*const ()),
    pub(super) release: unsafe fn(*const ()),
}

/// Types of one task, for its functions.
pub(super) struct Types<S, E, J, A>(PhantomData<(S, E, J, A)>);

impl<S, E, J: Job<S, E>, A: Home> Types<S, E, J, A> {
    pub(super) const VTABLE: VTable = VTable {
        run: Self::run,
        announce: Self::announce,
        drop_job: Self::drop_job,
        #[cfg(feature = "alloc")]
        keep_job: Self::keep_job,
        #[cfg(feature = "alloc")]
        label: if Self::LABELLED { Some(Self::label) } else { None },
        stage: Self::stage,
        put_failure: Self::put_failure,
        take_output: Self::take_output,
        take_failure: Self::take_failure,
        drop_outcome: Self::drop_outcome,
        receipt: if J::RECEIPT.is_some() { Some(Self::receipt) } else { None },
        free: Self::free,
        is_far: A::FAR,
        left_pending: Self::left_pending,
        cancelled: Self::cancelled,
        withdrawn: Self::withdrawn,
        ran_inline: Self::ran_inline,
        asks_to_stop: Self::asks_to_stop,
        now: Self::now,
        retain: Self::retain,
        release: Self::release,
    };

    /// The same for a task in a slab.
    #[cfg(feature = "alloc")]
    pub(super) const IN_SLAB: VTable = VTable { free: Self::free_in_slab, ..Self::VTABLE };

    fn with_stage<R>(task: NonNull<Header>, f: impl FnOnce(*mut Stage<J, J::Output, E>) -> R) -> R {
        // SAFETY: every function of this table is called with a live task of these types.
        let stage = unsafe { Task::stage_of(task) };
        // SAFETY: as above.
        unsafe { task.as_ref() }.stage.with_mut(|_| f(stage))
    }

    unsafe fn run(task: NonNull<Header>, seat: *mut (), clocked: &Clocked<'_>) -> End {
        // SAFETY: the caller has the right to the cell (S1), and it holds the job.
        let job = Self::with_stage(task, |stage| unsafe { take_job(stage) });
        // SAFETY: the caller's seat is an `S` that it lends for the call.
        let seat = unsafe { &mut *seat.cast::<S>() };
        let outcome = job.run_as(seat, &Running::new(Live::new(task), clocked));
        Self::with_stage(task, |stage| {
            let (content, end) = match outcome {
                Ok(output) => (Stage { output: ManuallyDrop::new(output) }, End::Completed),
                Err(failure) => (Stage { failure: ManuallyDrop::new(failure) }, End::Failed),
            };
            // SAFETY: the job was moved out, so nothing is overwritten undropped.
            unsafe { stage.write(content) };
            end
        })
    }

    unsafe fn announce(task: NonNull<Header>, seat: *mut ()) -> bool {
        // SAFETY: the caller's seat is an `S` that it lends for the call.
        let seat = unsafe { &mut *seat.cast::<S>() };
        Self::with_stage(task, |stage| {
            // SAFETY: the caller has the right to the cell (S1), and it holds the job.
            let job = unsafe { &mut *stage.cast::<J>() };
            job.announce(seat)
        })
    }

    unsafe fn drop_job(task: NonNull<Header>) {
        // SAFETY: as in `run`.
        drop(Self::with_stage(task, |stage| unsafe { take_job(stage) }));
    }

    #[cfg(feature = "alloc")]
    unsafe fn keep_job(task: NonNull<Header>, to: *mut ()) {
        // SAFETY: as in `run`.
        let job = Self::with_stage(task, |stage| unsafe { take_job(stage) });
        // SAFETY: `to` has room for it.
        unsafe { to.cast::<Option<KeptJob<S, E>>>().write(job.keep()) };
    }

    /// Whether tasks of these types are [`Labelled`].
    #[cfg(feature = "alloc")]
    pub(super) const LABELLED: bool = A::LABELS && J::LABEL.is_some();

    #[cfg(feature = "alloc")]
    unsafe fn label(task: NonNull<Header>) -> *const Label {
        let task = task.cast::<Labelled<J, J::Output, E>>().as_ptr();
        // SAFETY: the task is live, and this function is in the table of labelled tasks only.
        unsafe { &raw const (*task).label }
    }

    unsafe fn stage(task: NonNull<Header>) -> *const () {
        // SAFETY: every function of this table is called with a live task of these types.
        unsafe { Task::<J, J::Output, E>::stage_of(task) }.cast_const().cast()
    }

    unsafe fn put_failure(task: NonNull<Header>, failure: *const ()) {
        // SAFETY: the caller gives an `E` up.
        let failure = ManuallyDrop::new(unsafe { failure.cast::<E>().read() });
        // SAFETY: the caller has the right to the cell (S1), and the job is gone.
        Self::with_stage(task, |stage| unsafe { stage.write(Stage { failure }) });
    }

    unsafe fn take_output(task: NonNull<Header>, to: *mut ()) {
        Self::with_stage(task, |stage| {
            // SAFETY: the caller has the right to the outcome (S4), which is an output.
            let output = unsafe { stage.cast::<J::Output>().read() };
            // SAFETY: `to` has room for it.
            unsafe { to.cast::<J::Output>().write(output) };
        });
    }

    unsafe fn take_failure(task: NonNull<Header>, to: *mut ()) {
        Self::with_stage(task, |stage| {
            // SAFETY: the caller has the right to the outcome (S4), which is a failure.
            let failure = unsafe { stage.cast::<E>().read() };
            // SAFETY: `to` has room for it.
            unsafe { to.cast::<E>().write(failure) };
        });
    }

    unsafe fn drop_outcome(task: NonNull<Header>, end: End) {
        Self::with_stage(task, |stage| match end {
            // SAFETY: the caller has the right to the outcome (S4), which is an output.
            End::Completed => unsafe { stage.cast::<J::Output>().drop_in_place() },
            End::Failed | End::Cancelled { with_cause: true } => {
                // SAFETY: as above, and it is a failure.
                unsafe { stage.cast::<E>().drop_in_place() }
            }
            End::Cancelled { with_cause: false } => {}
        });
    }

    unsafe fn receipt(task: NonNull<Header>) -> Option<Receipt> {
        Self::with_stage(task, |stage| {
            // SAFETY: the caller has the right to the cell (S1), and left an output there.
            let output = unsafe { &mut *stage.cast::<J::Output>() };
            J::RECEIPT.and_then(|take| take(output))
        })
    }

    unsafe fn free(task: NonNull<Header>) {
        // SAFETY: the caller is the last (S3).
        let home = unsafe { task.as_ref() }.home.cast::<A>();
        #[cfg(feature = "alloc")]
        if Self::LABELLED {
            // SAFETY: S3; the task was made for this home, of this type.
            return unsafe { A::free(home, task.cast::<Labelled<J, J::Output, E>>()) };
        }
        // SAFETY: S3; the task was made for this home, of this type.
        unsafe { A::free(home, task.cast::<Task<J, J::Output, E>>()) };
    }

    #[cfg(feature = "alloc")]
    unsafe fn free_in_slab(task: NonNull<Header>) {
        if Self::LABELLED {
            // SAFETY: S3; the task is of this type.
            unsafe { task.cast::<Labelled<J, J::Output, E>>().drop_in_place() };
        } else {
            // SAFETY: S3; the task is of this type.
            unsafe { task.cast::<Task<J, J::Output, E>>().drop_in_place() };
        }
        // SAFETY: the function is in the table of tasks in slabs only, and the task is gone.
        let mut token = Some(unsafe { Token::of(task) });
        A::with_slabs(|slabs| token.take().into_iter().for_each(|token| slabs.take_back(token)));
        if let Some(token) = token {
            token.give_back();
        }
    }

    unsafe fn left_pending(home: *const ()) {
        // SAFETY: the caller knows that the home is alive.
        unsafe { &*home.cast::<A>() }.left_pending();
    }

    unsafe fn cancelled(home: *const (), task: &Withdrawn<'_>) {
        // SAFETY: the caller knows that the home is alive.
        unsafe { &*home.cast::<A>() }.cancelled(task);
    }

    unsafe fn withdrawn(home: *const ()) {
        // SAFETY: the caller knows that the home is alive.
        unsafe { &*home.cast::<A>() }.withdrawn();
    }

    unsafe fn ran_inline(home: *const ()) {
        // SAFETY: the caller keeps the home.
        unsafe { A::ran_inline(home.cast()) };
    }

    unsafe fn asks_to_stop(home: *const ()) -> bool {
        // SAFETY: the caller knows that the home is alive.
        unsafe { &*home.cast::<A>() }.asks_to_stop()
    }

    unsafe fn now(home: *const ()) -> Instant {
        // SAFETY: the caller knows that the home is alive.
        unsafe { &*home.cast::<A>() }.now()
    }

    unsafe fn retain(home: *const ()) {
        // SAFETY: the caller knows that the home is alive.
        unsafe { A::retain(home.cast()) };
    }

    unsafe fn release(home: *const ()) {
        // SAFETY: the caller gives a retained reference back.
        unsafe { A::release(home.cast()) };
    }
}

/// Moves the job out.
///
/// # Safety
///
/// The caller has the right to the cell (S1), and it holds the job.
pub(super) unsafe fn take_job<J, T, E>(stage: *const Stage<J, T, E>) -> J {
    // SAFETY: by the caller's promise.
    unsafe { stage.cast::<J>().read() }
}
