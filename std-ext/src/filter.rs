//! A set of tasks that gives them back as they are done, and can be fed meanwhile.
//!
//! # State
//! | what      | meaning                                                                    |
//! |-----------|----------------------------------------------------------------------------|
//! | `members` | the handles that were put and not got, by number, in the order of the puts |
//! | `board`   | the numbers of those that are done, in the order in which they were        |
//!
//! The board alone is known to the tasks' callbacks; it holds no handle, so a filter that is dropped
//! drops its handles at once.
//!
//! # Invariants
//! - **N1** A member's number is put on the board once, after its task is over. Whoever takes it off
//!   takes the member out, or, if that is lent, has it put on again (N3). So every handle is got
//!   once.
//! - **N2** `board.left` is raised before a member is put and lowered after it was taken out: zero
//!   there means that nothing is in the set.
//! - **N3** A member is lent to a worker that runs its task here. If its number was taken off the
//!   board meanwhile, the worker puts it on again when it gives the handle back.
//! - **N4** Locks are taken in the order members, board. No user's code runs under either.
//!
//! # Edges
//! All from the two locks. Whoever makes true what others sleep for (a number on the board, zero
//! left, for workers a put) does so under the board's lock before it notifies.
//!
//! # Modelled by
//! `loom-tests/tests/pool/filter.rs`

mod board;

use core::fmt;
use core::mem;
use core::time::Duration;
use std::collections::BTreeMap;

use self::board::{Board, Look};
use crate::clock::Deadline;
use crate::current::CurrentWorker;
use crate::handle::{CallbackId, Handle};
use crate::sync::{Arc, Mutex, lock};
use crate::watcher::Generation;

/// A set of handles from which they are got as their tasks are done.
///
/// Any number of threads may put and get at the same time: each handle is got once. Who waits for
/// one is also served by a put that comes later. A worker that waits without a timeout for tasks
/// of its own pool runs the oldest pending one meanwhile. Dropping the filter detaches the tasks in
/// it. In a child that was forked since it was made it is empty and stays so.
///
/// For a set that is known beforehand, [`as_done`](crate::as_done) is simpler.
///
/// # Examples
///
/// ```
/// # extern crate asyncpal_std as asyncpal;
/// use asyncpal::{CompletionFilter, ThreadPool};
///
/// let pool = ThreadPool::new();
/// let filter = CompletionFilter::new();
/// filter.put(pool.submit(|| 20)?);
///
/// // Each task that ends below a hundred has a successor.
/// let mut last = 0;
/// while let Some(handle) = filter.get() {
///     last = handle.collect()?;
///     if last < 100 {
///         filter.put(pool.submit(move || last * 2)?);
///     }
/// }
/// assert_eq!(last, 160);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[doc(alias = "FutureFilter")]
pub struct CompletionFilter<T> {
    members: Mutex<Members<T>>,
    board: Arc<Board>,
    /// The process whose threads share it.
    generation: Generation,
}

impl<T> CompletionFilter<T> {
    /// With nothing in it.
    pub fn new() -> Self {
        let members = Members { by_number: BTreeMap::new(), next_number: 0, settled: 0 };
        Self {
            members: Mutex::new(members),
            board: Arc::default(),
            generation: Generation::current(),
        }
    }

    /// Adds a handle.
    pub fn put(&self, handle: Handle<T>) {
        if self.is_forked() {
            return;
        }
        let mut members = lock(&self.members);
        let number = members.next_number;
        members.next_number += 1;
        self.board.announce();
        let board = self.board.clone();
        // If the task is over this calls back here and now, which N4 allows.
        let callback = if handle.is_forked() && !handle.is_done() {
            // It is as good as over: whoever gets it hears why.
            board.report(number);
            None
        } else {
            handle.add_callback(move |_| board.report(number))
        };
        let member = Member { handle: Some(handle), callback, tried: false, recalled: false };
        members.by_number.insert(number, member);
    }

    /// Adds handles.
    pub fn populate(&self, handles: impl IntoIterator<Item = Handle<T>>) {
        handles.into_iter().for_each(|handle| self.put(handle));
    }

    /// Waits for the next task that is done; `None` once nothing is in the filter.
    pub fn get(&self) -> Option<Handle<T>> {
        self.get_until(Deadline::NEVER)
    }

    /// Waits for the next task that is done, at most so long; `None` if none was, or once nothing is
    /// in the filter: [`is_empty`](Self::is_empty) says which.
    pub fn get_timeout(&self, timeout: Duration) -> Option<Handle<T>> {
        self.get_until(Deadline::after(timeout))
    }

    /// A task that is done, without waiting.
    pub fn try_get(&self) -> Option<Handle<T>> {
        if self.is_forked() {
            return None;
        }
        loop {
            let Look::Done(number) = self.board.look() else { return None };
            if let Some(handle) = self.take(number) {
                return Some(handle);
            }
        }
    }

