//! How a worker gets its thread: from the standard library, or from the user's spawner.

use core::cell::{Cell, OnceCell};
use core::error::Error;
use core::fmt;
use core::panic::AssertUnwindSafe;
use std::io;

use asyncpal_core::executor::{Shared, forsake, work};

use super::attendance::{Returned, Settler};
use super::builder::Builder;
use super::roster::Staff;
use super::roster::book::{Enlisted, Locals};
use crate::contain::{in_one_process, made};
use crate::current::{CurrentWorker, Lender, holding};
use crate::error::{BoxError, Panic, TaskError};
use crate::failure::Failure;
use crate::kind::Kind;
use crate::running::{self, Posted};
use crate::sync::panic::catch_unwind;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, thread_local};
use crate::watcher::Generation;

impl<K: Kind> Builder<K> {
    /// How workers get their threads: to set affinity or priority, or to use threads of another making
    /// than the standard library's. Default: a `std::thread` of the worker's name and stack size.
    ///
    /// The spawner is called by whoever finds that a worker is wanted: a submit, a worker that has
    /// finished a task or leaves, [`spawn_workers`](super::Pool::spawn_workers). It brings the
    /// [`WorkerThread`] to another thread, which calls [`run`](WorkerThread::run), and returns what the
    /// pool joins in the end ([`SpawnedThread`]): a `JoinHandle`, or `()` for a detached thread. It must
    /// not wait for the pool.
    ///
    /// An error, a panic, or a worker that is dropped without `run` is a spawn that has failed, and is
    /// treated like any other: if a worker lives, tasks stay queued for it, and growth is tried again
    /// later; if none does, they are given back or cancelled with the cause.
    ///
    /// # Examples
    ///
    /// Worker `i` stays on processor `i`:
    ///
    /// ```
    /// # extern crate asyncpal_std as asyncpal;
    /// use std::io;
    /// use std::thread;
    /// use asyncpal::{ThreadPool, WorkerThread};
    ///
    /// # #[cfg(target_os = "linux")]
    /// fn pin_to(processor: usize) -> io::Result<()> {
    ///     unsafe extern "C" {
    ///         fn sched_setaffinity(thread: i32, bytes: usize, mask: *const u64) -> i32;
    ///     }
    ///     let mask = 1_u64 << (processor % 64);
    ///     // SAFETY: the mask is as long as it says; thread 0 is the calling one.
    ///     match unsafe { sched_setaffinity(0, size_of_val(&mask), &raw const mask) } {
    ///         0 => Ok(()),
    ///         _ => Err(io::Error::last_os_error()),
    ///     }
    /// }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn pin_to(_: usize) -> io::Result<()> { Ok(()) }
    ///
    /// fn spawn(worker: WorkerThread) -> io::Result<thread::JoinHandle<()>> {
    ///     thread::Builder::new().name(worker.name().into()).spawn(move || {
    ///         if let Err(error) = pin_to(worker.number()) {
    ///             eprintln!("{}: {error}", worker.name());
    ///         }
    ///         worker.run();
    ///     })
    /// }
    ///
    /// let pool = ThreadPool::builder().max_workers(1).spawner(spawn).build()?;
    /// assert_eq!(pool.run(|| 6 * 7)?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "spawn_handler")]
    pub fn spawner<F, T>(mut self, spawner: F) -> Self
    where
        F: Fn(WorkerThread) -> io::Result<T> + Send + Sync + 'static,
        T: SpawnedThread,
    {
        let spawner = move |worker| spawner(worker).map(|spawned| spawned.into_thread().0);
        self.spawner = Some(Spawner(Arc::new(spawner)));
        self
    }
}

/// A worker that needs a thread: what a pool gives to its [spawner](Builder::spawner).
///
/// Dropping it without [`run`](Self::run) means that the worker could not be spawned, whenever and by
/// whomever that is done: tasks that have no other worker are then cancelled with that cause. As long as
/// it is kept, the pool counts on it and waits for it.
#[must_use = "dropping it means that the worker could not be spawned"]
pub struct WorkerThread {
    duty: Option<Box<dyn Duty>>,
    generation: Generation,
    name: String,
    number: usize,
    stack_size: Option<usize>,
}

impl WorkerThread {
    /// The worker's name: that of its pool, and its number.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number, below the maximum of workers. Another worker may have had it before. The lowest are
    /// used first.
    #[doc(alias = "index")]
    pub const fn number(&self) -> usize {
        self.number
    }

