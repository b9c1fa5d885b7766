//! Users' code that panics where nobody contains it: what comes after it is done all the same.
#![cfg(all(feature = "alloc", not(any(asyncpal_loom, asyncpal_shuttle))))]

use core::mem::ManuallyDrop;
use core::panic::AssertUnwindSafe;
use core::task::{Context, RawWaker, RawWakerVTable, Waker};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, mpsc};

use asyncpal_core::clock::{Instant, ManualClock};
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{Executor, Heap, OpenError, Rejection, Shared, WorkerKind, work};
use asyncpal_core::park::{Park, Unparked};
use asyncpal_core::task::{Arena, Handle, Job, Registration, Running, oneshot};

/// A kind that contains nothing. Its worker works when the test lets it, and unwinds after a task.
struct Kind {
    clock: ManualClock,
    called: Called,
    _alive: Arc<()>,
}

/// The engine that has called for its worker.
type Called = Arc<Mutex<Option<Shared<Kind>>>>;

struct Sleepless;

impl Park for Sleepless {
    fn park(&self, _: Option<Instant>) -> Unparked {
        Unparked::TimedOut
    }

    fn unpark(&self) {}
}

impl WorkerKind for Kind {
    type Memory = Heap;
    type Park = Sleepless;
    type Clock = ManualClock;
    type Seat = ();
    type Failure = ();

    fn parker(&self, _: usize) -> &Sleepless {
        &Sleepless
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn spawn(&self, engine: &Shared<Self>, _: usize) -> Result<(), ()> {
        *self.called.lock().unwrap() = Some(Arc::clone(engine));
        Ok(())
    }

    fn open(&self, _: usize) -> Result<(), OpenError<()>> {
        Ok(())
    }

    fn may_go_on(&self, (): &(), _: usize) -> bool {
        panic!("loud")
    }

    fn keep_alive(&self, _: usize) -> Option<Duration> {
        None
    }

    const TAKES_AHEAD: bool = true;

    fn may_take_ahead(&self, (): &(), _: usize) -> bool {
        true
    }

    fn close(&self, _: usize, (): ()) -> Result<(), ()> {
        Ok(())
    }

    fn broken(&self, (): ()) {}

    fn cancellation(&self, _: Rejection<&()>) -> Option<()> {
        None
    }

    fn departed(&self, _: usize) {}
}

struct Pool {
    executor: Executor<Kind>,
    called: Called,
    /// It is shared with the engine.
    alive: Arc<()>,
}

impl Pool {
    fn new() -> Self {
        let (called, alive) = (Called::default(), Arc::new(()));
        let kind = Kind {
            clock: ManualClock::new(),
            called: Arc::clone(&called),
            _alive: Arc::clone(&alive),
        };
        Self { executor: Executor::new(kind, 1), called, alive }
    }
}

/// A job, or anything else, that panics when it is dropped.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        panic!("loud");
    }
}

struct Quiet(#[expect(dead_code, reason = "it is dropped")] Arc<()>);

/// Both are sent ahead, and never run.
macro_rules! announced {
    ($($job:ty),*) => {$(
        impl Job<(), ()> for $job {
            type Output = ();

            fn run(self, (): &mut ()) -> Result<(), ()> {
                unreachable!("nobody runs it")
            }

            fn announce(&mut self, (): &mut ()) -> bool {
                true
            }
        }
    )*};
}

announced!(Loud, Quiet);

struct Errand<F>(F);

impl<F: FnOnce(&Running<'_>) + Send> Job<(), ()> for Errand<F> {
    type Output = ();

    fn run(self, (): &mut ()) -> Result<(), ()> {
        unreachable!("it is run as itself")
    }

    fn run_as(self, (): &mut (), this: &Running<'_>) -> Result<(), ()> {
        (self.0)(this);
        Ok(())
    }

    fn announce(&mut self, (): &mut ()) -> bool {
        true
    }
}

fn unwinds(f: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(f)).is_err(), "it does not panic");
}

/// The queue must not keep the tasks behind it: it would keep an engine that is being dropped.
#[test]
fn a_close_that_meets_a_panicking_destructor_cancels_the_tasks_behind_it() {
    let Pool { executor, called, alive } = Pool::new();
    let job = Arc::new(());
    drop(executor.submit(Loud));
    let quiet = executor.submit(Quiet(Arc::clone(&job))).expect("it is open");
    drop(called.lock().unwrap().take());

    unwinds(|| drop(executor));

    assert_eq!(Arc::strong_count(&alive), 1, "the engine is dropped once");
    assert_eq!(Arc::strong_count(&job), 1);
    assert!(matches!(quiet.join_spinning(), Outcome::Cancelled(None)));
}

