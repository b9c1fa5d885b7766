//! What may be used on the other side of a panic that was caught.
//!
//! A type is not unwind safe if a panic can leave it half changed for others to see. Here none can: a task's panic is
//! caught by the worker and becomes its outcome, and what users' code is called in between, destructors, callbacks,
//! wakers, hooks, is contained (`contain`) or called when no state is half changed and no lock is held. What a panic of
//! the caller's can interrupt is one call on `&self`, whose steps are transitions of words that are whole in between. So
//! what the compiler cannot see through, atomics in cells and boxed errors, is declared. What a type hands out of the
//! user's own (`Handle::peek` lends a `T`, an iterator holds the user's iterator) is safe as far as that is.
//!
//! An error is read, and never changed.

use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::error::{BrokenCause, BuildError, Cancelled, Panic, PoolError, TaskError};
use crate::filter::CompletionFilter;
use crate::handle::Handle;
use crate::kind::Kind;
use crate::pool::{Builder, CancelledTask, Pool};

impl<K: Kind> UnwindSafe for Pool<K> {}
impl<K: Kind> RefUnwindSafe for Pool<K> {}

impl<K: Kind> UnwindSafe for Builder<K> {}
impl<K: Kind> RefUnwindSafe for Builder<K> {}

impl<K: Kind> UnwindSafe for CancelledTask<K> {}
impl<K: Kind> RefUnwindSafe for CancelledTask<K> {}

impl<T> UnwindSafe for Handle<T> {}
impl<T: RefUnwindSafe> RefUnwindSafe for Handle<T> {}

impl<T> UnwindSafe for CompletionFilter<T> {}
impl<T> RefUnwindSafe for CompletionFilter<T> {}

impl UnwindSafe for TaskError {}
impl RefUnwindSafe for TaskError {}

impl UnwindSafe for Cancelled {}
impl RefUnwindSafe for Cancelled {}

impl UnwindSafe for Panic {}
impl RefUnwindSafe for Panic {}

impl UnwindSafe for PoolError {}
impl RefUnwindSafe for PoolError {}

impl UnwindSafe for BuildError {}
impl RefUnwindSafe for BuildError {}

impl UnwindSafe for BrokenCause {}
impl RefUnwindSafe for BrokenCause {}
