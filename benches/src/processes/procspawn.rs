//! The pool of the crate `procspawn`.

use ::procspawn::JoinHandle;

use super::pool::Pool;
use super::tasks::{Task, Value};

pub(crate) struct Procspawn(::procspawn::Pool);

impl Pool for Procspawn {
    const NAME: &'static str = "procspawn";

    /// Each holds three file descriptors, of which a process commonly may have 1024.
    const MAX_PENDING: usize = 300;

    /// With three of them nobody reads what everybody waits to write.
    const MAX_LARGE_PENDING: usize = 2;

    type Handle<T: Value> = JoinHandle<T>;

    fn new(workers: usize) -> Self {
        Self(::procspawn::Pool::new(workers).expect("a valid pool"))
    }

    fn submit<T: Task>(&self, argument: T::Argument) -> JoinHandle<T::Output> {
        self.0.spawn(argument, T::run)
    }

    fn wait<T: Value>(&self, handle: JoinHandle<T>) -> Option<T> {
        handle.join().ok()
    }

    fn shutdown(self) {
        self.0.shutdown();
    }
}
