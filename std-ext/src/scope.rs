//! Tasks that borrow from their caller's stack.
//!
//! # Claim
//! No closure, output or handle that borrows what a scope may borrow is run, read, written or
//! dropped after [`Pool::scope`] has returned or unwound; and callbacks, which are kept by a task
//! until it is over, cannot borrow at all.
//!
//! # Why
//! Everything that borrows for `'scope` is at each moment in one of these places:
//! - **B1** *with the body*: captured by it, or local to it, or to what it calls. The body is over
//!   when `scope` begins to wait; if it unwinds, the unwinding is caught, and goes on at the end.
//! - **B2** *with a task*: its closure until that has been called or dropped, and its output until
//!   the thread that ran the task has touched it for the last time. All that time the task has a
//!   *ticket*, which travels with the closure, then with the output, and lastly as the *receipt* of
//!   the worker loop, which hands it in only after the output was published and, if the handle was
//!   gone by then, dropped. The scope waits for all tickets, and each goes by being dropped, so no
//!   way to end a task forgets it: run, panic, cancellation by whomever (the handle, a shutdown, a
//!   breaking pool, a failed spawn), refusal of the submit.
//! - **B3** *with a handle*: an output that was published while the handle was there is touched
//!   through the handle only (invariant S4 of the core's task state). A handle borrows for `'scope`
//!   itself, so it is in one of these places, too. If it is leaked, or part of a cycle, then its
//!   output is never touched again by anybody: the queue's reference to a task touches no outcome.
//! - **B4** *with the list* of a scope whose caller is a worker of the pool: a second reference to the
//!   task, under which there is never an output (B6 of `wanted`): what is dropped with the list touches nothing.
//! - **B5** *in the parent*, if the body has forked and this is the child: the tasks run there, on their
//!   parent's memory. Here is no thread to run them, and the pool is neither used nor freed; so the
//!   scope ends at once.
//!
//! `'scope` cannot be named outside the body, so a thing that borrows for it gets to no other place:
//! not into the body's result, a variable outside, another thread, or a task of another scope that
//! ends later.
//!
//! Panics of destructors are noted as panics of tasks, so no unwinding takes a short cut. Should the
//! wait itself unwind, the program is aborted.
//!
//! # Nested waits
//! A worker that waits for the end of its scope must not leave the scope's pending tasks to others:
//! there may be none. So the scope of such a caller keeps a list of its tasks, and the caller runs
//! those that are pending, oldest first. A submit that comes while it sleeps wakes it; it does not
//! sleep through one, since the list is changed before the caller's waker is looked for, and the
//! waker is left before the list is looked at, each under a lock. Other scopes have no list.
//!
//! # Modelled by
//! `loom-tests/tests/pool/scope.rs`

mod handle;
mod held;
mod ledger;
mod wanted;

use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, needs_drop};
use core::panic::AssertUnwindSafe;
use std::collections::VecDeque;
use std::panic::resume_unwind;

use asyncpal_core::task::{Job, Label, TakeReceipt};

use self::handle::Reference;
pub use self::handle::ScopedHandle;
use self::held::Held;
use self::ledger::Ledger;
use self::wanted::Wanted;
use crate::contain::contain;
use crate::current::CurrentWorker;
use crate::error::{PoolError, SubmitError};
use crate::failure::Failure;
use crate::handle::Handle;
use crate::observe::{Labelled, LabelledJob};
use crate::pool::Pool;
use crate::sync::panic::catch_unwind;
use crate::sync::{Arc, Mutex, lock};
use crate::threads::{ThreadSeat, Threads};
use crate::watcher::Generation;

