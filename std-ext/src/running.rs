//! The task that this thread runs: whether it should stop, what it is called, and whom it concerns.

use core::cell::{Cell, RefCell};
use core::ptr::NonNull;

use asyncpal_core::clock::Clock;
use asyncpal_core::task::{Job, KeptJob, Label, Running, TakeLabel, TakeReceipt};

use crate::clock::StdClock;
use crate::contain::caught;
use crate::failure::{Failure, Origin};
use crate::observe::{Ending, EventKind, Observer, TaskLabel};
use crate::sync::{Arc, thread_local};

/// What a thread is at.
#[derive(Clone, Copy)]
struct Current {
    task: Option<NonNull<Running<'static>>>,
    /// Whether somebody wants to know of single tasks of this thread's pool.
    observed: bool,
}

/// For whom a thread runs tasks.
#[derive(Clone)]
struct Post {
    observer: Arc<Observer>,
    /// The worker that this thread is, if it is one of that pool.
    worker: Option<usize>,
}

struct Posts {
    /// What the thread is at.
    now: Option<Post>,
    /// That of the worker that it is.
    own: Option<Post>,
}

thread_local! {
    // No destructor: readable for as long as the thread runs, `exit` included.
    static CURRENT: Cell<Current> = const { Cell::new(Current { task: None, observed: false }) };
    static POSTS: RefCell<Posts> = const { RefCell::new(Posts { now: None, own: None }) };
}

fn current() -> Option<NonNull<Running<'static>>> {
    CURRENT.with(Cell::get).task
}

/// Whether the task that calls this should stop: somebody has called
/// [`cancel`](crate::Handle::cancel) on its handle after it had started, or the program is about to
/// end. False outside a task, and in a worker process.
///
/// A running task cannot be stopped from outside. One that takes long asks this now and then, and
/// returns early; what it returns is its result, as ever. What happened before the `cancel` is seen by
/// who sees it here. It costs a load or two.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::ThreadPool;
///
/// let pool = ThreadPool::new();
/// let (started, has_started) = std::sync::mpsc::channel();
/// let handle = pool.submit(move || {
///     started.send(()).unwrap();
///     let mut rounds = 0_u64;
///     while !asyncpal::is_cancel_requested() {
///         rounds += 1;
///     }
///     rounds
/// })?;
///
/// has_started.recv()?;
/// assert!(!handle.cancel(), "it runs: it is only asked to stop");
/// println!("{} rounds", handle.collect()?);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub fn is_cancel_requested() -> bool {
    current().is_some_and(|task| {
        // SAFETY: `Entered` put it there for as long as the task is lent, on this thread.
        unsafe { task.as_ref() }.is_cancel_requested()
    })
}

/// The task that calls this; `None` outside a task, and in a worker process. In a task that another one
/// runs while it waits: the inner one.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{ThreadPool, current_task};
///
/// let pool = ThreadPool::new();
/// let handle = pool.submit_labelled("greeting", || current_task().unwrap())?;
/// let id = handle.task_id();
///
/// let task = handle.collect()?;
/// assert_eq!((task.id(), task.label()), (id, Some("greeting")));
/// assert!(current_task().is_none());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub fn current_task() -> Option<CurrentTask> {
    current().map(|task| {
        // SAFETY: as in `is_cancel_requested`.
        let task = unsafe { task.as_ref() };
        CurrentTask { id: task.id(), label: task.label().cloned() }
    })
}

/// What [`current_task`] tells of a task: it may be kept and sent elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CurrentTask {
    id: usize,
    label: Option<Label>,
}

impl CurrentTask {
    /// Its number in its pool.
    pub fn id(&self) -> usize {
        self.id
    }

    /// Its [label](crate::Labelled), if it has one.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

/// From now on this thread is that worker of `observer`'s pool.
pub(crate) fn take_own_post(observer: Arc<Observer>, worker: usize) -> Posted {
    let own = Post { observer, worker: Some(worker) };
    // A thread that is about to be gone has no post any more: nobody hears of what it runs.
    let _ = POSTS.try_with(|posts| posts.borrow_mut().own = Some(own.clone()));
    let mut posted = take(own);
    posted.is_own = true;
    posted
}

/// For as long as the guard is there this thread runs a task of `observer`'s pool.
pub(crate) fn take_post(observer: Arc<Observer>) -> Posted {
    let worker = worker_of(&observer);
    take(Post { observer, worker })
}

/// For as long as the guard is there this worker runs a task of its own pool, whatever it is at.
pub(crate) fn return_to_own_post() -> Option<Posted> {
    let own = POSTS.try_with(|posts| {
        let posts = posts.borrow();
        let is_there = |now: &Post| posts.own.as_ref().is_some_and(|own| own.is_of(&now.observer));
        if posts.now.as_ref().is_some_and(is_there) { None } else { posts.own.clone() }
    });
    own.ok().flatten().map(take)
}

fn take(post: Post) -> Posted {
    let observed = post.observer.is_wanted();
    let outer = POSTS.try_with(|posts| posts.borrow_mut().now.replace(post)).ok().flatten();
    let before = CURRENT.with(Cell::get);
    CURRENT.with(|current| current.set(Current { observed, ..before }));
    Posted { outer, observed: before.observed, is_own: false }
}

/// Gives the post back that the thread had before.
#[must_use]
pub(crate) struct Posted {
    outer: Option<Post>,
    observed: bool,
    is_own: bool,
}

impl Posted {
    /// The post is kept until the thread ends.
    pub(crate) fn for_good(self) {
        core::mem::forget(self);
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.set(Current { observed: self.observed, ..current.get() });
        });
        let left = POSTS.try_with(|posts| {
            let mut posts = posts.borrow_mut();
            let own = if self.is_own { posts.own.take() } else { None };
            (own, core::mem::replace(&mut posts.now, self.outer.take()))
        });
        // Out of the borrow: observers are the users', and may be dropped here.
        drop(left);
    }
}

