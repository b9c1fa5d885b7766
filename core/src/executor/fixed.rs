//! An engine in a `static`: no allocator, bounded by constants.
//!
//! # State
//! | field | meaning |
//! |---|---|
//! | `arena` | the slots of the tasks |
//! | `ready` | the indices of the slots whose tasks wait for a worker, oldest first; and of stubs |
//! | `aside` | whether an entry was ever put back, behind later ones |
//! | `inlined` | tasks that were ever run inline by workers that wait for them: a number |
//!
//! # Invariants
//! - **G1** An index is in `ready` at most once: a slot is freed only when its entry was popped. So
//!   the ring is never full.
//! - **G2** Who finds no free slot clears leading stubs first. So a submit is refused only while each
//!   slot is a task's that is not over or whose handle is still there, or a stub's behind a pending
//!   task's, or *in hand*: a thread that makes, ends or discards a task has the slot until it is
//!   through, one per thread. So with a slot per thread to spare nobody is refused too early.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | `reserve` | a free slot is the caller's, or nothing | submitter | before it makes its task; if there is none, after `clear_stub` |
//! | `push` | an index enters `ready` | submitter | the task is made |
//! | `put_back` | the same; `aside` is raised, for good | worker | it gives a task back |
//! | `pop` | the oldest index leaves `ready` | worker, closer, who cancels the oldest | |
//! | `clear_stub` | the same, if it is a stub's | submitter | no slot is free |
//! | `free` | the slot is free | the last of a task's parties | S3 of its state |
//!
//! # Edges
//! None of its own: E1 to E3 of the ring (`queue::ring`) pass entries and slots on, A4 of the arena is for who looks at
//! a stub, U4 and U5 of `aside` for who counts.
//!
//! # Progress
//! Strictly lock-free, as ring and arena are. A thread that stops keeps at most one slot.
//!
//! # Modelled by
//! `loom-tests/tests/fixed.rs`

mod store;

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

pub(super) use self::store::StaticStore;
use super::aside::Aside;
use super::call::{Call, CallWithSeat};
use super::kind::{Rejected, WorkerKind};
use super::memory::Memory;
use super::submit::Submitted;
use super::{Counts, Engine, Seat, Totals};
use crate::census::{Bank, Census, banks_for};
use crate::error::Outcome;
use crate::lifecycle::Phase;
use crate::park::Park;
use crate::queue::Ring;
use crate::sync::{AtomicUsize, array, constructor};
use crate::task::{Arena, Handle, Job};

/// Engine and tasks in a `static`.
///
/// At most `TASKS` tasks that are pending, running, or over with their handle still there; closure,
/// result and failure of each at most `BYTES` bytes, aligned to at most 8; at most `WORKERS` workers.
/// `BANKS` is one for every 31 workers (15 on targets with 32-bit words).
#[derive(Clone, Copy, Debug)]
pub struct Static<
    const TASKS: usize,
    const BYTES: usize,
    const WORKERS: usize,
    const BANKS: usize = 1,
>;

impl<K, const TASKS: usize, const BYTES: usize, const WORKERS: usize, const BANKS: usize> Memory<K>
    for Static<TASKS, BYTES, WORKERS, BANKS>
where
    K: WorkerKind<Memory = Self> + 'static,
{
    type Shared = &'static Engine<K>;
    type Banks = [Bank; BANKS];
    type Seats = [CachePadded<Seat>; WORKERS];
    type Store = StaticStore<K, TASKS, BYTES>;

    fn as_ptr(engine: &&'static Engine<K>) -> *const Engine<K> {
        *engine
    }

    unsafe fn retain(_: *const Engine<K>) {}

    unsafe fn retained(engine: *const Engine<K>) -> &'static Engine<K> {
        // SAFETY: it came from a `&'static`.
        unsafe { &*engine }
    }

    unsafe fn free<T>(engine: *const Engine<K>, task: NonNull<T>) {
        // SAFETY: it came from a `&'static`.
        let engine = unsafe { &*engine };
        // SAFETY: by the caller's promise.
        unsafe { engine.store.arena.free(task) };
    }
}