impl Pool<Threads> {
    /// Calls `body` with a scope, whose tasks may borrow whatever outlives this call; returns when
    /// `body` and all those tasks are over.
    ///
    /// Tasks of a scope can submit to it, too. A task whose handle was dropped or forgotten runs all
    /// the same and is waited for. If the caller is a worker of this pool, it runs what is pending
    /// itself, so scopes nest on a pool of one worker.
    ///
    /// A shutdown meanwhile cancels the tasks that are pending, as ever, and the scope ends after
    /// those that run. The wait has no time limit: without it there would be no borrowing.
    ///
    /// # Panics
    ///
    /// If `body` panics, with its panic. Else, if tasks panicked and nobody
    /// [collected](ScopedHandle::collect) that, with the first such panic. Both come after all tasks
    /// are over. A destructor of a closure or of a result that panics in the scope's hands counts as
    /// a panic of its task.
    ///
    /// # Examples
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use asyncpal::ThreadPool;
    ///
    /// let pool = ThreadPool::new();
    /// let mut numbers = vec![3, 1, 2];
    /// let mut greeting = String::from("hello");
    ///
    /// let sum = pool.scope(|scope| {
    ///     let sorted = scope.submit(|| {
    ///         numbers.sort();
    ///         numbers.iter().sum::<i32>()
    ///     })?;
    ///     scope.submit(|| greeting.push_str(", world"))?;
    ///     sorted.collect()
    /// })?;
    ///
    /// assert_eq!((sum, numbers, &*greeting), (6, vec![1, 2, 3], "hello, world"));
    /// # Ok::<(), asyncpal::TaskError>(())
    /// ```
    ///
    /// What is local to the body does not live long enough to be borrowed by a task:
    ///
    /// ```compile_fail,E0373
    /// # extern crate asyncpal_std as asyncpal;
    /// # let pool = asyncpal::ThreadPool::new();
    /// pool.scope(|scope| {
    ///     let local = String::from("gone before the task is");
    ///     drop(scope.submit(|| local.len()));
    /// });
    /// ```
    ///
    /// A handle cannot leave the body, neither as its result nor through a variable:
    ///
    /// ```compile_fail
    /// # extern crate asyncpal_std as asyncpal;
    /// # let pool = asyncpal::ThreadPool::new();
    /// let escaped = pool.scope(|scope| scope.submit(|| 1).expect("the pool is open"));
    /// ```
    ///
    /// ```compile_fail,E0521
    /// # extern crate asyncpal_std as asyncpal;
    /// # let pool = asyncpal::ThreadPool::new();
    /// let mut escaped = None;
    /// pool.scope(|scope| escaped = scope.submit(|| 1).ok());
    /// ```
    pub fn scope<'env, F, R>(&'env self, body: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let is_worker = CurrentWorker::of(self.home()).is_some_and(|worker| worker.inline);
        let scope = Scope {
            ledger: Ledger::new(),
            pool: self,
            list: is_worker.then(|| ManuallyDrop::new(Mutex::new(VecDeque::new()))),
            scope: PhantomData,
            generation: Generation::current(),
        };
        let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
        if catch_unwind(AssertUnwindSafe(|| scope.end())).is_err() {
            // Tasks may still run, and borrow.
            std::process::abort();
        }
        if scope.generation.is_past() {
            // B5.
            return result.unwrap_or_else(|payload| resume_unwind(payload));
        }
        let mut panics = scope.ledger.take_uncollected();
        let first = match &result {
            Ok(_) => panics.next(),
            Err(_) => None,
        };
        // Payloads that panic when they are dropped have had their say.
        panics.for_each(|payload| contain(|| drop(payload)));
        match (result, first) {
            (Err(payload), _) | (Ok(_), Some(payload)) => resume_unwind(payload),
            (Ok(value), None) => value,
        }
    }
}

/// Where tasks are submitted that borrow from the caller of [`Pool::scope`].
///
/// `'scope` is the scope's own life: what tasks may borrow outlives it. `'env` is what is outside
/// of the scope.
pub struct Scope<'scope, 'env: 'scope> {
    ledger: Ledger,
    pool: &'env Pool<Threads>,
    /// B4. Empty when the scope is over, so nothing is left to drop.
    list: Option<ManuallyDrop<List<'scope>>>,
    /// The process in which its tasks run.
    generation: Generation,
    /// Neither may be shortened: a task would borrow for less than the scope lasts.
    scope: PhantomData<&'scope mut &'scope ()>,
}

type List<'scope> = Mutex<VecDeque<Arc<dyn Listed + 'scope>>>;

/// A task as the scope's list has it.
trait Listed: Send + Sync {
    fn is_done(&self) -> bool;
    fn run_here(&self) -> bool;
}

impl<T: Send> Listed for Handle<Held<T>> {
    fn is_done(&self) -> bool {
        Self::is_done(self)
    }

