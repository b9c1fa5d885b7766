//! The peers, each written the way its documentation shows it.
//!
//! A pool that has no handle of its own gets a `oneshot` channel, as its users do.

use std::num::NonZeroUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use executors::Executor as _;
use executors::crossbeam_workstealing_pool as workstealing;
use executors::parker::{SmallThreadData, StaticParker};

use super::pool::{Pool, Shutdown};

/// Splits a task into what a worker runs and what its caller waits on.
fn answered<T, F>(task: F) -> (impl FnOnce() + Send + 'static, oneshot::Receiver<T>)
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (answer, handle) = oneshot::channel();
    let task = move || drop(answer.send(task()));
    (task, handle)
}

fn received<T>(handle: oneshot::Receiver<T>) -> T {
    handle.recv().expect("the task sends its result")
}

type BoxedTask = Box<dyn FnOnce() + Send>;

/// Plain threads that share a channel.
pub(crate) struct Crossbeam {
    tasks: crossbeam_channel::Sender<BoxedTask>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for Crossbeam {
    const NAME: &'static str = "crossbeam-channel";
    const SHUTDOWN: Shutdown = Shutdown::JoinsThreads;
    type Handle<T: Send + 'static> = oneshot::Receiver<T>;

    fn new(workers: usize) -> Self {
        let (tasks, inbox) = crossbeam_channel::unbounded::<BoxedTask>();
        let work = |inbox: crossbeam_channel::Receiver<BoxedTask>| inbox.iter().for_each(|t| t());
        let threads = (0..workers)
            .map(|_| {
                let inbox = inbox.clone();
                thread::spawn(move || work(inbox))
            })
            .collect();
        Self { tasks, threads }
    }

    fn submit<T, F>(&self, task: F) -> oneshot::Receiver<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (task, handle) = answered(task);
        self.spawn(task);
        handle
    }

    fn wait<T: Send + 'static>(&self, handle: oneshot::Receiver<T>) -> T {
        received(handle)
    }

    fn spawn<F: FnOnce() + Send + 'static>(&self, task: F) {
        self.tasks.send(Box::new(task)).expect("the workers outlive the pool");
    }

    fn shutdown(self) {
        drop(self.tasks);
        for thread in self.threads {
            thread.join().expect("no task panics");
        }
    }
}

/// `rayon::ThreadPool::spawn`.
pub(crate) struct Rayon {
    pool: rayon::ThreadPool,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for Rayon {
    const NAME: &'static str = "rayon";
    const SHUTDOWN: Shutdown = Shutdown::JoinsThreads;
    type Handle<T: Send + 'static> = oneshot::Receiver<T>;

    fn new(workers: usize) -> Self {
        let mut threads = Vec::new();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            // Dropping the pool only asks the threads to end; whoever wants them joined spawns them.
            .spawn_handler(|thread| {
                threads.push(thread::spawn(|| thread.run()));
                Ok(())
            })
            .build()
            .expect("threads can be spawned");
        Self { pool, threads }
    }

    fn submit<T, F>(&self, task: F) -> oneshot::Receiver<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (task, handle) = answered(task);
        self.pool.spawn(task);
        handle
    }

    fn wait<T: Send + 'static>(&self, handle: oneshot::Receiver<T>) -> T {
        received(handle)
    }

    fn spawn<F: FnOnce() + Send + 'static>(&self, task: F) {
        self.pool.spawn(task);
    }

    fn shutdown(self) {
        drop(self.pool);
        for thread in self.threads {
            thread.join().expect("no task panics");
        }
    }
}

/// `tokio::task::spawn_blocking`.
pub(crate) struct Tokio(tokio::runtime::Runtime);

impl Tokio {
    fn build(workers: usize, configure: impl FnOnce(&mut tokio::runtime::Builder)) -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.max_blocking_threads(workers);
        configure(&mut builder);
        Self(builder.build().expect("a valid runtime"))
    }
}

impl Pool for Tokio {
    const NAME: &'static str = "tokio";
    const SHUTDOWN: Shutdown = Shutdown::JoinsThreads;
    type Handle<T: Send + 'static> = tokio::task::JoinHandle<T>;

    fn new(workers: usize) -> Self {
        Self::build(workers, |_| ())
    }

    fn with_idle_timeout(workers: usize, timeout: Duration) -> Option<Self> {
        Some(Self::build(workers, |builder| {
            builder.thread_keep_alive(timeout);
        }))
    }

