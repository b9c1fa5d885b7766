//! asyncpal as a [`Pool`].

use asyncpal::kind::With;
use asyncpal::{Handle, ProcessPool};

use super::pool::Pool;
use super::tasks::{Task, Value};
use crate::mapping::trivial;

pub(crate) struct Ours(ProcessPool);

impl Pool for Ours {
    const NAME: &'static str = "ours";

    type Handle<T: Value> = Handle<T>;

    fn new(workers: usize) -> Self {
        Self(ProcessPool::builder().max_workers(workers).build().expect("a valid pool"))
    }

    fn submit<T: Task>(&self, argument: T::Argument) -> Handle<T::Output> {
        match self.0.submit_with(T::run, (argument,)) {
            Ok(handle) => handle,
            Err(error) => panic!("the pool takes no task: {error}"),
        }
    }

    fn wait<T: Value>(&self, handle: Handle<T>) -> Option<T> {
        handle.collect().ok()
    }

    fn run<T: Task>(&self, argument: T::Argument) -> T::Output {
        let call = With { function: T::run, arguments: (argument,) };
        self.0.run(call).expect("the task has a result")
    }

    fn map(&self, items: u64, chunk_size: usize, mut sink: impl FnMut(u64)) {
        let results = self.0.map(trivial, 0..items).chunk_size(chunk_size);
        results.for_each(|outcome| sink(outcome.expect("the item has a result")));
    }

    fn shutdown(self) {
        self.0.shutdown();
    }
}
