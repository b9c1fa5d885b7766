//! Handles awaited in async runtimes: tokio of both flavours, smol, futures' executor, and a loop that
//! polls by hand.

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, mpsc};
use std::task::Wake;
use std::thread::{self, Thread};

use asyncpal::{Handle, TaskError, ThreadPool, is_cancel_requested};

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(60);

fn pool_of(workers: usize) -> ThreadPool {
    ThreadPool::builder().max_workers(workers).build().expect("valid")
}

/// Submits a task that returns `value` once the gate is dropped.
fn gated<T: Send + 'static>(pool: &ThreadPool, value: T) -> (Handle<T>, mpsc::Sender<()>) {
    let (open, opened) = mpsc::channel::<()>();
    let handle = pool.submit(move || {
        let _ = opened.recv();
        value
    });
    (handle.expect("open"), open)
}

/// An async runtime, as far as these tests need one.
trait Runtime {
    /// Runs a future to its end.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Is over so long from now.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;
}

struct Tokio(tokio::runtime::Runtime);

impl Tokio {
    fn current_thread() -> Self {
        Self(tokio::runtime::Builder::new_current_thread().enable_time().build().expect("valid"))
    }

    fn multi_thread() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self(builder.worker_threads(2).enable_time().build().expect("valid"))
    }
}

impl Runtime for Tokio {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

struct Smol;

impl Runtime for Smol {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        smol::block_on(future)
    }

    async fn sleep(&self, time: Duration) {
        smol::Timer::after(time).await;
    }
}

/// An executor without timers: a thread sleeps for it.
struct Futures;

impl Runtime for Futures {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        futures::executor::block_on(future)
    }

    async fn sleep(&self, time: Duration) {
        sleep_in_a_thread(time).await;
    }
}

/// Polls on this thread, which its waker unparks.
struct ByHand;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Runtime for ByHand {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }

    async fn sleep(&self, time: Duration) {
        sleep_in_a_thread(time).await;
    }
}

async fn sleep_in_a_thread(time: Duration) {
    let (end, ended) = futures::channel::oneshot::channel();
    thread::spawn(move || {
        thread::sleep(time);
        // Who waited may have gone.
        let _ = end.send(());
    });
    ended.await.expect("the thread sends");
}

/// What became of a future before another one was over.
enum Raced<T> {
    Done(T),
    TimedOut,
}

/// Awaits `future`, at most until `limit` is over; then drops it.
async fn race<F: Future>(future: F, limit: impl Future<Output = ()>) -> Raced<F::Output> {
    let (mut future, mut limit) = (pin!(future), pin!(limit));
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Raced::Done(output));
        }
        limit.as_mut().poll(context).map(|()| Raced::TimedOut)
    })
    .await
}

/// Awaits all, as long as one is not done.
async fn join_all<T>(mut handles: Vec<Handle<T>>) -> Vec<Result<T, TaskError>> {
    let mut results: Vec<_> = handles.iter().map(|_| None).collect();
    poll_fn(move |context| {
        for (handle, result) in handles.iter_mut().zip(&mut results) {
            if result.is_none() {
                if let Poll::Ready(output) = Pin::new(handle).poll(context) {
                    *result = Some(output);
                }
            }
        }
        if results.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(results.iter_mut().map(|result| result.take().expect("done")).collect())
    })
    .await
}

/// What must hold in every runtime.
fn holds_in(runtime: &impl Runtime) {
    results_errors_and_cancellations_arrive(runtime);
    a_timeout_loses_nothing(runtime);
    the_loser_of_a_select_is_cancelled_if_its_handle_says_so(runtime);
    many_are_awaited_at_once(runtime);
    tasks_and_awaits_alternate(runtime);
}

fn results_errors_and_cancellations_arrive(runtime: &impl Runtime) {
    let pool = pool_of(1);
    let (slow, open) = gated(&pool, 1);
    let panics = pool.submit(|| -> () { panic!("no bread") }).expect("open");
    let cancelled = pool.submit(|| ()).expect("open");
    assert!(cancelled.cancel());

    let opener = thread::spawn(move || {
        thread::sleep(SHORT);
        drop(open);
    });
    runtime.block_on(async {
        assert_eq!(slow.await.expect("no panic"), 1);
        let error: TaskError = panics.await.expect_err("it panicked");
        assert_eq!(error.to_string(), "the task panicked: no bread");
        assert!(cancelled.await.expect_err("cancelled").is_cancelled());
        let over = pool.submit(|| 2).expect("open");
        over.wait();
        assert_eq!(over.await.expect("no panic"), 2);
    });
    opener.join().expect("no panic");
}

fn a_timeout_loses_nothing(runtime: &impl Runtime) {
    let pool = pool_of(1);
    let (mut handle, open) = gated(&pool, String::from("kept"));

    runtime.block_on(async {
        for _ in 0..3 {
            let raced = race(&mut handle, runtime.sleep(SHORT)).await;
            assert!(matches!(raced, Raced::TimedOut));
        }
        assert!(!handle.wait_timeout(SHORT), "a blocking wait in between");
        drop(open);
        let Raced::Done(result) = race(&mut handle, runtime.sleep(LONG)).await else {
            panic!("not woken");
        };
        assert_eq!(result.expect("no panic"), "kept");
    });
    assert!(matches!(handle.try_collect(), Err(TaskError::AlreadyCollected)));
}