    fn submit<T, F>(&self, task: F) -> tokio::task::JoinHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.spawn_blocking(task)
    }

    fn wait<T: Send + 'static>(&self, handle: tokio::task::JoinHandle<T>) -> T {
        self.0.handle().block_on(handle).expect("no task panics")
    }

    fn spawn<F: FnOnce() + Send + 'static>(&self, task: F) {
        drop(self.0.spawn_blocking(task));
    }

    fn shutdown(self) {
        drop(self.0);
    }
}

/// The crate `threadpool`.
pub(crate) struct Threadpool(threadpool::ThreadPool);

impl Pool for Threadpool {
    const NAME: &'static str = "threadpool";
    const SHUTDOWN: Shutdown = Shutdown::AwaitsTasks;
    type Handle<T: Send + 'static> = oneshot::Receiver<T>;

    fn new(workers: usize) -> Self {
        Self(threadpool::ThreadPool::new(workers))
    }

    fn submit<T, F>(&self, task: F) -> oneshot::Receiver<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (task, handle) = answered(task);
        self.0.execute(task);
        handle
    }

    fn wait<T: Send + 'static>(&self, handle: oneshot::Receiver<T>) -> T {
        received(handle)
    }

    fn spawn<F: FnOnce() + Send + 'static>(&self, task: F) {
        self.0.execute(task);
    }

    fn shutdown(self) {
        self.0.join();
    }
}

/// The crate `rusty_pool`.
pub(crate) struct RustyPool(rusty_pool::ThreadPool);

impl Pool for RustyPool {
    const NAME: &'static str = "rusty_pool";
    const SHUTDOWN: Shutdown = Shutdown::AwaitsTasks;
    type Handle<T: Send + 'static> = rusty_pool::JoinHandle<T>;

    fn new(workers: usize) -> Self {
        Self(rusty_pool::ThreadPool::new(workers, workers, Duration::from_secs(60)))
    }

    fn with_idle_timeout(workers: usize, timeout: Duration) -> Option<Self> {
        // Core threads never retire, so there are none.
        Some(Self(rusty_pool::ThreadPool::new(0, workers, timeout)))
    }

    fn submit<T, F>(&self, task: F) -> rusty_pool::JoinHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.evaluate(task)
    }

    fn wait<T: Send + 'static>(&self, handle: rusty_pool::JoinHandle<T>) -> T {
        handle.await_complete()
    }

    fn spawn<F: FnOnce() + Send + 'static>(&self, task: F) {
        self.0.execute(task);
    }

    fn shutdown(self) {
        self.0.shutdown_join();
    }
}

/// The global pool of the crate `blocking`: no thread retires while there are no more than its limit.
pub(crate) struct Blocking;

impl Pool for Blocking {
    const NAME: &'static str = "blocking";
    const SHUTDOWN: Shutdown = Shutdown::Unsupported;
    type Handle<T: Send + 'static> = blocking::Task<T>;

    fn new(workers: usize) -> Self {
        blocking::set_max_blocking_threads(
            NonZeroUsize::new(workers).expect("at least one worker"),
        );
        Self
    }

    fn submit<T, F>(&self, task: F) -> blocking::Task<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        blocking::unblock(task)
    }

    fn wait<T: Send + 'static>(&self, handle: blocking::Task<T>) -> T {
        futures_lite::future::block_on(handle)
    }

    fn spawn<F: FnOnce() + Send + 'static>(&self, task: F) {
        blocking::unblock(task).detach();
    }

    fn shutdown(self) {}
}

/// The work-stealing pool of the crate `executors`.
pub(crate) struct Executors(workstealing::ThreadPool<StaticParker<SmallThreadData>>);

impl Pool for Executors {
    const NAME: &'static str = "executors";
    /// The workers acknowledge that they are about to leave; nobody joins them.
    const SHUTDOWN: Shutdown = Shutdown::AwaitsTasks;
    /// With a parker of this size.
    const MAX_WORKERS: usize = 32;
    type Handle<T: Send + 'static> = oneshot::Receiver<T>;

    fn new(workers: usize) -> Self {
        Self(workstealing::small_pool(workers))
    }

    fn submit<T, F>(&self, task: F) -> oneshot::Receiver<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (task, handle) = answered(task);
        self.0.execute(task);
        handle
    }

    fn wait<T: Send + 'static>(&self, handle: oneshot::Receiver<T>) -> T {
        received(handle)
    }

    fn spawn<F: FnOnce() + Send + 'static>(&self, task: F) {
        self.0.execute(task);
    }

    fn shutdown(self) {
        self.0.shutdown().expect("the workers acknowledge in time");
    }
}