/// The same, where the pool was closed before, so that nobody else empties the queue: a worker puts two tasks back and
/// unwinds, and so does the first one's destructor when the engine goes.
#[test]
fn a_task_that_is_put_back_by_a_worker_that_unwinds_ends_with_the_engine() {
    let Pool { executor, called, alive } = Pool::new();
    let job = Arc::new(());
    let (give, given) = mpsc::channel::<(Executor<Kind>, Handle<(), ()>)>();
    let unwinding = Errand(move |this: &Running<'_>| {
        let (executor, loud) = given.recv().expect("it is given");
        drop(executor);
        assert!(!loud.cancel(), "the worker has it");
        this.give_back(2);
    });
    drop(executor.submit(unwinding));
    let loud = executor.submit(Loud).expect("it is open");
    let quiet = executor.submit(Quiet(Arc::clone(&job))).expect("it is open");
    give.send((executor, loud)).expect("the task is pending");
    let engine = called.lock().unwrap().take().expect("there is a task");

    unwinds(|| work::<Kind>(&engine, 0));
    unwinds(|| drop(engine));

    assert_eq!(Arc::strong_count(&alive), 1, "the engine is dropped once");
    assert_eq!(Arc::strong_count(&job), 1);
    assert!(matches!(quiet.join_spinning(), Outcome::Cancelled(None)));
}

#[test]
fn a_handle_whose_outcome_panics_when_it_is_dropped_gives_its_slot_back() {
    static ARENA: Arena<1, 8> = Arena::new();
    let (completer, handle) = ARENA.oneshot::<Loud>().expect("it is empty");
    completer.complete(Loud);

    unwinds(|| drop(handle));

    assert!(ARENA.oneshot::<u8>().is_some());
}

/// On the heap, a leak checker tells.
#[test]
fn a_handle_whose_outcome_panics_when_it_is_dropped_frees_its_task() {
    let (completer, handle) = oneshot::<Loud>();
    completer.complete(Loud);

    unwinds(|| drop(handle));
}

#[test]
fn a_callback_that_panics_keeps_no_other_one_from_running() {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (completer, handle) = oneshot::<u8>();
    for number in 0..4 {
        let runs = Arc::clone(&ran);
        handle.on_done(Box::new(move |_| {
            runs.lock().unwrap().push(number);
            assert_ne!(number, 1, "loud");
        }));
    }

    unwinds(|| completer.complete(7));

    assert_eq!(*ran.lock().unwrap(), [0, 1, 2, 3]);
    assert!(matches!(handle.join_spinning(), Outcome::Completed(7)));
}

static LOUD_WHEN_CLONED: RawWakerVTable =
    RawWakerVTable::new(|_| panic!("loud"), |_| (), |_| (), |_| ());
static LOUD_WHEN_DROPPED: RawWakerVTable =
    RawWakerVTable::new(|_| raw(&LOUD_WHEN_DROPPED), |_| (), |_| (), |_| panic!("loud"));

const fn raw(table: &'static RawWakerVTable) -> RawWaker {
    RawWaker::new(core::ptr::null(), table)
}

/// A waker that is not dropped itself.
fn waker(table: &'static RawWakerVTable) -> ManuallyDrop<Waker> {
    // SAFETY: the functions touch nothing.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw(table)) })
}

#[test]
fn a_waker_that_panics_when_it_is_cloned_keeps_no_other_one_out() {
    let loud = waker(&LOUD_WHEN_CLONED);
    let (_completer, mut handle) = oneshot::<u8>();

    unwinds(|| drop(handle.register(&loud)));
    unwinds(|| drop(handle.poll_outcome(&mut Context::from_waker(&loud))));

    assert!(matches!(handle.register(Waker::noop()), Registration::Armed(_)));
}

#[test]
fn a_waker_that_panics_when_it_is_dropped_keeps_no_other_one_out() {
    let loud = waker(&LOUD_WHEN_DROPPED);
    let (_completer, mut handle) = oneshot::<u8>();

    unwinds(|| drop(handle.register(&loud)));

    assert!(matches!(handle.register(Waker::noop()), Registration::Armed(_)));
    assert!(handle.poll_outcome(&mut Context::from_waker(&loud)).is_pending());
    unwinds(|| drop(handle.poll_outcome(&mut Context::from_waker(Waker::noop()))));
    assert!(handle.poll_outcome(&mut Context::from_waker(Waker::noop())).is_pending());
}