/// A pool in a `static`: no allocator, no operating system.
///
/// Its methods need `&'static self`, because tasks and handles lie in it. It is never dropped; what
/// is pending runs, or is cancelled by [`close`](Self::close).
///
/// # Examples
///
/// One worker, here on a thread that plays a second core; of the system it needs a sleep and a clock. In
/// `examples/bare-metal` the workers are the harts of a processor.
///
/// ```
/// # extern crate asyncpal_core as asyncpal;
/// use core::convert::Infallible;
/// use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
/// use core::time::Duration;
/// use asyncpal::clock::{Clock, Instant};
/// use asyncpal::error::Outcome;
/// use asyncpal::executor::{OpenError, Rejection, Shared, Static, StaticExecutor, WorkerKind};
/// use asyncpal::park::{Park, Unparked};
///
/// // Acquire and Release in pairs: who is woken or called for sees what came before.
/// /// What an idle core waits for: an interrupt, say.
/// struct Doze(AtomicBool);
///
/// impl Park for Doze {
///     fn park(&self, deadline: Option<Instant>) -> Unparked {
///         loop {
///             if self.0.swap(false, Ordering::Acquire) {
///                 return Unparked::Woken;
///             }
///             if deadline.is_some_and(|deadline| Ticks.now() >= deadline) {
///                 return Unparked::TimedOut;
///             }
///             core::hint::spin_loop();
///         }
///     }
///
///     fn unpark(&self) {
///         self.0.store(true, Ordering::Release);
///     }
/// }
///
/// struct Ticks;
///
/// impl Clock for Ticks {
///     fn now(&self) -> Instant {
///         static TICKS: AtomicU64 = AtomicU64::new(0);
///         // Relaxed, here and for `OFF`: a number and nothing else.
///         Instant::from_nanos(TICKS.fetch_add(10, Ordering::Relaxed))
///     }
/// }
///
/// /// The second core: whether it is called for.
/// struct Core {
///     doze: Doze,
///     called: AtomicBool,
/// }
///
/// impl WorkerKind for Core {
///     /// Eight tasks of at most 64 bytes, one worker.
///     type Memory = Static<8, 64, 1>;
///     type Park = Doze;
///     type Clock = Ticks;
///     type Seat = ();
///     /// Nothing fails here.
///     type Failure = Infallible;
///
///     fn parker(&self, _: usize) -> &Doze {
///         &self.doze
///     }
///     fn clock(&self) -> &Ticks {
///         &Ticks
///     }
///     fn spawn(&self, _: &Shared<Self>, _: usize) -> Result<(), Infallible> {
///         self.called.store(true, Ordering::Release);
///         Ok(())
///     }
///     fn open(&self, _: usize) -> Result<(), OpenError<Infallible>> {
///         Ok(())
///     }
///     fn may_go_on(&self, _: &(), _: usize) -> bool {
///         true
///     }
///     fn keep_alive(&self, _: usize) -> Option<Duration> {
///         Some(Duration::from_micros(100))
///     }
///     fn close(&self, _: usize, _: ()) -> Result<(), Infallible> {
///         Ok(())
///     }
///     fn broken(&self, cause: Infallible) {
///         match cause {}
///     }
///     fn cancellation(&self, _: Rejection<&Infallible>) -> Option<Infallible> {
///         None
///     }
///     fn departed(&self, _: usize) {}
/// }
///
/// static POOL: StaticExecutor<Core> =
///     StaticExecutor::new(Core { doze: Doze(AtomicBool::new(false)), called: AtomicBool::new(false) });
/// static OFF: AtomicBool = AtomicBool::new(false);
///
/// let second_core = std::thread::spawn(|| {
///     while !OFF.load(Ordering::Relaxed) {
///         if POOL.kind().called.swap(false, Ordering::Acquire) {
///             POOL.work(0); // until it finds nothing to do for its keep-alive
///         }
///     }
/// });
///
/// let handle = POOL.submit(|| 6 * 7).expect("there is room");
/// let Outcome::Completed(answer) = handle.join_spinning() else { unreachable!("nothing fails") };
/// assert_eq!(answer, 42);
///
/// OFF.store(true, Ordering::Relaxed);
/// # second_core.join().unwrap();
/// ```
pub struct StaticExecutor<K: WorkerKind> {
    engine: Engine<K>,
}

impl<K, const TASKS: usize, const BYTES: usize, const WORKERS: usize, const BANKS: usize>
    StaticExecutor<K>
