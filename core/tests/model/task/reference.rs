//! The state machine that the pool must follow. Values only: it knows nothing of the pool.

use super::Opening;
use asyncpal_core::lifecycle::Phase;
use asyncpal_core::sync::STUBS;
use asyncpal_core::task::Status;
use std::collections::VecDeque;

/// So many spawns fail in a row while nobody lives, and what is pending is given up.
const SPAWN_ATTEMPTS: usize = 3;

/// What the pool remembers of spawns that have failed.
#[derive(Debug, Default)]
struct Growth {
    /// Since a worker has started.
    failures: u32,
    /// Nobody tries before this millisecond, unless nobody lives.
    until: u64,
    /// Workers that finish a task try.
    owed: bool,
}

impl Growth {
    fn is_due(&self, millis: u64) -> bool {
        self.failures == 0 || millis >= self.until
    }

    fn failed(&mut self, millis: u64) {
        self.owed = true;
        if self.failures < 3 || self.is_due(millis) {
            self.failures = 15.min(self.failures + 1);
            self.until = millis + 1 + (1 << 10.min(self.failures - 1));
        }
    }

    fn started(&mut self) {
        let owed = self.owed || self.failures > 0;
        *self = Self { owed, ..Self::default() };
    }
}

/// A task, or what became of one that was not taken.
#[derive(Debug)]
pub struct Task {
    /// Its number in the pool, if it got that far.
    pub id: usize,
    pub status: Status,
    /// A failure or a cancellation with a cause; a value, in any case, unless it was cancelled
    /// without.
    pub has_value: bool,
    pub handle: bool,
    pub taken: bool,
    pub runs: usize,
    /// Whether its job is still there.
    pub job: bool,
    pub callbacks: Vec<Callback>,
    pub slot: Slot,
    pub submitted: u64,
    pub started: u64,
    pub ended: u64,
}

impl Task {
    /// The handle goes, and with it the waker of its last poll.
    pub fn detach(&mut self) {
        self.handle = false;
        if let Slot::Polled(_) = self.slot {
            self.slot = Slot::Free;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    Armed,
    Removed,
    Called(Status),
}

/// A task's place for a waker, of which the scene knows the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Free,
    Polled(usize),
    Registered(usize),
    /// The task ended, and woke this one.
    Woke(usize),
}

/// What a submit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submit {
    Taken,
    Closed,
    Broken,
    Spawn,
}

#[derive(Debug)]
struct Worker {
    tasks_left: usize,
    /// It has not run a task.
    is_new: bool,
}

/// What the pool should be like.
#[derive(Debug)]
pub struct Reference {
    pub tasks: Vec<Task>,
    pub phase: Phase,
    /// Tasks that got a number.
    pub submitted: usize,
    pub failing_spawns: usize,
    /// Spawns that were tried.
    pub attempts: usize,
    /// Workers that were spawned and have not begun.
    pub waiting: usize,
    working: Vec<Worker>,
    max_workers: usize,
    growth: Growth,
    queue: VecDeque<usize>,
    /// Tasks that were ever run inline.
    inlined: usize,
    /// In nanoseconds.
    pub now: u64,
}

impl Reference {
    pub fn new(max_workers: usize) -> Self {
        Self {
            tasks: Vec::new(),
            phase: Phase::Open,
            submitted: 0,
            failing_spawns: 0,
            attempts: 0,
            waiting: 0,
            working: Vec::new(),
            max_workers,
            growth: Growth::default(),
            queue: VecDeque::new(),
            inlined: 0,
            now: 0,
        }
    }

    pub fn live(&self) -> usize {
        self.waiting + self.working.len()
    }

    pub fn pending(&self) -> usize {
        self.tasks.iter().filter(|task| task.status == Status::Pending).count()
    }

    /// Values that are somewhere in a task.
    pub fn values(&self) -> usize {
        let holds = |task: &&Task| task.has_value && task.handle && !task.taken;
        self.tasks.iter().filter(holds).count()
    }

    /// A submit of the next task.
    pub fn submit(&mut self) -> Submit {
        let task = self.tasks.len();
        self.tasks.push(Task {
            id: 0,
            status: Status::Pending,
            has_value: false,
            handle: true,
            taken: false,
            runs: 0,
            job: true,
            callbacks: Vec::new(),
            slot: Slot::Free,
            submitted: self.now,
            started: self.now,
            ended: self.now,
        });
        let verdict = match self.phase {
            Phase::Open => {
                self.submitted += 1;
                self.tasks[task].id = self.submitted;
                self.queue.push_back(task);
                if self.call_for_worker(0) { Submit::Taken } else { Submit::Spawn }
            }
            Phase::Broken => Submit::Broken,
            Phase::Draining | Phase::Terminated => Submit::Closed,
        };
        if verdict != Submit::Taken {
            // The job was given back, and dropped by the scene.
            self.tasks[task].job = false;
            self.tasks[task].handle = false;
            self.tasks[task].status = Status::Cancelled;
            if verdict == Submit::Spawn {
                self.drain(true);
            }
        }
        verdict
    }

    fn millis(&self) -> u64 {
        self.now / 1_000_000
    }

