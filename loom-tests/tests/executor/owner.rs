//! Who owns an engine of the models: an `Executor`, or nobody, if it is in a `static`.
#![allow(dead_code, reason = "each of two test files uses a part")]

use super::kind::{
    BYTES, Cause, Desk, Errand, HeapAhead, HeapLending, ModelKind, Record, TaskHandle,
};
use super::park::ModelPark;
use asyncpal_core::error::Outcome;
use asyncpal_core::executor::{Executor, Heap, Rejected, Static, StaticExecutor};
use asyncpal_core::lifecycle::Phase;
use core::ptr::NonNull;

/// An engine and how to end it, wherever it is.
pub trait Owner: Sized + 'static {
    type Memory;

    fn new(kind: ModelKind<Self::Memory>, max_workers: usize) -> Self;
    fn submit(&self, errand: Errand) -> Result<TaskHandle, Rejected<Errand, Cause>>;
    /// What a worker of this engine does that waits for a task.
    fn join_nested(&self, handle: TaskHandle, bed: &'static ModelPark) -> Outcome<(), Cause>;
    fn close(&self) -> bool;
    fn renew_workers(&self);
    fn phase(&self) -> Phase;
    /// Ends the engine; every worker is gone then.
    fn end(self, record: &Record);
}

/// The owner of an engine on the heap, whose kind has this name.
macro_rules! owner_of {
    ($name:ty) => {
        impl Owner for Executor<ModelKind<$name>> {
            type Memory = $name;

            fn new(kind: ModelKind<$name>, max_workers: usize) -> Self {
                Self::new(kind, max_workers)
            }

            fn submit(&self, errand: Errand) -> Result<TaskHandle, Rejected<Errand, Cause>> {
                self.submit(errand)
            }

            fn join_nested(
                &self,
                handle: TaskHandle,
                bed: &'static ModelPark,
            ) -> Outcome<(), Cause> {
                // SAFETY: the caller is one of this engine's workers, or has the engine as one has.
                unsafe { handle.run_inline(&mut Desk::default()) };
                handle.join(bed)
            }

            fn close(&self) -> bool {
                self.close()
            }

            fn renew_workers(&self) {
                self.renew_workers();
            }

            fn phase(&self) -> Phase {
                self.engine().phase()
            }

            fn end(self, record: &Record) {
                drop(self);
                record.join_workers();
            }
        }
    };
}

owner_of!(Heap);
owner_of!(HeapAhead);
owner_of!(HeapLending);

/// A value that is `'static` to the model. Whoever drops it knows that nobody else has it.
pub struct Leaked<T: 'static>(NonNull<T>);

// SAFETY: it is a `&'static T`, and in the end a `T`.
unsafe impl<T: Send + Sync> Send for Leaked<T> {}
// SAFETY: it is a `&'static T`.
unsafe impl<T: Sync> Sync for Leaked<T> {}

impl<T> Leaked<T> {
    pub fn new(value: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(value))))
    }

    pub fn get(&self) -> &'static T {
        // SAFETY: it is leaked until the drop, by when nobody has the reference any more.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Leaked<T> {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and nobody else has it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// An engine in a `static`, with room for so many tasks and workers.
pub type Fixed<const TASKS: usize, const WORKERS: usize> =
    Leaked<StaticExecutor<ModelKind<Static<TASKS, BYTES, WORKERS>>>>;

impl<const TASKS: usize, const WORKERS: usize> Owner for Fixed<TASKS, WORKERS> {
    type Memory = Static<TASKS, BYTES, WORKERS>;

    fn new(kind: ModelKind<Self::Memory>, max_workers: usize) -> Self {
        assert_eq!(max_workers, WORKERS);
        Self::new(StaticExecutor::new(kind))
    }

    fn submit(&self, errand: Errand) -> Result<TaskHandle, Rejected<Errand, Cause>> {
        self.get().submit_job(errand)
    }

    fn join_nested(&self, handle: TaskHandle, bed: &'static ModelPark) -> Outcome<(), Cause> {
        self.get().join_nested(&mut Desk::default(), bed, handle)
    }

    fn close(&self) -> bool {
        self.get().close()
    }

    fn renew_workers(&self) {
        self.get().renew_workers();
    }

    fn phase(&self) -> Phase {
        self.get().phase()
    }

    fn end(self, record: &Record) {
        self.close();
        record.join_workers();
    }
}
