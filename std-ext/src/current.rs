//! Which workers a thread is, or holds: those that cannot leave before it goes on.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::sync::thread_local;
use crate::watcher::Generation;

/// The worker that this thread is, from its first task until it has left: for so long its engine is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CurrentWorker {
    /// Its engine, by address.
    pub(crate) home: *const (),
    /// Distinguishes it from all other workers of its pool, past ones too.
    pub(crate) serial: u64,
    /// Whether tasks of its pool can be run on its thread, i.e. its seat is a `ThreadSeat`.
    pub(crate) inline: bool,
}

thread_local! {
    // No destructor: readable for as long as the thread runs, `exit` included.
    static CURRENT: Cell<Option<CurrentWorker>> = const { Cell::new(None) };
    // The process that it is one of, or was the last time. As above.
    static OF_PROCESS: Cell<Option<Generation>> = const { Cell::new(None) };
    // The worker that this thread holds, the latest one. As above.
    static HELD: Cell<Option<NonNull<Held>>> = const { Cell::new(None) };
}

impl CurrentWorker {
    /// The worker that this thread is.
    pub(crate) fn get() -> Option<Self> {
        CURRENT.with(Cell::get)
    }

    /// The worker that this thread is, if it is one of `home`.
    pub(crate) fn of(home: *const ()) -> Option<Self> {
        Self::get().filter(|worker| worker.home == home)
    }

    /// Makes this thread a worker.
    pub(crate) fn enter(self) {
        CURRENT.with(|current| current.set(Some(self)));
        OF_PROCESS.with(|process| process.set(Some(Generation::current())));
    }

    /// The process whose worker this thread is: an ancestor of this one, if the thread is a copy.
    pub(crate) fn generation() -> Option<Generation> {
        Self::get().and_then(|_| OF_PROCESS.with(Cell::get))
    }

    /// This thread, whose worker has left, is no worker any more.
    pub(crate) fn retire() {
        CURRENT.with(|current| current.set(None));
    }
}

/// The worker that a seat belongs to, for kinds that [lend](crate::kind::Kind::LENDS) their seats: whoever borrows one
/// does not wait for that worker to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lender {
    /// The address of its engine.
    home: usize,
    serial: u64,
}

impl Lender {
    /// The worker that this thread is: to be called by [`Kind::open`](crate::kind::Kind::open).
    pub fn current() -> Option<Self> {
        CurrentWorker::get().map(|worker| Self::new(worker.home, worker.serial))
    }

    pub(crate) fn new(home: *const (), serial: u64) -> Self {
        Self { home: home.addr(), serial }
    }
}

/// A worker that cannot leave before a thread goes on, perhaps while the thread holds another one.
struct Held {
    of: Lender,
    outer: Option<NonNull<Self>>,
}

/// Runs `work` on this thread, which has that worker's seat meanwhile, or is to settle it because it will never run.
pub(crate) fn holding<T>(lender: Lender, work: impl FnOnce() -> T) -> T {
    /// Puts back what was there before, even if the work unwinds.
    struct Outer(Option<NonNull<Held>>);

    impl Drop for Outer {
        fn drop(&mut self) {
            HELD.with(|borrowed| borrowed.set(self.0));
        }
    }

    let outer = Outer(HELD.with(Cell::get));
    let held = Held { of: lender, outer: outer.0 };
    HELD.with(|innermost| innermost.set(Some(NonNull::from(&held))));
    work()
}

/// The workers of `home` that cannot leave before this thread goes on: the one that it is, and those that it holds.
pub(crate) fn held_here(home: *const ()) -> Vec<u64> {
    let mut held: Vec<_> =
        CurrentWorker::of(home).map(|worker| worker.serial).into_iter().collect();
    let mut next = HELD.with(Cell::get);
    while let Some(borrowed) = next {
        // SAFETY: `holding` put it there, on this thread's stack, and takes it away before it is gone.
        let borrowed = unsafe { borrowed.as_ref() };
        if borrowed.of.home == home.addr() {
            held.push(borrowed.of.serial);
        }
        next = borrowed.outer;
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_holds_the_worker_that_it_is_and_those_whose_seats_it_has_borrowed() {
        let [one, other] = [0_u8, 1];
        let [home, elsewhere] = [(&raw const one).cast::<()>(), (&raw const other).cast()];
        CurrentWorker { home, serial: 1, inline: false }.enter();

        holding(Lender::new(elsewhere, 2), || {
            holding(Lender::new(home, 3), || {
                assert_eq!(held_here(home), [1, 3]);
                assert_eq!(held_here(elsewhere), [2]);
            });
            assert_eq!((held_here(home), held_here(elsewhere)), (vec![1], vec![2]));
        });

        let panics = core::panic::AssertUnwindSafe(|| holding(Lender::new(home, 4), || panic!()));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(held_here(home), [1]);
        CurrentWorker::retire();
        assert!(held_here(home).is_empty());
    }
}
