//! The memory of a task on the heap: one allocation for header, closure or outcome, and waiter.
//!
//! # State
//! The state word says who may touch what; see `state` for the invariants S1 to S5.
//!
//! | field | touched by |
//! |---|---|
//! | `home`, `vtable`, `id` | all, read only |
//! | `waker` | S5 |
//! | `times`, `stage` | the submitter before the push, then the resolver (S1), then the owner of the outcome (S4) |
//!
//! # The home's lifetime
//! A task does not count references to its engine (two contended writes per task saved). The
//! engine is there whenever it is touched:
//! - a worker, and a worker that waits, hold the engine themselves;
//! - a canceller touches it between `begin_cancel` and `publish`. While the entry is in the queue
//!   the engine cannot go, since it empties its queue first. Whoever pops an entry that is not
//!   pending *retains* the engine before `discard_entry`; if that finds the canceller still at
//!   its accounts, it leaves the retained reference to it, and `publish` tells the canceller so.
//!
//! # Modelled by
//! `loom-tests/tests/task.rs`, `loom-tests/tests/executor.rs`

use alloc::boxed::Box;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::task::Waker;
use core::time::Duration;

use super::observers::Observers;
use super::state::{End, Goodbye, Snapshot, State};
use crate::clock::Instant;
use crate::queue::Pointer;
use crate::sync::{AtomicPtr, LastUse, UnsafeCell};

/// What a worker with a seat of type `S` can run; a failure is an `E`.
pub trait Job<S, E>: Send {
    /// What it returns.
    type Output: Send;

    /// Runs. It must not unwind: the core cannot catch, and the task would never end.
    fn run(self, seat: &mut S) -> Result<Self::Output, E>;
}

/// The engine, as its tasks see it.
///
/// # Safety
///
/// `retain` keeps the value alive until the matching `release`.
pub(crate) unsafe trait Account: Sync {
    /// A task was cancelled or claimed by a waiter: its entry is a stub from now on.
    fn withdrawn(&self);

    /// The present moment.
    fn now(&self) -> Instant;

    /// Takes a reference.
    ///
    /// # Safety
    ///
    /// The value is alive.
    unsafe fn retain(this: *const Self);

    /// Gives a reference back.
    ///
    /// # Safety
    ///
    /// The reference was retained, and is given back once.
    unsafe fn release(this: *const Self);
}

/// The part of a task that does not depend on its types.
pub(super) struct Header {
    pub(super) state: State,
    vtable: &'static VTable,
    pub(super) home: *const (),
    pub(super) id: usize,
    pub(super) observers: AtomicPtr<Observers>,
    pub(super) waker: UnsafeCell<Option<Waker>>,
    /// Nanoseconds: first the moment of the submit, at the end the two durations.
    times: UnsafeCell<[u64; 2]>,
}

/// `repr(C)`: each content starts where the union does, so a cast reaches it.
#[repr(C)]
union Stage<J, T, E> {
    job: ManuallyDrop<J>,
    output: ManuallyDrop<T>,
    failure: ManuallyDrop<E>,
}

#[repr(C)]
struct Task<J, T, E> {
    header: Header,
    stage: UnsafeCell<Stage<J, T, E>>,
}

/// What depends on a task's types. Every function needs the right that its line in the table of
/// `state` gives.
struct VTable {
    /// Runs the job and leaves its outcome.
    run: unsafe fn(NonNull<Header>, seat: *mut ()) -> End,
    drop_job: unsafe fn(NonNull<Header>),
    /// Moves a failure in from a pointer.
    put_failure: unsafe fn(NonNull<Header>, failure: *const ()),
    /// Moves the output or the failure out to a pointer.
    take_output: unsafe fn(NonNull<Header>, to: *mut ()),
    take_failure: unsafe fn(NonNull<Header>, to: *mut ()),
    drop_outcome: unsafe fn(NonNull<Header>, End),
    free: unsafe fn(NonNull<Header>),
    withdrawn: unsafe fn(*const ()),
    now: unsafe fn(*const ()) -> Instant,
    retain: unsafe fn(*const ()),
    release: unsafe fn(*const ()),
}

