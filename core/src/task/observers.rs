//! Callbacks of a task: a list that is allocated on first use and never run under a lock.
//!
//! # State
//! A stack of nodes that only grows until the task is freed; a node that was emptied is used
//! again. Each node's word is a callback's id and a stage: free, filling, armed, emptying. Ids are the
//! program's, so that one task's is no other's: an id comes again after 2^30 callbacks (2^62 where words
//! have 64 bits).
//!
//! # Invariants
//! - **O1** A node's callback belongs to the thread that moved its stage to filling or emptying.
//! - **O2** A callback that was armed before the end is published runs on the resolver, whatever those before it do;
//!   one that came later is taken back by whoever added it, and runs there; never both.
//!
//! # Transitions
//! | name | change | by | when |
//! |---|---|---|---|
//! | `get_or_make` | the place of the list: null → the list | who adds a callback | it is the first |
//! | `add` | a node: free → filling → armed | who adds a callback | one is free |
//! | `push` | the head: → a new node, armed | who adds a callback | none is free |
//! | `remove` | a node: armed → emptying → free | who added it or removes it; resolver | the callback runs next, or will not run |
//!
//! # Edges
//! - **O3** arming (Release) / emptying (Acquire): the callback is seen; freeing (Release) /
//!   filling (Acquire): the emptied cell is.
//! - **O4** putting the list in its place (Release) / reading the place (Acquire): the list is
//!   initialised.
//! - O2 rests on the state word: `observe` and `publish` are read-modify-writes of one word, so one
//!   of them comes first.
//!
//! # Progress
//! Lock-free: a failed exchange means that another thread's succeeded.
//!
//! # Modelled by
//! `loom-tests/tests/task.rs`

use alloc::boxed::Box;
use core::ptr;

use super::Status;
use super::finally::Finally;
use crate::sync::{AtomicPtr, AtomicUsize, LastUse, Ordering, UnsafeCell, constructor, program};

/// What is called with the status in which the task ended.
pub(super) type Callback = Box<dyn FnOnce(Status) + Send>;

/// Names a callback of one task, so that it can be removed; of another task it names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObserverId(usize);

/// No callback, id zero.
const FREE: usize = 0;
const FILLING: usize = 1;
const ARMED: usize = 2;
const EMPTYING: usize = 3;

impl ObserverId {
    /// A node's word: this callback in this stage.
    const fn in_stage(self, stage: usize) -> usize {
        (self.0 << 2) | stage
    }
}

struct Node {
    word: AtomicUsize,
    content: UnsafeCell<Option<Callback>>,
    next: *mut Node,
}

/// A task's callbacks: the place of their list, and the list once there is one.
pub(super) struct Callbacks(AtomicPtr<Observers>);

impl Callbacks {
    constructor! {
        /// None yet.
        pub(super) fn new() -> Self {
            Self(AtomicPtr::new(ptr::null_mut()))
        }
    }

    /// Adds a callback.
    pub(super) fn add(&self, callback: Callback) -> ObserverId {
        self.get_or_make().add(callback)
    }

    /// Takes the callback `id` out; `None` if it has run, runs, or was removed.
    pub(super) fn remove(&self, id: ObserverId) -> Option<Callback> {
        self.get()?.remove(id)
    }

    /// Runs all callbacks, oldest first.
    pub(super) fn run_all(&self, status: Status) {
        if let Some(observers) = self.get() {
            observers.run_all(status);
        }
    }

    /// The list, made if it is not there yet.
    fn get_or_make(&self) -> &Observers {
        // ORDERING: Acquire, O4: the list is initialised.
        let mut list = self.0.load(Ordering::Acquire);
        if list.is_null() {
            let fresh = Box::into_raw(Box::new(Observers::new()));
            // ORDERING: Release, O4: the fresh list. Acquire on failure, O4: the other's.
            list = match self.0.compare_exchange(
                ptr::null_mut(),
                fresh,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => fresh,
                Err(other) => {
                    // SAFETY: nobody else has seen the fresh list.
                    drop(unsafe { Box::from_raw(fresh) });
                    other
                }
            };
        }
        // SAFETY: a list that was put in place stays there until the task is freed, and the place
        // is borrowed from the task.
        unsafe { &*list }
    }

    /// The list, if it was made.
    fn get(&self) -> Option<&Observers> {
        // ORDERING: Acquire, O4: the list is initialised. Who knows of a callback in it has seen it, but an id may be
        // another task's.
        let list = self.0.load(Ordering::Acquire);
        // SAFETY: as in `get_or_make`.
        unsafe { list.as_ref() }
    }

