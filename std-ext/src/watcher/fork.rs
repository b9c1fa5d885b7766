//! Which process this is: the one in which a pool was made, or a child that was forked since then.
//!
//! A child has the memory of the parent's pools, but none of their workers. What the pools' users do
//! there must neither wait for workers that do not exist, nor touch those of the parent, nor take a
//! lock: whoever held it may not exist either.
//!
//! # State
//! One number, the generation: how often this process and its ancestors were forked since the program
//! began, as far as they went on as the child.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | G1 | + 1 | the C library's handler, in the child | before `fork` returns there |
//!
//! # Edges
//! None: at G1 the child has one thread, and each thread that it starts comes after. In the parent the
//! number never changes. So a relaxed load is exact, and costs as much as that of a constant.
//!
//! # Not covered
//! `vfork`, and `clone` or a system call by hand: the C library calls no handlers. After `vfork` a
//! child may do nothing but `exec` or `_exit` anyway, after a raw `clone` it must act as if so.

pub(crate) use self::imp::leave_copy;
pub(super) use self::imp::register;

/// A process, as one of the parents of those that were forked from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(usize);

impl Generation {
    /// This process.
    #[inline]
    pub(crate) fn current() -> Self {
        Self(imp::generation())
    }

    /// No process's number.
    pub(super) const NONE: usize = usize::MAX;

    /// Another one for each.
    pub(super) fn number(self) -> usize {
        self.0
    }

    /// Whether it is the child of another one in which there were pools.
    #[inline]
    pub(super) fn is_child(self) -> bool {
        self.0 != 0
    }

    /// Whether this process is a child of that one, forked since.
    #[inline]
    pub(crate) fn is_past(self) -> bool {
        self.0 != imp::generation()
    }
}

#[cfg(unix)]
mod imp {
    use core::ffi::c_int;

    use super::Generation;
    use crate::current::CurrentWorker;
    use crate::sync::Ordering;
    use crate::sync::program::AtomicUsize;

    static GENERATION: AtomicUsize = AtomicUsize::new(0);

    type Handler = Option<extern "C" fn()>;

    unsafe extern "C" {
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
        fn _exit(code: c_int) -> !;
    }

    #[inline]
    pub(super) fn generation() -> usize {
        // ORDERING: Relaxed: see Edges.
        GENERATION.load(Ordering::Relaxed)
    }

    /// Has every child that is forked from now on know that it is one.
    pub(in crate::watcher) fn register() {
        extern "C" fn in_child() {
            // ORDERING: Relaxed: G1.
            GENERATION.fetch_add(1, Ordering::Relaxed);
            #[cfg(feature = "signal")]
            crate::watcher::signal::forked();
        }
        // SAFETY: `pthread_atfork` is the C library's, with this signature; the handler does nothing
        // but store numbers, so it may run in the child of a process with threads.
        let refused = unsafe { pthread_atfork(None, None, Some(in_child)) };
        // Without memory for one more handler a fork goes unnoticed; everything else works.
        debug_assert_eq!(refused, 0, "pthread_atfork refused the handler");
    }

    /// Ends this process, forked since that generation, if it is a copy of a worker of that one, in which something has
    /// returned twice: there must not be two of it. Nothing is flushed, no exit handler runs.
    #[cold]
    pub(crate) fn leave_copy(before: Generation) {
        if CurrentWorker::generation() == Some(before) {
            // SAFETY: `_exit` has no preconditions.
            unsafe { _exit(0) }
        }
    }
}

#[cfg(not(unix))]
mod imp {
    pub(super) const fn generation() -> usize {
        0
    }

    pub(in crate::watcher) fn register() {}

    pub(crate) fn leave_copy(_: super::Generation) {}
}
