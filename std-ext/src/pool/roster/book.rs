//! The book of a pool's workers: who is there, and whose threads are to be joined. Threads keep it to their very
//! end, when the engine may be gone.
//!
//! # State
//! Under one lock:
//!
//! | field | meaning |
//! |---|---|
//! | `attendance` | the workers that have not left |
//! | `threads` | threads that were started and not joined |
//! | `waiting` | how many wait for a change |
//! | `when_empty` | what to do when nobody is there any more |
//!
//! # Invariants
//! - **B1** A thread is joined by whoever takes it out of `threads`, never by itself.
//! - **B2** A thread is gone once its locals are, of which the last takes it out of the way of others: it joins
//!   those that are gone, and under the same lock in which it finds none becomes one of them. So of any number of
//!   threads that have ended one is not joined, and no two wait for each other.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | `enlist` | a thread and its worker more | spawner | a worker is wanted |
//! | `change` | attendance | worker, spawner | a worker enters, leaves, waits |
//! | `thread_ends` | threads that are gone taken out, or this one is gone | thread | its locals are destroyed |
//! | `join_threads` | threads of workers that have left taken out | who ends the pool | after they have left |
//!
//! # Edges
//! The lock's.
//!
//! # Progress
//! Blocking, round spawns, ends and waits. Nobody is notified if nobody waits.
//!
//! # Modelled by
//! `loom-tests/tests/pool/`

use super::super::attendance::{Attendance, Returned};
use crate::clock::Deadline;
use crate::contain::contain;
use crate::sync::thread::{JoinHandle, is_this};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, Weak, is_abandoned, lock, wait};
use crate::watcher::Generation;

/// The book.
#[derive(Debug, Default)]
pub(in crate::pool) struct Book {
    roster: Mutex<Roster>,
    changed: Condvar,
}

#[derive(Default)]
struct Roster {
    attendance: Attendance,
    threads: Vec<Enlisted>,
    waiting: usize,
    when_empty: Option<WhenEmpty>,
}

type WhenEmpty = Box<dyn FnOnce() + Send>;

impl core::fmt::Debug for Roster {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Roster")
            .field("attendance", &self.attendance)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// A worker's thread.
#[derive(Debug)]
pub(in crate::pool) struct Enlisted {
    pub(in crate::pool) serial: u64,
    pub(in crate::pool) handle: JoinHandle<()>,
    /// Of what the thread keeps among its locals.
    pub(in crate::pool) locals: Weak<()>,
}

impl Enlisted {
    /// Whether nothing of it is left to wait for. `is_finished` alone says that the thread's function
    /// has returned; destructors of its locals, which are the user's, may still run.
    fn is_gone(&self) -> bool {
        self.handle.is_finished() && self.locals.strong_count() == 0
    }
}

/// All workers that were spawned up to some moment.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct Present {
    last_serial: u64,
}

impl Present {
    /// All, also those to come.
    pub(in crate::pool) const ALL: Self = Self { last_serial: u64::MAX };
}

impl Book {
    /// Looks at who is there.
    pub(in crate::pool) fn look<T>(&self, look: impl FnOnce(&Attendance) -> T) -> T {
        look(&lock(&self.roster).attendance)
    }

    /// Changes who is there.
    pub(in crate::pool) fn change<T>(&self, change: impl FnOnce(&mut Attendance) -> T) -> T {
        let mut roster = lock(&self.roster);
        let result = change(&mut roster.attendance);
        self.changed(roster);
        result
    }

    /// Wakes those who wait for a change, and does what is left to do when nobody is there any more.
    fn changed(&self, mut roster: MutexGuard<'_, Roster>) {
        let somebody_waits = roster.waiting > 0;
        let is_empty = roster.attendance.is_empty();
        let when_empty = if is_empty { roster.when_empty.take() } else { None };
        drop(roster);
        if somebody_waits {
            self.changed.notify_all();
        }
        if let Some(when_empty) = when_empty {
            when_empty();
        }
    }

    /// Has that done by the last one who leaves, or here if nobody is there.
    pub(in crate::pool) fn when_empty(&self, then: impl FnOnce() + Send + 'static) {
        let mut roster = lock(&self.roster);
        if !roster.attendance.is_empty() {
            roster.when_empty = Some(Box::new(then));
            return;
        }
        drop(roster);
        then();
    }

    /// The workers up to now.
    pub(in crate::pool) fn snapshot(&self) -> Present {
        Present { last_serial: self.look(Attendance::last_serial) }
    }

    /// Waits until those workers have left, but for those that cannot before the caller goes on, if there are any, and
    /// then those that wait in this way, too; false if some are still here at the deadline.
    pub(in crate::pool) fn wait_until_left(
        &self,
        workers: Present,
        callers: &[u64],
        deadline: Deadline,
    ) -> bool {
        let set_waiting = |waits| {
            if !callers.is_empty() {
                self.change(|present| {
                    callers.iter().for_each(|serial| present.set_waiting(*serial, waits));
                });
            }
        };
        set_waiting(true);
        // All of them wait now, so it does not matter which one asks.
        let caller = callers.first().copied();
        let all_left = self
            .wait_until(deadline, |roster| !roster.attendance.has_any(workers.last_serial, caller));
        set_waiting(false);
        all_left
    }