    /// The handles, each as its task is done, until nothing is in the filter.
    pub fn get_all(&self) -> GetAll<'_, T> {
        GetAll { filter: self, deadline: Deadline::NEVER }
    }

    /// How many handles are in it: a snapshot.
    pub fn len(&self) -> usize {
        if self.is_forked() { 0 } else { self.board.members() }
    }

    /// Whether nothing is in it: a snapshot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a task in it is done: a snapshot.
    pub(crate) fn is_any_done(&self) -> bool {
        !self.is_forked() && self.board.has_news()
    }

    /// Whether all tasks in it are done: a snapshot.
    pub(crate) fn are_all_done(&self) -> bool {
        self.is_forked() || self.board.is_full()
    }

    /// The handles that were not got, in the order of the puts.
    pub fn into_rest(self) -> impl Iterator<Item = Handle<T>> {
        let members = if self.is_forked() {
            BTreeMap::new()
        } else {
            mem::take(&mut lock(&self.members).by_number)
        };
        members.into_values().filter_map(|Member { handle, callback, .. }| {
            // Whoever waits for it again and again would leave one each time.
            if let (Some(handle), Some(callback)) = (&handle, callback) {
                handle.remove_callback(callback);
            }
            handle
        })
    }

    /// Whether it was made in a process that this one was forked from. Then another thread of that
    /// process may have held its locks for ever.
    fn is_forked(&self) -> bool {
        self.generation.is_past()
    }

    pub(crate) fn get_until(&self, deadline: Deadline) -> Option<Handle<T>> {
        if self.is_forked() {
            return None;
        }
        // A timed wait never runs a task: ten milliseconds must not become ten seconds.
        let helps = deadline.is_never() && CurrentWorker::get().is_some_and(|worker| worker.inline);
        loop {
            let puts = match self.board.look() {
                Look::Done(number) => match self.take(number) {
                    Some(handle) => return Some(handle),
                    None => continue,
                },
                Look::Nothing => return None,
                Look::Waiting { puts } => puts,
            };
            if helps && self.help() {
                continue;
            }
            if !self.board.sleep(helps.then_some(puts), deadline) {
                return None;
            }
        }
    }

    /// Takes out the member whose number was taken off the board; `None` if it is lent.
    fn take(&self, number: u64) -> Option<Handle<T>> {
        let mut members = lock(&self.members);
        let member = members.by_number.get_mut(&number).expect("N1: it was on the board once");
        let Some(handle) = member.handle.take() else {
            member.recalled = true;
            return None;
        };
        members.by_number.remove(&number);
        drop(members);
        self.board.taken();
        Some(handle)
    }

    /// Runs the oldest pending member here; false if there is none that this worker may run.
    fn help(&self) -> bool {
        let lent = lock(&self.members).lend();
        let Some((number, handle)) = lent else { return false };
        let lent = Lent { filter: self, number, handle: Some(handle) };
        // Somebody may be faster, so this may do nothing; then the next look finds the next one.
        if let Some(handle) = &lent.handle {
            handle.run_here();
        }
        true
    }
}

/// A member that is lent, and given back even if what its end tells (a waker) panics: N3.
struct Lent<'f, T> {
    filter: &'f CompletionFilter<T>,
    number: u64,
    /// `None` once it is given back.
    handle: Option<Handle<T>>,
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let mut members = lock(&self.filter.members);
        let member = members.by_number.get_mut(&self.number);
        let member = member.expect("N3: what is lent stays a member");
        member.handle = self.handle.take();
        let recalled = mem::take(&mut member.recalled);
        drop(members);
        if recalled {
            self.filter.board.report(self.number);
        }
    }
}

struct Members<T> {
    by_number: BTreeMap<u64, Member<T>>,
    next_number: u64,
    /// No member below is pending: who helps need not look there.
    settled: u64,
}

struct Member<T> {
    /// `None` while it is lent.
    handle: Option<Handle<T>>,
    /// Reports its end, unless it was over when it came.
    callback: Option<CallbackId>,
    /// It was lent once, so it is pending no more.
    tried: bool,
    /// Its number was taken off the board while it was lent.
    recalled: bool,
}

impl<T> Members<T> {
    /// Lends the oldest pending member that this thread may run.
    fn lend(&mut self) -> Option<(u64, Handle<T>)> {
        let mut all_settled = true;
        for (&number, member) in self.by_number.range_mut(self.settled..) {
            let pending = !member.tried && member.handle.as_ref().is_some_and(Handle::is_pending);
            if pending {
                if member.handle.as_ref().is_some_and(Handle::is_ours) {
                    member.tried = true;
                    return member.handle.take().map(|handle| (number, handle));
                }
                all_settled = false;
            } else if all_settled {
                self.settled = number + 1;
            }
        }
        None
    }
}

impl<T> Default for CompletionFilter<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<Handle<T>> for CompletionFilter<T> {
    fn from_iter<I: IntoIterator<Item = Handle<T>>>(handles: I) -> Self {
        let filter = Self::new();
        filter.populate(handles);
        filter
    }
}

impl<T> fmt::Debug for CompletionFilter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionFilter").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Iterator of [`CompletionFilter::get_all`].
#[must_use = "iterators are lazy"]
#[derive(Debug)]
pub struct GetAll<'f, T> {
    filter: &'f CompletionFilter<T>,
    deadline: Deadline,
}

impl<T> GetAll<'_, T> {
    /// Ends the iteration so long from now; what was not done stays in the filter.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Deadline::after(timeout);
        self
    }
}

impl<T> Iterator for GetAll<'_, T> {
    type Item = Handle<T>;

    fn next(&mut self) -> Option<Handle<T>> {
        self.filter.get_until(self.deadline)
    }
}
