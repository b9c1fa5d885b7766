//! Submits.

use core::time::Duration;

use asyncpal_core::task::{Job, Label};

use super::Pool;
use super::admission::{Patience, Wait};
use super::room::Room;
use crate::clock::Deadline;
use crate::error::{PoolError, SubmitError, TaskError};
use crate::failure::Failure;
use crate::handle::Handle;
use crate::kind::{Accepts, Fallible, Kind, With};
use crate::observe::Labelled;

/// The handle of a submitted call, or the call back.
pub type Submitted<K, C> = Result<Handle<<K as Accepts<C>>::Output>, SubmitError<C>>;

/// What a submit does while as many tasks are pending as the pool's capacity allows.
///
/// A [map](crate::Map) has no use for items that are refused or dropped: of these policies it follows
/// `RunHere`, and else waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits until there is room. A worker of the pool does not wait for itself: it runs the task
    /// on the spot. In a pool of processes, whose workers' own threads run callbacks and hooks but no
    /// tasks, the task is taken although there is no room; so it is in a hook that is called by who
    /// [runs](Pool::run) a task on an idle worker's process, or settles a worker that could not be spawned.
    #[default]
    Wait,
    /// It gives the call back ([`PoolError::Full`]).
    Reject,
    /// The caller runs the task itself: it is over when the submit returns. It runs on the caller's thread, so
    /// without what the initializer has done there, and `join`, `shutdown` and the end of the program do not wait for
    /// it unless the caller is a worker. For pools of threads.
    #[doc(alias = "CallerRuns")]
    RunHere,
    /// The oldest pending task is cancelled in favour of this one.
    DropOldest,
    /// This task is cancelled: its handle says so.
    DropNewest,
}

impl<K: Kind> Pool<K> {
    /// Submits a call: a closure, or for a pool of processes a function without arguments.
    ///
    /// If the pool has a [capacity](crate::Builder::capacity) and is full,
    /// [its policy](crate::Builder::when_full) says what happens: by default the submit waits.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] gives the call back: the pool is closed, broken or full, or there is no worker
    /// and none could be spawned.
    pub fn submit<C>(&self, call: C) -> Submitted<K, C>
    where
        K: Accepts<C>,
    {
        self.submit_as(call, Patience::Policy(self.inner.plan.when_full))
    }

    /// Submits a call whose result nobody wants: as [`submit`](Pool::submit) does, but there is no handle, and
    /// no clock is read for the task unless the pool has a [hook](crate::Builder::on_event) or
    /// [measures times](crate::Builder::measure_times).
    ///
    /// The task runs even if nobody refers to it. Its failure is reported like
    /// [any other that nobody collects](crate::Builder::on_uncollected).
    ///
    /// # Errors
    ///
    /// As [`submit`](Pool::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use asyncpal::ThreadPool;
    ///
    /// let pool = ThreadPool::new();
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// pool.spawn(move || sender.send("done").unwrap())?;
    /// assert_eq!(receiver.recv()?, "done");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[doc(alias = "execute")]
    #[doc(alias = "fire and forget")]
    pub fn spawn<C>(&self, call: C) -> Result<(), SubmitError<C>>
    where
        K: Accepts<C>,
    {
        let job = K::job(call).map_err(|(call, reason)| SubmitError { call, reason })?;
        let spawned = self.inner.spawn(job, Patience::Policy(self.inner.plan.when_full));
        spawned.map_err(|(job, reason)| SubmitError { call: K::call(job), reason })
    }

    /// Submits a call if there is room, whatever the policy.
    ///
    /// # Errors
    ///
    /// As [`submit`](Pool::submit).
    pub fn try_submit<C>(&self, call: C) -> Submitted<K, C>
    where
        K: Accepts<C>,
    {
        self.submit_as(call, Patience::Policy(WhenFull::Reject))
    }

    /// Submits a call, waiting for room at most so long, whatever the policy.
    ///
    /// # Errors
    ///
    /// As [`submit`](Pool::submit).
    pub fn submit_timeout<C>(&self, call: C, timeout: Duration) -> Submitted<K, C>
    where
        K: Accepts<C>,
    {
        self.submit_as(call, Patience::Until(Deadline::after(timeout)))
    }