    /// False if nobody lives and none could be spawned. The caller itself may be looking.
    fn call_for_worker(&mut self, looking: usize) -> bool {
        let mut failed = false;
        loop {
            let due = !failed && self.growth.is_due(self.millis());
            let wanted = due && self.pending() > self.waiting + looking;
            if self.live() == self.max_workers || self.live() > 0 && !wanted {
                return true;
            }
            self.attempts += 1;
            if self.failing_spawns == 0 {
                self.waiting += 1;
                return true;
            }
            self.failing_spawns -= 1;
            self.growth.failed(self.millis());
            failed = true;
            if self.pending() == 0 {
                return true;
            }
            if self.growth.failures as usize >= SPAWN_ATTEMPTS && self.live() == 0 {
                return false;
            }
        }
    }

    fn call_or_drain(&mut self, looking: usize) {
        if !self.call_for_worker(looking) {
            self.drain(true);
        }
    }

    /// A worker that looks for a task tries to grow again.
    pub fn resumes_growth(&mut self) {
        if !self.growth.owed || !self.growth.is_due(self.millis()) {
            return;
        }
        if self.live() < self.max_workers && self.pending() > self.waiting + 1 {
            self.call_or_drain(1);
        } else {
            self.growth.owed = false;
        }
    }

    /// Cancels what is in the queue.
    fn drain(&mut self, with_cause: bool) {
        while let Some(task) = self.queue.pop_front() {
            self.cancel(task, with_cause);
        }
    }

    /// Whether the task was pending and is cancelled.
    pub fn cancel(&mut self, task: usize, with_cause: bool) -> bool {
        if !self.is_claimable(task) {
            return false;
        }
        self.tasks[task].started = self.now;
        self.end(task, Status::Cancelled, with_cause);
        true
    }

    /// Whether a waiting worker would get the task.
    pub fn is_claimable(&self, task: usize) -> bool {
        self.tasks[task].status == Status::Pending
    }

    /// A task begins to run; `inline` if a waiter claimed it, else the next in the queue.
    pub fn begin(&mut self, task: usize, inline: bool) {
        assert!(self.is_claimable(task), "only a pending task runs");
        let mut calls_the_next = false;
        if !inline {
            while self.queue.front().is_some_and(|&stub| !self.is_claimable(stub)) {
                self.queue.pop_front();
            }
            assert_eq!(self.queue.pop_front(), Some(task), "first in, first out");
            let worker = self.working.last_mut().expect("a worker works");
            worker.tasks_left = worker.tasks_left.checked_sub(1).expect("a worker was told to go");
            calls_the_next = core::mem::take(&mut worker.is_new);
        }
        let now = self.now;
        let task = &mut self.tasks[task];
        task.status = Status::Running;
        task.runs += 1;
        task.started = now;
        if inline {
            self.clear_stubs();
        }
        if calls_the_next && !self.queue.is_empty() {
            assert!(self.call_for_worker(0), "the caller lives");
        }
    }

    /// Whoever clears stubs away has a pending entry in his hands for a moment.
    fn clear_stubs(&mut self) {
        self.inlined += 1;
        if self.inlined % STUBS == 0 && self.pending() > 0 {
            self.call_or_drain(0);
        }
    }

    /// A task ends.
    pub fn end(&mut self, task: usize, status: Status, has_value: bool) {
        let now = self.now;
        let task = &mut self.tasks[task];
        task.status = status;
        task.has_value = has_value;
        task.ended = now;
        task.job = false;
        for callback in &mut task.callbacks {
            if *callback == Callback::Armed {
                *callback = Callback::Called(status);
            }
        }
        if let Slot::Polled(waker) | Slot::Registered(waker) = task.slot {
            task.slot = Slot::Woke(waker);
        }
    }

    /// A callback is added to a task that is over, or not.
    pub fn observe(&mut self, task: usize) {
        let Task { status, callbacks, .. } = &mut self.tasks[task];
        callbacks.push(if status.is_done() { Callback::Called(*status) } else { Callback::Armed });
    }

    /// A spawned worker begins.
    pub fn opens(&mut self, opening: Opening, tasks: usize) {
        self.waiting -= 1;
        match opening {
            Opening::Fine => {
                self.working.push(Worker { tasks_left: tasks, is_new: true });
                self.growth.started();
                self.resumes_growth();
            }
            Opening::Broken => self.breaks(),
            Opening::NoWorker => {
                self.growth.failed(self.millis());
                let again = (self.growth.failures as usize) < SPAWN_ATTEMPTS;
                if again && self.phase == Phase::Open {
                    if self.live() == 0 && self.pending() > 0 {
                        self.call_or_drain(0);
                    }
                } else if self.phase != Phase::Open || self.live() == 0 {
                    self.drain(true);
                }
            }
        }
    }

    /// A worker calls its finalizer, and goes: it was told to, or nothing is pending. `spawned` says
    /// whether it has called for a successor, which it must if a task is pending, and may if not: it
    /// cannot be certain that the queue is empty.
    pub fn leaves(&mut self, finalizer_fails: bool, spawned: bool) {
        let worker = self.working.pop().expect("a worker works");
        if self.phase != Phase::Open {
            self.drain(false);
        } else if worker.tasks_left > 0 {
            assert_eq!(self.pending(), 0, "a worker leaves no task behind");
            self.queue.clear();
        }
        if finalizer_fails {
            self.breaks();
        }
        if self.phase != Phase::Open {
            self.drain(false);
        } else if self.pending() > 0 || spawned {
            self.call_or_drain(0);
        }
    }

    fn breaks(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Broken;
            self.drain(false);
        }
    }

    pub fn close(&mut self) -> bool {
        let first = self.phase < Phase::Draining;
        if first {
            self.phase = Phase::Draining;
            self.drain(false);
        }
        first
    }
}