where
    K: WorkerKind<Memory = Static<TASKS, BYTES, WORKERS, BANKS>> + 'static,
{
    constructor! {
        /// An executor without tasks and workers.
        pub fn new(kind: K) -> Self {
            const {
                assert!(TASKS > 0, "an executor needs room for one task");
                assert!(WORKERS > 0, "an executor needs room for one worker");
                assert!(BANKS == banks_for(WORKERS), "BANKS must be banks_for(WORKERS)");
            }
            let store =
                StaticStore {
                    arena: Arena::new(),
                    ready: Ring::new(),
                    entries: PhantomData,
                    inlined: AtomicUsize::new(0),
                    aside: Aside::new(),
                };
            let banks = array![CachePadded::new(AtomicUsize::new(0)); BANKS];
            let seats = array![CachePadded::new(Seat::new()); WORKERS];
            Self { engine: Engine::of(kind, store, Census::of(banks, WORKERS), seats) }
        }
    }

    /// Submits a closure.
    ///
    /// # Errors
    ///
    /// [`Rejected`] gives it back: there is no room for a task, the executor is closed or broken, or
    /// nobody lives to run it and no worker could be spawned.
    pub fn submit<F, T>(
        &'static self,
        call: F,
    ) -> Result<Handle<T, K::Failure>, Rejected<F, K::Failure>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_job(Call(call))
            .map_err(|Rejected { job, reason }| Rejected { job: job.0, reason })
    }

    /// Submits a closure that gets its worker's seat, so that it can [`join_nested`](Self::join_nested).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn submit_with_seat<F, T>(
        &'static self,
        call: F,
    ) -> Result<Handle<T, K::Failure>, Rejected<F, K::Failure>>
    where
        F: FnOnce(&mut K::Seat) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_job(CallWithSeat(call))
            .map_err(|Rejected { job, reason }| Rejected { job: job.0, reason })
    }

    /// Submits a job.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn submit_job<J: Job<K::Seat, K::Failure> + 'static>(
        &'static self,
        job: J,
    ) -> Submitted<K, J> {
        Engine::<K>::submit(&&self.engine, job, self.engine.task_time())
    }

    /// Waits for a task from inside another: if it is a pending task of this executor it runs here,
    /// with this worker's `seat`; else this worker sleeps in `parker`. So one worker survives any
    /// acyclic nesting.
    pub fn join_nested<T>(
        &'static self,
        seat: &mut K::Seat,
        parker: &'static impl Park,
        handle: Handle<T, K::Failure>,
    ) -> Outcome<T, K::Failure> {
        if core::ptr::addr_eq(handle.home(), &raw const self.engine) {
            // SAFETY: the task is this engine's, so that its seat's type is `K::Seat`, and the engine
            // lives for ever.
            let _ = unsafe { handle.run_inline(seat) };
        }
        handle.join(parker)
    }

    /// Spawns so many workers, or as many as there is room for, although there may be no task. The
    /// number of those that were spawned, and the cause if one could not be; none if it is not open.
    pub fn spawn_workers(&'static self, most: usize) -> (usize, Option<K::Failure>) {
        Engine::<K>::spawn_workers(&&self.engine, most)
    }

    /// Cancels the oldest pending task, which makes room for another; false if there is none.
    pub fn cancel_oldest(&'static self) -> bool {
        self.engine.cancel_oldest()
    }

    /// Works in `slot`: what a thread of execution calls that [`WorkerKind::spawn`] has made. Returns at once
    /// if nobody was called for there, or somebody has come already.
    pub fn work(&'static self, slot: usize) {
        super::work::<K>(&&self.engine, slot);
    }

    /// The kind of workers.
    pub fn kind(&self) -> &K {
        self.engine.kind()
    }

    /// Numbers: a snapshot.
    pub fn counts(&self) -> Counts {
        self.engine.counts()
    }

    /// Numbers since the beginning: a snapshot.
    pub fn totals(&self) -> Totals {
        self.engine.totals()
    }

    /// How far the executor is in its life.
    pub fn phase(&self) -> Phase {
        self.engine.phase()
    }

    /// Closes: no more submits; what is pending is cancelled; workers leave after the task at
    /// hand. False if it was closed before.
    pub fn close(&self) -> bool {
        self.engine.close()
    }

    /// Lets every worker that was called for until now leave as soon as it finds no task. More are
    /// spawned as needed.
    pub fn renew_workers(&self) {
        self.engine.renew_workers();
    }

    /// Wakes every idle worker, so that it reads its keep-alive anew.
    pub fn rouse_workers(&self) {
        self.engine.rouse_workers();
    }
}

impl<K: WorkerKind> fmt::Debug for StaticExecutor<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticExecutor").field("engine", &self.engine).finish()
    }
}
