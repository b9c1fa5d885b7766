//! The shim under the model checker.
//!
//! # How threads block
//! loom's `park` and `unpark` are no steps at which threads change, and synchronise even with a
//! thread that never parks. So every thread has a `Notify` of its own, and all blocking of this
//! crate goes through it: parking, and waiting on a condition variable. It wakes without a cause
//! once in some executions, as a parked thread may.
//!
//! # Time
//! Stands still, unless the model lets it pass: see [`time`](super::checked::time).
//!
//! # Panics
//! A panic of the checker itself is not a task's: see [`panic`](super::checked::panic).

pub(crate) mod panic;
pub(crate) mod time;

use core::fmt;
use core::ops::{Deref, DerefMut};
use std::collections::VecDeque;

use loom::cell::UnsafeCell;

pub(crate) use self::time::now;
use super::{AtomicUsize, Ordering};
use crate::clock::Deadline;

/// Whether the end of the program is watched: a model has none.
pub(crate) const PROGRAM_ENDS: bool = false;

/// Whether threads make their tasks in slabs: no, the threads of a model are one thread of the system. The slabs
/// have models of their own.
pub(crate) const HAVE_SLABS: bool = false;

/// Whether pools are left as they are, since what they are used for has failed. Their threads may
/// wait for what will never be: a shutdown would end the test with an abort instead of a message.
pub(crate) fn is_abandoned() -> bool {
    std::thread::panicking()
}

/// A static for each of the model's threads.
macro_rules! per_thread {
    ($(static $name:ident: $type:ty = $init:expr;)+) => {
        loom::thread_local! { $(static $name: $type = $init;)+ }
    };
}
pub(crate) use per_thread as thread_local;

/// A mutex whose guard knows it, for [`wait`].
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

pub(crate) struct MutexGuard<'m, T> {
    mutex: &'m Mutex<T>,
    guard: loom::sync::MutexGuard<'m, T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(content: T) -> Self {
        Self(loom::sync::Mutex::new(content))
    }
}

#[track_caller]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    let guard = mutex.0.lock().expect("a lock of the checker");
    MutexGuard { mutex, guard }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A condition variable with deadlines.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    waiting: Mutex<VecDeque<thread::Thread>>,
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        let first = lock(&self.waiting).pop_front();
        first.iter().for_each(thread::Thread::unpark);
    }

    pub(crate) fn notify_all(&self) {
        let all = core::mem::take(&mut *lock(&self.waiting));
        all.iter().for_each(thread::Thread::unpark);
    }
}

/// Waits for a notification; `None` if the deadline is past. May return without a notification.
#[track_caller]
pub(crate) fn wait<'m, T>(
    condition: &Condvar,
    guard: MutexGuard<'m, T>,
    deadline: Deadline,
) -> Option<MutexGuard<'m, T>> {
    let this = thread::current();
    // Under the guard: who changes what is waited for, and notifies then, finds this thread.
    lock(&condition.waiting).push_back(this.clone());
    let mutex = guard.mutex;
    drop(guard);
    let slept = thread::park_until(deadline);
    let mut waiting = lock(&condition.waiting);
    let before = waiting.len();
    waiting.retain(|other| !other.is(&this));
    let notified = waiting.len() < before;
    drop(waiting);
    // At the deadline a notification that was not for another thread still counts.
    (slept || !notified).then(|| lock(mutex))
}

/// A value that is written once.
pub(crate) struct OnceLock<T> {
    is_set: AtomicUsize,
    /// Held by who writes, so that who comes second returns after the write.
    writer: Mutex<()>,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written under the lock, before `is_set` says so, and only read after.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { is_set: AtomicUsize::new(0), writer: Mutex::new(()), value: UnsafeCell::new(None) }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // ORDERING: Acquire: the value.
        if self.is_set.load(Ordering::Acquire) == 0 {
            return None;
        }
        // SAFETY: it was written before, and is not written again.
        self.value.with(|value| unsafe { (*value).as_ref() })
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let _writer = lock(&self.writer);
        if self.get().is_some() {
            return Err(value);
        }
        // SAFETY: nobody reads it yet, and the lock keeps other writers out.
        self.value.with_mut(|place| unsafe { *place = Some(value) });
        // ORDERING: Release: the value.
        self.is_set.store(1, Ordering::Release);
        Ok(())
    }
}

impl<T> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceLock").finish_non_exhaustive()
    }
}

pub(crate) mod thread {
    //! Threads of a model.

    use core::mem::ManuallyDrop;
    use core::num::NonZeroUsize;
    use core::time::Duration;
    use std::io;
    use std::sync::Arc;

    use loom::sync::Notify;

    use super::{panic, time};
    use crate::clock::Deadline;

    loom::thread_local! {
        static THIS: Thread = Thread::new();
    }

    /// How a thread is woken.
    #[derive(Clone, Debug)]
    pub(crate) struct Thread(Arc<Notify>);

    impl Thread {
        fn new() -> Self {
            Self(Arc::new(Notify::new()))
        }

        pub(crate) fn unpark(&self) {
            self.0.notify();
        }

        pub(super) fn is(&self, other: &Self) -> bool {
            Arc::ptr_eq(&self.0, &other.0)
        }

        fn wait(&self) {
            // A deadlock shows here.
            panic::or_leave_model(|| self.0.wait());
        }
    }

    pub(crate) fn current() -> Thread {
        // A thread whose locals are gone gets another one: it waits in places of its own only.
        THIS.try_with(Clone::clone).unwrap_or_else(|_| Thread::new())
    }

    /// Whether the thread is the calling one: no, a model's threads do not shut down their own pool
    /// after they have left it.
    pub(crate) const fn is_this<T>(_: &JoinHandle<T>) -> bool {
        false
    }

    /// Sleeps until the thread is unparked, the deadline is past, or for no reason; false without
    /// sleep if the deadline is past already.
    pub(crate) fn park_until(deadline: Deadline) -> bool {
        let this = current();
        let sleeps = time::call_at(deadline, &this);
        if sleeps {
            this.wait();
        }
        sleeps
    }

    /// One: nobody spins, which adds no behaviour, only executions.
    pub(crate) fn available_parallelism() -> io::Result<NonZeroUsize> {
        Ok(NonZeroUsize::MIN)
    }

    /// Lets others go on: what they do may take any time.
    pub(crate) fn pause(_: Duration) {
        loom::thread::yield_now();
    }

    #[derive(Debug)]
    pub(crate) struct Builder(loom::thread::Builder);

    #[derive(Debug)]
    pub(crate) struct JoinHandle<T>(loom::thread::JoinHandle<T>);

    impl Builder {
        pub(crate) fn new() -> Self {
            Self(loom::thread::Builder::new())
        }

        pub(crate) fn name(self, name: String) -> Self {
            Self(self.0.name(name))
        }

        pub(crate) fn stack_size(self, bytes: usize) -> Self {
            Self(self.0.stack_size(bytes))
        }

        #[track_caller]
        pub(crate) fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            // If the model fails before the thread has taken its first step, the checker drops `f`
            // where nothing in it can take steps: then it is forgotten instead.
            let f = ManuallyDrop::new(f);
            self.0.spawn(move || ManuallyDrop::into_inner(f)()).map(JoinHandle)
        }
    }

    impl<T> JoinHandle<T> {
        /// No: how long a handle is kept is not for a model to see.
        pub(crate) fn is_finished(&self) -> bool {
            false
        }

        #[track_caller]
        pub(crate) fn join(self) -> std::thread::Result<T> {
            panic::or_leave_model(|| self.0.join())
        }
    }
}