    fn wait_until(&self, deadline: Deadline, mut is_so: impl FnMut(&Roster) -> bool) -> bool {
        let mut roster = lock(&self.roster);
        while !is_so(&roster) {
            roster.waiting += 1;
            let woken = wait(&self.changed, roster, deadline);
            let timed_out = woken.is_none();
            roster = woken.unwrap_or_else(|| lock(&self.roster));
            roster.waiting -= 1;
            if timed_out {
                return is_so(&roster);
            }
        }
        true
    }

    /// Joins the threads of the workers that have left: their locals are gone afterwards. False if that takes
    /// longer than until the deadline.
    pub(in crate::pool) fn join_threads(&self, callers: &[u64], deadline: Deadline) -> bool {
        let has_left = |attendance: &Attendance, thread: &Enlisted| {
            let Enlisted { serial, handle, .. } = thread;
            !attendance.is_present(*serial) && !callers.contains(serial) && !is_this(handle)
        };
        let in_time = deadline.is_never()
            || self.wait_until(deadline, |Roster { attendance, threads, .. }| {
                let mut threads = threads.iter().filter(|thread| has_left(attendance, thread));
                // A thread that a spawner keeps for other purposes has no locals of ours.
                threads.all(|thread| thread.locals.strong_count() == 0)
            });
        let mut roster = lock(&self.roster);
        let Roster { attendance, threads, .. } = &mut *roster;
        let ended = take(threads, &|thread| {
            has_left(attendance, thread) && (deadline.is_never() || thread.is_gone())
        });
        drop(roster);
        join(ended);
        in_time
    }

    /// How many workers have not left, or have locals, but for the calling thread's, that are not destroyed yet.
    pub(in crate::pool) fn unfinished(&self) -> usize {
        let roster = lock(&self.roster);
        let is_ending = |thread: &&Enlisted| {
            !roster.attendance.is_present(thread.serial)
                && thread.locals.strong_count() > 0
                && !is_this(&thread.handle)
        };
        roster.attendance.count() + roster.threads.iter().filter(is_ending).count()
    }

    /// Spawns a worker's thread, and keeps it.
    pub(in crate::pool) fn enlist<E>(
        &self,
        spawn: impl FnOnce(u64) -> Result<Enlisted, E>,
    ) -> Result<(), E> {
        let mut roster = lock(&self.roster);
        let serial = roster.attendance.next_serial();
        let thread = spawn(serial)?;
        roster.threads.push(thread);
        roster.attendance.enter(serial);
        self.changed(roster);
        Ok(())
    }

    /// A spawner has returned.
    pub(in crate::pool) fn spawner_returned(
        &self,
        serial: u64,
        thread: Option<Enlisted>,
        well: bool,
    ) -> Returned {
        let mut roster = lock(&self.roster);
        let returned = roster.attendance.returned(serial, well);
        let gone = take(&mut roster.threads, &Enlisted::is_gone);
        if let (Returned::Spawned, Some(thread)) = (&returned, thread) {
            roster.threads.push(thread);
        }
        self.changed(roster);
        join(gone);
        returned
    }

    /// B2: the end of a thread, whose last local this is.
    fn thread_ends(&self, locals: &mut Option<Arc<()>>) {
        loop {
            let mut roster = lock(&self.roster);
            let gone = take(&mut roster.threads, &Enlisted::is_gone);
            if gone.is_empty() {
                drop(locals.take());
                self.changed(roster);
                return;
            }
            drop(roster);
            join(gone);
        }
    }
}

/// Takes those threads out.
fn take(threads: &mut Vec<Enlisted>, are_wanted: &dyn Fn(&Enlisted) -> bool) -> Vec<Enlisted> {
    let mut taken = Vec::new();
    while let Some(index) = threads.iter().position(are_wanted) {
        taken.push(threads.swap_remove(index));
    }
    taken
}

fn join(threads: Vec<Enlisted>) {
    for thread in threads {
        // `work` does not unwind: what users bring is caught. A spawner's thread is not ours, nor is what it panicked
        // with.
        contain(|| drop(thread.handle.join()));
    }
}

/// What a worker's thread keeps among its locals.
#[derive(Debug)]
pub(in crate::pool) struct Locals {
    token: Option<Arc<()>>,
    book: Arc<Book>,
    generation: Generation,
}

impl Locals {
    pub(in crate::pool) fn new(token: Arc<()>, book: Arc<Book>) -> Self {
        Self { token: Some(token), book, generation: Generation::current() }
    }
}

impl Drop for Locals {
    fn drop(&mut self) {
        if self.generation.is_past() {
            // The copy of a worker's thread ends in a child. The book is the parent's, and perhaps locked by a thread that
            // is not here.
            core::mem::forget((self.token.take(), self.book.clone()));
        } else if !is_abandoned() {
            self.book.thread_ends(&mut self.token);
        }
    }
}