    /// Submits a call; if the pool is full it waits, whatever the policy but `RunHere`.
    pub(crate) fn submit_waiting<C>(&self, call: C, wait: Wait<'_>) -> Submitted<K, C>
    where
        K: Accepts<C>,
    {
        self.submit_as(call, Patience::Wait(wait))
    }

    /// Whether as many tasks are pending as the capacity allows: a snapshot.
    pub(crate) fn is_full(&self) -> bool {
        self.inner.staff().room.as_ref().is_some_and(Room::is_full)
    }

    fn submit_as<C>(&self, call: C, patience: Patience<'_>) -> Submitted<K, C>
    where
        K: Accepts<C>,
    {
        let job = K::job(call).map_err(|(call, reason)| SubmitError { call, reason })?;
        let submitted = self.inner.submit(job, patience);
        submitted.map_err(|(job, reason)| SubmitError { call: K::call(job), reason })
    }

    /// Submits a job that borrows, as the pool's policy says, or gives it back.
    ///
    /// # Safety
    ///
    /// As of `Executor::submit_borrowing`.
    pub(crate) unsafe fn submit_borrowing<J: Job<K::Seat, Failure>>(
        &self,
        job: J,
    ) -> Result<Handle<J::Output>, (J, PoolError)> {
        // SAFETY: as of the caller.
        unsafe { self.inner.submit_borrowing(job, Patience::Policy(self.inner.plan.when_full)) }
    }

    /// The engine by address, as its workers and tasks know it.
    pub(crate) fn home(&self) -> *const () {
        self.inner.home()
    }

    /// How many tasks may be pending; `None`: as many as memory holds.
    pub fn capacity(&self) -> Option<usize> {
        self.inner.plan.capacity
    }

    /// Submits a function with its arguments, a tuple of up to six.
    ///
    /// The arguments own what they consist of, in particular those of a process pool, which travel: a `String`, not
    /// a `&str`.
    ///
    /// # Errors
    ///
    /// As [`submit`](Pool::submit); a pool of processes also refuses arguments that it cannot
    /// encode.
    pub fn submit_with<F, A>(&self, function: F, arguments: A) -> Submitted<K, With<F, A>>
    where
        K: Accepts<With<F, A>>,
    {
        self.submit(With::new(function, arguments))
    }

    /// Submits a call that returns a `Result`, so that its `Err` is the task's failure
    /// ([`TaskError::Failed`], which the error can be had of by [`downcast_ref`](TaskError::downcast_ref)) and not a
    /// nested result. A function with arguments is submitted as a [`With`].
    ///
    /// # Errors
    ///
    /// As [`submit`](Pool::submit).
    pub fn submit_fallible<C>(&self, call: C) -> Submitted<K, Fallible<C>>
    where
        K: Accepts<Fallible<C>>,
    {
        self.submit(Fallible(call))
    }

    /// Submits a call with a label: see [`Labelled`].
    ///
    /// # Errors
    ///
    /// As [`submit`](Pool::submit).
    pub fn submit_labelled<C>(&self, label: impl Into<Label>, call: C) -> Submitted<K, Labelled<C>>
    where
        K: Accepts<C>,
    {
        self.submit::<Labelled<C>>(Labelled::new(label, call))
    }

    /// Submits a call and waits for its result.
    ///
    /// On a pool of processes the calling thread borrows an idle worker, if there is one and no task is
    /// pending, and exchanges request and reply itself: no other thread is woken. For so long that worker counts as the
    /// caller's own: users' code that runs there (a hook, a `Deserialize`, a destructor of an argument) may
    /// [`shutdown`](Pool::shutdown) or [`join`](Pool::join) the pool, which then waits for the others only.
    ///
    /// # Errors
    ///
    /// [`TaskError`], as of [`Handle::collect`]; [`TaskError::Rejected`] if the submit failed.
    pub fn run<C>(&self, call: C) -> Result<K::Output, TaskError>
    where
        K: Accepts<C>,
    {
        let mut job = K::job(call).map_err(|(call, reason)| SubmitError { call, reason })?;
        if K::LENDS {
            job = match self.inner.run_on_idle(job) {
                Ok(handle) => return handle.map_err(TaskError::Rejected)?.collect(),
                Err(job) => job,
            };
        }
        let submitted = self.inner.submit(job, Patience::Policy(self.inner.plan.when_full));
        submitted.map_err(|(_, reason)| TaskError::Rejected(reason))?.collect()
    }
}