fn the_loser_of_a_select_is_cancelled_if_its_handle_says_so(runtime: &impl Runtime) {
    let pool = pool_of(1);
    let (started, has_started) = mpsc::channel();
    let (stopped, has_stopped) = mpsc::channel();
    let running = pool.submit(move || {
        started.send(()).expect("waited for");
        while !is_cancel_requested() {
            core::hint::spin_loop();
        }
        stopped.send(()).expect("waited for");
    });
    let running = running.expect("open").cancel_on_drop();
    has_started.recv().expect("it starts");
    let pending = pool.submit(|| unreachable!("it was dropped")).expect("open").cancel_on_drop();

    runtime.block_on(async {
        let raced: Raced<Result<(), _>> = race(pending, runtime.sleep(SHORT)).await;
        assert!(matches!(raced, Raced::TimedOut));
        let raced = race(running, runtime.sleep(SHORT)).await;
        assert!(matches!(raced, Raced::TimedOut));
    });

    has_stopped.recv().expect("asked to stop");
    let done = pool.submit(|| 7).expect("open").cancel_on_drop();
    assert_eq!(runtime.block_on(done).expect("no panic"), 7);
}

fn many_are_awaited_at_once(runtime: &impl Runtime) {
    const TASKS: usize = 500;
    let pool = pool_of(4);
    let handles = (0..TASKS).map(|n| pool.submit(move || n).expect("open")).collect();

    let results = runtime.block_on(join_all(handles));

    let results: Result<Vec<_>, _> = results.into_iter().collect();
    assert_eq!(results.expect("no panic"), (0..TASKS).collect::<Vec<_>>());
}

fn tasks_and_awaits_alternate(runtime: &impl Runtime) {
    let pool = pool_of(2);
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for n in 0..500 {
            sum += pool.submit(move || n).expect("open").await.expect("no panic");
        }
        sum
    });
    assert_eq!(sum, 499 * 500 / 2);
}

#[test]
fn handles_are_awaited_in_tokio_on_one_thread() {
    holds_in(&Tokio::current_thread());
}

#[test]
fn handles_are_awaited_in_tokio_on_several_threads() {
    holds_in(&Tokio::multi_thread());
}

#[test]
fn handles_are_awaited_in_smol() {
    holds_in(&Smol);
}

#[test]
fn handles_are_awaited_in_the_executor_of_futures() {
    holds_in(&Futures);
}

#[test]
fn handles_are_awaited_in_a_loop_that_polls_by_hand() {
    holds_in(&ByHand);
}

#[test]
fn tokios_own_timeout_loses_nothing() {
    let pool = pool_of(1);
    let (mut handle, open) = gated(&pool, 1);

    Tokio::current_thread().block_on(async {
        assert!(tokio::time::timeout(SHORT, &mut handle).await.is_err());
        drop(open);
        let result = tokio::time::timeout(LONG, &mut handle).await;
        assert_eq!(result.expect("in time").expect("no panic"), 1);
    });
}

#[test]
fn tokios_tasks_await_on_whichever_thread_they_are() {
    let pool = Arc::new(pool_of(2));
    let runtime = Tokio::multi_thread();

    let sum: usize = runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    let first = pool.submit(move || n).expect("open").await.expect("no panic");
                    tokio::task::yield_now().await;
                    first + pool.submit(move || n).expect("open").await.expect("no panic")
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("no panic");
        }
        sum
    });

    assert_eq!(sum, 2 * (0..64).sum::<usize>());
}

#[test]
fn a_handle_moves_between_runtimes_while_it_is_awaited() {
    let pool = pool_of(1);
    let (mut handle, open) = gated(&pool, 1);

    Smol.block_on(async {
        assert!(matches!(race(&mut handle, Smol.sleep(SHORT)).await, Raced::TimedOut));
    });
    let tokio = Tokio::multi_thread();
    tokio.block_on(async {
        assert!(matches!(race(&mut handle, tokio.sleep(SHORT)).await, Raced::TimedOut));
    });
    drop(open);

    assert_eq!(ByHand.block_on(handle).expect("no panic"), 1);
}

struct CountedWakes(AtomicUsize);

impl Wake for CountedWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn of_the_wakers_of_several_polls_the_last_is_woken_and_all_are_dropped() {
    let pool = pool_of(1);
    let (mut handle, open) = gated(&pool, 1);
    let wakers: [_; 4] = core::array::from_fn(|_| Arc::new(CountedWakes(AtomicUsize::new(0))));

    for wakes in &wakers {
        let waker = Waker::from(wakes.clone());
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(&mut handle).poll(&mut context).is_pending());
        assert!(Pin::new(&mut handle).poll(&mut context).is_pending(), "the same one again");
    }
    drop(open);
    pool.join();

    let woken = wakers.each_ref().map(|wakes| wakes.0.load(Ordering::SeqCst));
    assert_eq!(woken, [0, 0, 0, 1]);
    assert_eq!(wakers.map(|wakes| Arc::strong_count(&wakes)), [1; 4], "none is kept");
}

#[test]
fn a_handle_that_is_dropped_while_it_is_awaited_drops_its_waker() {
    let pool = pool_of(1);
    let (mut handle, open) = gated(&pool, 1);
    let wakes = Arc::new(CountedWakes(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);

    drop(handle);
    drop(open);
    drop(pool);

    assert_eq!(Arc::strong_count(&wakes), 1);
}