    /// Drops the list.
    ///
    /// # Safety
    ///
    /// Nobody else can reach the task any more.
    pub(super) unsafe fn clear(&self) {
        // ORDERING: Relaxed: the thread that frees the task is alone with it (E3).
        let list = self.0.load(Ordering::Relaxed);
        if !list.is_null() {
            // ORDERING: Relaxed: as above.
            self.0.store(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: the list was made by `get_or_make`, and by the caller's promise this is the
            // last use.
            drop(unsafe { Box::from_raw(list) });
        }
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        self.0.last_use();
        // SAFETY: they are dropped with their task.
        unsafe { self.clear() };
    }
}

struct Observers {
    head: AtomicPtr<Node>,
}

/// The latest callback's.
static LAST_ID: program::AtomicUsize = program::AtomicUsize::new(0);

impl Observers {
    fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Adds a callback.
    fn add(&self, callback: Callback) -> ObserverId {
        // ORDERING: Relaxed: only distinct, and of one thread's in order.
        let id = ObserverId(LAST_ID.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        let free = self.nodes().find(|node| node.change(FREE, id.in_stage(FILLING)));
        if let Some(node) = free {
            // SAFETY: O1: this thread moved the stage to filling.
            node.content.with_mut(|content| unsafe { *content = Some(callback) });
            // ORDERING: Release, O3: the callback.
            node.word.store(id.in_stage(ARMED), Ordering::Release);
        } else {
            self.push(id, callback);
        }
        id
    }

    fn push(&self, id: ObserverId, callback: Callback) {
        let node = Box::into_raw(Box::new(Node {
            word: AtomicUsize::new(id.in_stage(ARMED)),
            content: UnsafeCell::new(Some(callback)),
            next: ptr::null_mut(),
        }));
        // ORDERING: Relaxed: only the value to compare; the list below it was published by the
        // exchange that this one continues.
        let mut seen = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is not in the list yet, so it is this thread's.
            unsafe { (*node).next = seen };
            // ORDERING: Release, O3: the node. Relaxed on failure: retried.
            match self.head.compare_exchange(seen, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes the callback `id` out; `None` if it has run, runs, or was removed.
    fn remove(&self, id: ObserverId) -> Option<Callback> {
        let node =
            self.nodes().find(|node| node.change(id.in_stage(ARMED), id.in_stage(EMPTYING)))?;
        // SAFETY: O1: this thread moved the stage to emptying.
        let callback = node.content.with_mut(|content| unsafe { (*content).take() });
        // ORDERING: Release, O3: the emptied cell, for the node's next user.
        node.word.store(FREE, Ordering::Release);
        callback
    }

    /// Runs all callbacks, oldest first; the others, too, if one of them panics.
    fn run_all(&self, status: Status) {
        while let Some(oldest) = self.oldest() {
            if let Some(callback) = self.remove(oldest) {
                let others = Finally(|| self.run_all(status));
                callback(status);
                others.dismiss();
            }
        }
    }

    fn oldest(&self) -> Option<ObserverId> {
        self.nodes().filter_map(Node::armed).min_by_key(|id| id.0)
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        // ORDERING: Acquire, O3: the nodes.
        let mut at = self.head.load(Ordering::Acquire);
        core::iter::from_fn(move || {
            // SAFETY: nodes are freed only with the list, which is borrowed.
            let node = unsafe { at.as_ref() }?;
            at = node.next;
            Some(node)
        })
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        // ORDERING: Relaxed: the list is this thread's alone.
        let mut at = self.head.load(Ordering::Relaxed);
        self.head.last_use();
        while !at.is_null() {
            // SAFETY: every node came from a box and is reached once.
            let mut node = unsafe { Box::from_raw(at) };
            node.word.last_use();
            node.content.last_use();
            at = node.next;
        }
    }
}

impl Node {
    fn change(&self, from: usize, to: usize) -> bool {
        // ORDERING: Acquire on success, O3. Relaxed on failure: the node is left alone.
        self.word.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn armed(&self) -> Option<ObserverId> {
        // ORDERING: Relaxed: a hint; emptying the node brings the edge.
        let word = self.word.load(Ordering::Relaxed);
        (word & 3 == ARMED).then_some(ObserverId(word >> 2))
    }
}