    /// How large a stack it wants, in bytes, if the [builder](Builder::stack_size) says.
    pub const fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Works on this thread until the worker leaves: after the idle timeout, its share of tasks, a
    /// `join` or the end of the pool. Panics of tasks are caught. Then the thread may end, or run
    /// another worker.
    ///
    /// Returns at once, and the worker counts as dropped, on a thread that cannot be this worker: the
    /// one that is calling the spawner, since its caller has other things to do than to work, and one
    /// that is a worker already, since it could wait for itself. Returns at once, too, if the spawner
    /// has returned an error meanwhile. So it does in a process that was forked since the spawner was called, whose
    /// parent keeps the worker.
    pub fn run(mut self) {
        let Some(duty) = self.take_duty() else { return };
        if IN_SPAWNER.with(Cell::get) {
            duty.decline(NotRun::InSpawner);
        } else if CurrentWorker::get().is_some() {
            duty.decline(NotRun::OnWorker);
        } else {
            duty.work();
        }
    }

    /// None in a child that was forked since: the worker is its parent's.
    fn take_duty(&mut self) -> Option<Box<dyn Duty>> {
        let duty = self.duty.take();
        if self.generation.is_past() {
            core::mem::forget(duty);
            return None;
        }
        duty
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        if let Some(duty) = self.take_duty() {
            duty.decline(NotRun::Dropped);
        }
    }
}

impl fmt::Debug for WorkerThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerThread")
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}

mod sealed {
    pub trait Sealed {}
}

/// What a [spawner](Builder::spawner) leaves for the pool to wait for.
///
/// - A `JoinHandle`: of a thread that ends when the worker has run. A shutdown joins it, so that the
///   thread's locals are gone afterwards.
/// - `()`: the pool waits for the worker's end, not for its thread's.
/// - An `Option` of a handle: one or the other.
pub trait SpawnedThread: sealed::Sealed {
    /// The thread to join, if there is one.
    #[doc(hidden)]
    fn into_thread(self) -> Thread;
}

/// A thread to join, or none.
#[derive(Debug)]
pub struct Thread(Option<JoinHandle<()>>);

impl sealed::Sealed for JoinHandle<()> {}
impl SpawnedThread for JoinHandle<()> {
    fn into_thread(self) -> Thread {
        Thread(Some(self))
    }
}

impl sealed::Sealed for () {}
impl SpawnedThread for () {
    fn into_thread(self) -> Thread {
        Thread(None)
    }
}

impl sealed::Sealed for Option<JoinHandle<()>> {}
impl SpawnedThread for Option<JoinHandle<()>> {
    fn into_thread(self) -> Thread {
        Thread(self)
    }
}

type SpawnFn = dyn Fn(WorkerThread) -> io::Result<Option<JoinHandle<()>>> + Send + Sync;

/// The user's way to spawn.
#[derive(Clone)]
pub(super) struct Spawner(Arc<SpawnFn>);

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

/// Why a worker that a spawner was given does not run.
#[derive(Debug)]
pub(super) enum NotRun {
    Dropped,
    InSpawner,
    OnWorker,
    Panicked(Panic),
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "a worker was dropped without being run",
            Self::InSpawner => "a spawner ran a worker on the thread that called it",
            Self::OnWorker => "a worker was run on a thread that is a worker already",
            Self::Panicked(panic) => {
                f.write_str("the spawner panicked")?;
                return panic.message().map_or(Ok(()), |message| write!(f, ": {message}"));
            }
        })
    }
}

impl Error for NotRun {}

thread_local! {
    // Whether this thread is calling a spawner.
    static IN_SPAWNER: Cell<bool> = const { Cell::new(false) };
    // Locals are dropped last in, first out, and this one is a worker's first.
    static FIRST: OnceCell<Locals> = const { OnceCell::new() };
}

impl Spawner {
    fn call(&self, worker: WorkerThread) -> Result<Option<JoinHandle<()>>, BoxError> {
        // A spawner may submit to another pool, whose spawner is called then.
        let outer = IN_SPAWNER.with(|inside| inside.replace(true));
        // What a spawner shares with others is its own to poison.
        let spawned = in_one_process(|| catch_unwind(AssertUnwindSafe(|| (self.0)(worker))));
        IN_SPAWNER.with(|inside| inside.set(outer));
        match spawned {
            Ok(spawned) => spawned.map_err(Into::into),
            Err(payload) => Err(NotRun::Panicked(Panic::new(payload)).into()),
        }
    }
}

