//! A kind of workers that nobody starts: what a spawn should set going is kept, to be called by hand.
//! The worker leaves as soon as it would sleep.

#![forbid(unsafe_code)]

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::marker::PhantomData;
use core::time::Duration;

use asyncpal_core::clock::{Clock, Instant};
use asyncpal_core::executor::{Heap, OpenError, Rejection, Shared, Static, WorkerKind, work};
use asyncpal_core::park::{Park, Unparked};
use asyncpal_core::task::Slabs;

use crate::REPETITIONS;

/// The life of a worker, from its first look at the queue until it leaves.
pub(crate) type Life = Box<dyn FnOnce()>;

thread_local! {
    static SPAWNED: Cell<Option<Life>> = const { Cell::new(None) };
    static SLABS: RefCell<Slabs> = const { RefCell::new(Slabs::new()) };
}

/// The worker that was spawned last.
pub(crate) fn spawned() -> Life {
    SPAWNED.take().expect("a worker was spawned")
}

/// Room for as many tasks as are counted, and one worker.
pub(crate) type Slots = Static<REPETITIONS, 8, 1>;

/// Workers by hand of an engine in `M`.
pub(crate) struct ByHand<M>(PhantomData<fn() -> M>);

impl<M> ByHand<M> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

macro_rules! by_hand {
    ($memory:ty) => {
        impl WorkerKind for ByHand<$memory> {
            type Memory = $memory;
            type Park = Sleepless;
            type Clock = Stopped;
            type Seat = ();
            type Failure = Infallible;

            fn parker(&self, _: usize) -> &Sleepless {
                &Sleepless
            }

            fn clock(&self) -> &Stopped {
                &Stopped
            }

            fn spawn(&self, engine: &Shared<Self>, slot: usize) -> Result<(), Infallible> {
                let engine = engine.clone();
                SPAWNED.set(Some(Box::new(move || work::<Self>(&engine, slot))));
                Ok(())
            }

            fn open(&self, _: usize) -> Result<(), OpenError<Infallible>> {
                Ok(())
            }

            fn may_go_on(&self, (): &(), _: usize) -> bool {
                true
            }

            fn keep_alive(&self, _: usize) -> Option<Duration> {
                Some(Duration::ZERO)
            }

            fn with_slabs<R>(use_them: impl FnOnce(&mut Slabs) -> R) -> Option<R> {
                Some(SLABS.with_borrow_mut(use_them))
            }

            fn close(&self, _: usize, (): ()) -> Result<(), Infallible> {
                Ok(())
            }

            fn broken(&self, cause: Infallible) {
                match cause {}
            }

            fn cancellation(&self, _: Rejection<&Infallible>) -> Option<Infallible> {
                None
            }

            fn departed(&self, _: usize) {}
        }
    };
}

// One impl for every memory would be a cycle: each is a memory of its kind.
by_hand!(Heap);
by_hand!(Slots);

/// Its time is always up.
pub(crate) struct Sleepless;

impl Park for Sleepless {
    fn park(&self, _: Option<Instant>) -> Unparked {
        Unparked::TimedOut
    }

    fn unpark(&self) {}
}

/// Reading a clock is not what is counted.
pub(crate) struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        Instant::from_nanos(0)
    }
}