impl Post {
    fn is_of(&self, observer: &Observer) -> bool {
        core::ptr::eq(&*self.observer, observer)
    }
}

/// This thread's post. None on a thread that is no worker, or is about to be gone.
fn post() -> Option<Post> {
    POSTS.try_with(|posts| posts.borrow().now.clone()).ok().flatten()
}

/// The worker that this thread is in `observer`'s pool.
pub(crate) fn worker_of(observer: &Observer) -> Option<usize> {
    let of_own = |own: &Post| if own.is_of(observer) { own.worker } else { None };
    POSTS.try_with(|posts| posts.borrow().own.as_ref().and_then(of_own)).ok().flatten()
}

/// Counts a task that this thread has run while it waited for it.
pub(crate) fn note_inlined() {
    let _ = POSTS.try_with(|posts| {
        if let Some(post) = &posts.borrow().now {
            post.observer.note_inlined();
        }
    });
}

/// A job that is this thread's current one while it runs.
pub(crate) struct Tracked<J>(pub(crate) J);

impl<S, J: Job<S, Failure>> Job<S, Failure> for Tracked<J> {
    type Output = J::Output;

    const RECEIPT: Option<TakeReceipt<J::Output>> = J::RECEIPT;

    const LABEL: Option<TakeLabel<Self>> =
        if J::LABEL.is_some() { Some(label_of::<S, J>) } else { None };

    fn run(self, seat: &mut S) -> Result<J::Output, Failure> {
        self.0.run(seat)
    }

    fn run_as(self, seat: &mut S, this: &Running<'_>) -> Result<J::Output, Failure> {
        let entered = Entered::new(this);
        if entered.observed {
            return observed(self.0, seat, this);
        }
        run_once(self.0, seat, this).map_err(|failure| attribute(failure, this))
    }

    fn announce(&mut self, seat: &mut S) -> bool {
        self.0.announce(seat)
    }

    fn keep(self) -> Option<KeptJob<S, Failure>> {
        self.0.keep()
    }
}

fn label_of<S, J: Job<S, Failure>>(job: &Tracked<J>) -> Label {
    J::LABEL.map(|label| label(&job.0)).unwrap_or_default()
}

/// Runs a job; it may unwind.
#[inline]
fn run_once<S, J>(job: J, seat: &mut S, this: &Running<'_>) -> Result<J::Output, Failure>
where
    J: Job<S, Failure>,
{
    caught(|| job.run_as(seat, this))
}

/// Runs a job while somebody wants to know.
#[inline(never)]
fn observed<S, J>(job: J, seat: &mut S, this: &Running<'_>) -> Result<J::Output, Failure>
where
    J: Job<S, Failure>,
{
    let Some(Post { observer, worker }) = post() else { return run_once(job, seat, this) };
    let task = TaskLabel { id: this.id(), label: this.label().map(|label| &**label) };
    let waited = this.waited();
    observer.tell(EventKind::TaskStarted { task, waited });

    let result = run_once(job, seat, this);

    let ran = this.end(StdClock.now());
    let result = result.map_err(|failure| attribute(failure, this));
    observer.note_times(worker, waited, ran);
    let ending = match &result {
        Ok(_) => Ending::Completed,
        Err(failure) => Ending::Failed(failure),
    };
    observer.tell(EventKind::TaskEnded { task, ending, waited, ran });
    result
}

/// Says which task failed, so that the failure can be reported.
#[cold]
fn attribute(failure: Failure, task: &Running<'_>) -> Failure {
    // A worker has a post until its thread ends.
    let Some(Post { observer, .. }) = post() else { return failure };
    observer.note_failure(&failure);
    failure.come_from(Origin {
        observer,
        task_id: task.id(),
        label: task.label().cloned(),
        cancel_requested: task.is_cancel_requested(),
    })
}

/// A task that this thread runs, inside another one if that waits for it.
struct Entered {
    outer: Option<NonNull<Running<'static>>>,
    observed: bool,
}

impl Entered {
    /// The task is this thread's current one until the guard is dropped.
    fn new(task: &Running<'_>) -> Self {
        let task = NonNull::from(task).cast();
        let Current { task: outer, observed } = CURRENT.with(Cell::get);
        CURRENT.with(|current| current.set(Current { task: Some(task), observed }));
        Self { outer, observed }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(Current { task: self.outer, ..current.get() }));
    }
}