/// What a worker does with its thread.
trait Duty: Send {
    /// Works until it leaves.
    fn work(self: Box<Self>);

    /// Never will.
    fn decline(self: Box<Self>, why: NotRun);
}

struct Place<K: Kind> {
    engine: Shared<Staff<K>>,
    slot: usize,
    serial: u64,
    /// There until the locals of the thread that serves are gone.
    locals: Arc<()>,
}

impl<K: Kind> Place<K> {
    fn new(engine: &Shared<Staff<K>>, slot: usize, serial: u64) -> Self {
        Self { engine: engine.clone(), slot, serial, locals: Arc::new(()) }
    }

    /// Makes this thread the worker until that leaves: the engine may be gone before the thread's locals are.
    fn serve(&self) -> Posted {
        let Self { engine, slot, serial, locals } = self;
        let kept = Locals::new(locals.clone(), engine.kind().book().clone());
        // A thread at its end may have lost it: then it runs its last worker.
        let _ = FIRST.try_with(|first| first.set(kept));
        let home = (&raw const **engine).cast();
        CurrentWorker { home, serial: *serial, inline: K::INLINE.is_some() }.enter();
        let posted = running::take_own_post(engine.kind().terms.observer.clone(), *slot);
        work::<Staff<K>>(engine, *slot);
        CurrentWorker::retire();
        posted
    }
}

impl<K: Kind> Duty for Place<K> {
    fn work(self: Box<Self>) {
        if self.engine.kind().book().change(|present| present.accept(self.serial)) {
            // Whoever's thread it is may have other plans with it.
            drop(self.serve());
        }
    }

    fn decline(self: Box<Self>, why: NotRun) {
        let staff = self.engine.kind();
        let cause = why.to_string();
        match staff.book().change(|present| present.decline(self.serial, why)) {
            Settler::Spawner => {}
            Settler::Decliner => {
                let cause = TaskError::not_spawned(cause.into());
                let this = Lender::new((&raw const *self.engine).cast(), self.serial);
                // What hooks, callbacks and destructors do there must not wait for this thread.
                holding(this, || forsake::<Staff<K>>(&self.engine, self.slot, &cause));
                staff.book().change(|present| present.leave(self.serial));
            }
        }
    }
}

impl<K: Kind> Staff<K> {
    /// Spawns a thread as the standard library does.
    pub(super) fn spawn_thread(&self, engine: &Shared<Self>, slot: usize) -> Result<(), Failure> {
        let mut builder = thread::Builder::new().name(self.worker_name(slot));
        if let Some(bytes) = self.terms.stack_size {
            builder = builder.stack_size(bytes);
        }
        self.book()
            .enlist(|serial| {
                let place = Place::new(engine, slot, serial);
                let locals = Arc::downgrade(&place.locals);
                let handle = made(|| builder.spawn(move || place.serve().for_good()))?;
                Ok(Enlisted { serial, handle, locals })
            })
            .map_err(|error: io::Error| TaskError::not_spawned(error.into()))
    }

    /// Gives the worker to the user's spawner. No lock is held meanwhile.
    pub(super) fn spawn_by(
        &self,
        spawner: &Spawner,
        engine: &Shared<Self>,
        slot: usize,
    ) -> Result<(), Failure> {
        let serial = self.book().change(|present| present.offer());
        let place = Place::new(engine, slot, serial);
        let locals = Arc::downgrade(&place.locals);
        let worker = WorkerThread {
            duty: Some(Box::new(place)),
            generation: Generation::current(),
            name: self.worker_name(slot),
            number: slot,
            stack_size: self.terms.stack_size,
        };
        let spawned = spawner.call(worker);
        let (thread, error) = match spawned {
            Ok(thread) => (thread.map(|handle| Enlisted { serial, handle, locals }), None),
            Err(error) => (None, Some(error)),
        };
        match self.book().spawner_returned(serial, thread, error.is_none()) {
            Returned::Spawned => Ok(()),
            Returned::Failed(why) => {
                let why = || why.unwrap_or(NotRun::Dropped).into();
                Err(TaskError::not_spawned(error.unwrap_or_else(why)))
            }
        }
    }
}