    fn run_here(&self) -> bool {
        Self::run_here(self)
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Submits a closure, which may borrow what outlives the scope; so may its result.
    ///
    /// If the scope's caller is a worker of the pool, the task takes an allocation, and another one if its result has a
    /// destructor.
    ///
    /// # Errors
    ///
    /// As [`Pool::submit`], with the closure.
    ///
    /// # Examples
    ///
    /// A task submits to its own scope:
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use asyncpal::ThreadPool;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let pool = ThreadPool::new();
    /// let count = AtomicU32::new(0);
    ///
    /// pool.scope(|scope| {
    ///     let task = || {
    ///         count.fetch_add(1, Ordering::Relaxed);
    ///     };
    ///     let both = move || {
    ///         task();
    ///         drop(scope.submit(task));
    ///     };
    ///     drop(scope.submit(both).expect("the pool is open"));
    /// });
    ///
    /// assert_eq!(count.into_inner(), 2);
    /// ```
    pub fn submit<F, T>(&'scope self, call: F) -> Result<ScopedHandle<'scope, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let submitted = self.submit_job(call, |job| job);
        submitted.map_err(|(job, reason)| SubmitError { call: job.held.into_inner(), reason })
    }

    /// As [`submit`](Self::submit), with a [label](Labelled).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn submit_labelled<F, T>(
        &'scope self,
        label: impl Into<Label>,
        call: F,
    ) -> Result<ScopedHandle<'scope, T>, SubmitError<Labelled<F>>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let label = label.into();
        let submitted = self.submit_job(call, |job| LabelledJob { label, job });
        submitted.map_err(|(LabelledJob { label, job }, reason)| SubmitError {
            call: Labelled { label, call: job.held.into_inner() },
            reason,
        })
    }

    fn submit_job<F, T, J>(
        &'scope self,
        call: F,
        wrap: impl FnOnce(ScopedJob<F>) -> J,
    ) -> Result<ScopedHandle<'scope, T>, (J, PoolError)>
    where
        J: Job<ThreadSeat, Failure, Output = Held<T>>,
        T: Send + 'scope,
    {
        // SAFETY: who can name the scope is with its body or with one of its tasks, B1 to B4; and
        // `Pool::scope` keeps the ledger in its place.
        let ticket = unsafe { self.ledger.ticket() };
        let wanted = (self.list.is_some() && needs_drop::<T>()).then(|| Arc::new(Wanted::new()));
        let job = wrap(ScopedJob { held: Held::new(call, ticket), wanted: wanted.clone() });
        // SAFETY: B2: the ticket is counted for as long as is asked for the job and its output;
        // the handle borrows for `'scope`, B3.
        let handle = unsafe { self.pool.submit_borrowing(job) }?;
        Ok(ScopedHandle::new(self.enlist(handle, wanted), &self.ledger))
    }

    fn enlist<T: Send + 'scope>(
        &self,
        handle: Handle<Held<T>>,
        wanted: Option<Arc<Wanted>>,
    ) -> Reference<T> {
        let Some(list) = &self.list else { return Reference::Sole(handle) };
        let handle = Arc::new(handle);
        let mut listed = lock(list);
        let mut done = VecDeque::new();
        if listed.len() == listed.capacity() {
            (done, *listed) = listed.drain(..).partition(|task| task.is_done());
            listed.reserve(1);
        }
        listed.push_back(handle.clone());
        drop(listed);
        // Not under the lock: a waker may be left with a task.
        drop(done);
        self.ledger.call_for_help();
        Reference::Listed { handle, wanted }
    }

    /// Waits until nothing borrows any more.
    fn end(&self) {
        if self.generation.is_past() {
            return;
        }
        self.ledger.wait(|| self.run_one());
        if let Some(list) = &self.list {
            // Its memory, too: nothing drops the list.
            drop(core::mem::take(&mut *lock(list)));
        }
    }

    /// Runs the oldest pending task of the list; false if there is none.
    fn run_one(&self) -> bool {
        let Some(list) = &self.list else { return false };
        while let Some(task) = { lock(list).pop_front() } {
            // What unwinds here is a foreign waker.
            match catch_unwind(AssertUnwindSafe(|| task.run_here())) {
                Ok(false) => {}
                Ok(true) => return true,
                Err(payload) => {
                    let _ = self.ledger.note(payload);
                    return true;
                }
            }
        }
        false
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("pool", &self.pool).finish_non_exhaustive()
    }
}

/// A closure on its way to a thread.
struct ScopedJob<F> {
    held: Held<F>,
    /// If the scope has a list, and the output a destructor.
    wanted: Option<Arc<Wanted>>,
}

impl<F, T> Job<ThreadSeat, Failure> for ScopedJob<F>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    type Output = Held<T>;

    const RECEIPT: Option<TakeReceipt<Held<T>>> = Some(Held::take_receipt);

    fn run(self, _seat: &mut ThreadSeat) -> Result<Held<T>, Failure> {
        let mut output = self.held.call()?;
        if self.wanted.is_some_and(|wanted| !wanted.produce()) {
            output.let_go();
        }
        Ok(output)
    }
}