/// Types of one task, for its functions.
struct Types<S, E, J, A>(PhantomData<(S, E, J, A)>);

impl<S, E, J: Job<S, E>, A: Account> Types<S, E, J, A> {
    const VTABLE: VTable = VTable {
        run: Self::run,
        drop_job: Self::drop_job,
        put_failure: Self::put_failure,
        take_output: Self::take_output,
        take_failure: Self::take_failure,
        drop_outcome: Self::drop_outcome,
        free: Self::free,
        withdrawn: Self::withdrawn,
        now: Self::now,
        retain: Self::retain,
        release: Self::release,
    };

    fn with_stage<R>(task: NonNull<Header>, f: impl FnOnce(*mut Stage<J, J::Output, E>) -> R) -> R {
        let task = task.cast::<Task<J, J::Output, E>>();
        // SAFETY: every function of this table is called with a live task of these types.
        unsafe { task.as_ref() }.stage.with_mut(f)
    }

    unsafe fn run(task: NonNull<Header>, seat: *mut ()) -> End {
        // SAFETY: the caller has the right to the cell (S1), and it holds the job.
        let job = Self::with_stage(task, |stage| unsafe { take_job(stage) });
        // SAFETY: the caller's seat is an `S` that it lends for the call.
        let outcome = job.run(unsafe { &mut *seat.cast::<S>() });
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

    unsafe fn drop_job(task: NonNull<Header>) {
        // SAFETY: as in `run`.
        drop(Self::with_stage(task, |stage| unsafe { take_job(stage) }));
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

    unsafe fn free(task: NonNull<Header>) {
        // SAFETY: the caller is the last (S3), and the task came from a box.
        let mut task = unsafe { Box::from_raw(task.cast::<Task<J, J::Output, E>>().as_ptr()) };
        let Header { state, observers, waker, times, .. } = &mut task.header;
        state.last_use();
        observers.last_use();
        waker.last_use();
        times.last_use();
        task.stage.last_use();
        // SAFETY: as above.
        unsafe { Observers::free(&task.header.observers) };
    }

    unsafe fn withdrawn(home: *const ()) {
        // SAFETY: the caller knows that the home is alive.
        unsafe { &*home.cast::<A>() }.withdrawn();
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
unsafe fn take_job<J, T, E>(stage: *const Stage<J, T, E>) -> J {
    // SAFETY: by the caller's promise.
    unsafe { stage.cast::<J>().read() }
}

/// A task that is live: what its three parties do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Live(NonNull<Header>);

impl Live {
    pub(super) fn header(&self) -> &Header {
        // SAFETY: S3: a party that has not said goodbye keeps the task, and `Live` is used by
        // parties only.
        unsafe { self.0.as_ref() }
    }

    /// Runs the job. The caller claimed the task (T1, T2).
    ///
    /// # Safety
    ///
    /// `S` is the seat's type for which the task was made.
    pub(super) unsafe fn run<S>(self, seat: &mut S) -> End {
        // SAFETY: the caller claimed the task and vouches for the seat's type.
        unsafe { (self.header().vtable.run)(self.0, ptr::from_mut(seat).cast()) }
    }

    /// Writes the durations of a task that ran. The caller is its resolver.
    pub(super) fn ran(self, started: Instant, ended: Instant) {
        self.header().times.with_mut(|times| {
            // SAFETY: S1: the resolver alone touches the cell.
            let times = unsafe { &mut *times };
            let pending = started.since(Instant::from_nanos(times[0]));
            *times = [as_nanos(pending), as_nanos(ended.since(started))];
        });
    }

    /// The two durations. The caller saw an end.
    pub(super) fn durations(self) -> [Duration; 2] {
        // SAFETY: after the publication nobody writes them.
        let times = self.header().times.with(|times| unsafe { *times });
        times.map(Duration::from_nanos)
    }

    /// T3: cancels a pending task: drops its job, or gives it to `with_job`; false if the task is
    /// not pending.
    pub(super) fn cancel<E>(
        self,
        cause: Option<E>,
        with_job: Option<&mut dyn FnMut(Self)>,
    ) -> bool {
        let header = self.header();
        if !header.state.begin_cancel() {
            return false;
        }
        let mut ending = Ending { task: self, end: End::Cancelled { with_cause: false } };
        match with_job {
            Some(with_job) => with_job(self),
            // SAFETY: S1: this thread left pending.
            None => unsafe { (header.vtable.drop_job)(self.0) },
        }
        if let Some(cause) = cause {
            let cause = ManuallyDrop::new(cause);
            // SAFETY: S1, the job is gone, and the failure is given up.
            unsafe { (header.vtable.put_failure)(self.0, (&raw const cause).cast()) };
            ending.end = End::Cancelled { with_cause: true };
        }
        true
    }

    /// Moves the job out of a task that this thread is cancelling.
    ///
    /// # Safety
    ///
    /// The task was made with these types.
    pub(super) unsafe fn take_job<J, T, E>(self) -> J {
        let task = self.0.cast::<Task<J, T, E>>();
        // SAFETY: the caller vouches for the types.
        let stage = unsafe { &task.as_ref().stage };
        // SAFETY: S1: this thread left pending and has not touched the cell.
        stage.with_mut(|stage| unsafe { take_job(stage) })
    }

    /// The entry of a withdrawn task is a stub. The caller knows that the home is alive.
    pub(super) fn withdrawn(self) {
        let header = self.header();
        // SAFETY: see the module's documentation on the home's lifetime.
        unsafe { (header.vtable.withdrawn)(header.home) };
    }

    /// The moment by the home's clock. The caller knows that the home is alive.
    pub(super) fn now(self) -> Instant {
        let header = self.header();
        // SAFETY: see the module's documentation on the home's lifetime.
        unsafe { (header.vtable.now)(header.home) }
    }

    /// T4, T5: publishes the end, tells the waiter and the callbacks. The value found.
    pub(super) fn publish(self, end: End) -> Snapshot {
        let header = self.header();
        let before = header.state.publish(end);
        if !State::must_settle(before) {
            return before;
        }
        if before.is_waited_for() {
            // SAFETY: S5: the end is published and `WAITER` was set, so the slot is the resolver's.
            let waker = header.waker.with_mut(|waker| unsafe { (*waker).take() });
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        if before.is_observed() {
            if let Some(observers) = Observers::get(&header.observers) {
                observers.run_all(header.state.get().status());
            }
        }
        if before.has_no_handle() {
            // SAFETY: S4: there is no handle, so the outcome is the resolver's.
            unsafe { (header.vtable.drop_outcome)(self.0, end) };
        }
        self.after(header.state.settle());
        before
    }

    /// Frees the task if that goodbye was the last.
    pub(super) fn after(self, goodbye: Goodbye) {
        if goodbye == Goodbye::Last {
            self.free();
        }
    }

    /// Frees the task. The caller is the last (S3).
    pub(super) fn free(self) {
        // SAFETY: S3.
        unsafe { (self.header().vtable.free)(self.0) };
    }

    /// Drops the outcome of a task that is over. The caller has the right to it (S4).
    pub(super) fn drop_outcome(self, end: End) {
        // SAFETY: S4.
        unsafe { (self.header().vtable.drop_outcome)(self.0, end) };
    }

    /// Moves the output (`FAILURE` false) or the failure out.
    ///
    /// # Safety
    ///
    /// The caller has the right to the outcome (S4), `R` is its type, and it is moved out once.
    pub(super) unsafe fn take_outcome<R, const FAILURE: bool>(self) -> R {
        let vtable = self.header().vtable;
        let take = if FAILURE { vtable.take_failure } else { vtable.take_output };
        let mut to = core::mem::MaybeUninit::<R>::uninit();
        // SAFETY: by the caller's promise.
        unsafe { take(self.0, to.as_mut_ptr().cast()) };
        // SAFETY: it was just written.
        unsafe { to.assume_init() }
    }
}

/// A cancellation that must be published, whatever the job's destructor does.
struct Ending {
    task: Live,
    end: End,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Header { vtable, home, .. } = *self.task.header();
        let now = self.task.now();
        self.task.ran(now, now);
        self.task.withdrawn();
        if self.task.publish(self.end).has_no_entry() {
            // SAFETY: the entry was discarded while this thread was at its accounts, so a retained
            // reference was left to it.
            unsafe { (vtable.release)(home) };
        }
    }
}

fn as_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes a task of `job` whose home is `home`; returns its two references.
pub(crate) fn new_task<S, E, J: Job<S, E>, A: Account>(
    job: J,
    home: *const A,
    id: usize,
    submitted: Instant,
) -> (TaskRef<S, E>, super::Handle<J::Output, E>) {
    let task: Box<Task<J, J::Output, E>> = Box::new(Task {
        header: Header {
            state: State::new(),
            vtable: &Types::<S, E, J, A>::VTABLE,
            home: home.cast(),
            id,
            observers: AtomicPtr::new(ptr::null_mut()),
            waker: UnsafeCell::new(None),
            times: UnsafeCell::new([submitted.as_nanos(), 0]),
        },
        stage: UnsafeCell::new(Stage { job: ManuallyDrop::new(job) }),
    });
    let live = Live(NonNull::from(Box::leak(task)).cast());
    (TaskRef(live, PhantomData), super::Handle::new(live))
}

/// The queue's reference to a task, its *entry*. Dropping it cancels the task.
pub struct TaskRef<S, E>(Live, PhantomData<fn(&mut S) -> E>);

// SAFETY: the job and what it returns are `Send`; the rest of a task is made for sharing.
unsafe impl<S, E: Send> Send for TaskRef<S, E> {}

// SAFETY: a header starts with words, so its address is aligned to at least 4.
unsafe impl<S, E: Send> Pointer for TaskRef<S, E> {
    fn into_raw(self) -> NonNull<()> {
        ManuallyDrop::new(self).0.0.cast()
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self(Live(raw.cast()), PhantomData)
    }
}

/// What a popped entry was.
#[must_use]
pub(crate) enum Popped<S, E> {
    /// A pending task, now this worker's.
    Claimed(Claimed<S, E>),
    /// What a cancellation or an inline claim left.
    Stub,
}

impl<S, E> TaskRef<S, E> {
    /// T1 or T6.
    pub(crate) fn claim(self) -> Popped<S, E> {
        if self.0.header().state.claim_popped() {
            Popped::Claimed(Claimed(ManuallyDrop::new(self).0, PhantomData))
        } else {
            Popped::Stub
        }
    }

    /// Cancels the task because of `cause`; nothing if it is a stub.
    pub(crate) fn cancel(self, cause: Option<E>) {
        self.0.cancel(cause, None);
    }
}

impl<S, E> Drop for TaskRef<S, E> {
    fn drop(&mut self) {
        // Without an entry nobody would come to resolve a pending task.
        self.0.cancel(None::<E>, None);
        let Header { vtable, home, ref state, .. } = *self.0.header();
        // SAFETY: the entry came out of the home's queue, or did not get in yet: the home is alive.
        unsafe { (vtable.retain)(home) };
        let (goodbye, canceller_at_accounts) = state.discard_entry();
        if !canceller_at_accounts {
            // SAFETY: retained above.
            unsafe { (vtable.release)(home) };
        }
        self.0.after(goodbye);
    }
}

/// A task that this worker must run.
#[must_use]
pub(crate) struct Claimed<S, E>(Live, PhantomData<fn(&mut S) -> E>);

impl<S, E> Claimed<S, E> {
    /// Runs it; its end is not published yet.
    pub(crate) fn run(self, seat: &mut S) -> Finished {
        // SAFETY: the types are those with which the task was made, kept since by `TaskRef`.
        let end = unsafe { self.0.run(seat) };
        Finished { task: self.0, end }
    }
}

/// A task that has run and whose end is published when this is dropped.
#[must_use]
pub struct Finished {
    task: Live,
    end: End,
}

// SAFETY: a finished task's resolver may be any thread: outcome and callbacks are `Send`.
unsafe impl Send for Finished {}

impl Finished {
    /// For a task that was claimed inline.
    pub(super) fn new(task: Live, end: End) -> Self {
        Self { task, end }
    }

    /// Notes when it ran.
    pub(crate) fn ran(&self, started: Instant, ended: Instant) {
        self.task.ran(started, ended);
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        let _ = self.task.publish(self.end);
    }
}
