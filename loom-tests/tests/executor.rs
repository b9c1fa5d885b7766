//! Models of the engine: the production worker loop `work` and `Executor::submit` on the checker's
//! threads.
//!
//! # Claims
//! - **I2** of the census, end to end: what is submitted runs, whatever the worker was about to
//!   do: go idle, retire, be recycled, be renewed (`growth`).
//! - A caller that waits before it submits again finds the worker free; a task that waits for a
//!   later one is not in its way while a slot is free (`growth`).
//! - **X1**, **X3**, **C8**: the pending tasks are never counted too low (`counts`).
//! - **I5** of the census: a task whose submitter relied on a worker that is about to look is not stuck
//!   behind what that worker finds (`called`).
//! - **U1** to **U5**: what is out of its turn has not passed, wherever it is (`ahead`, `stubs`).
//! - **D1** to **D6**: what a worker has taken ahead runs once, there or elsewhere, or is cancelled; a task
//!   that gives back what is behind it may wait for it (`ahead`).
//! - **D7**: a job that is cancelled may wait for the task that a worker has in its hands (`in_hand`).
//! - **N1** to **N10**: a seat is in one thread's hands; callers that borrow one, submitters, and what a
//!   worker was about to do leave no task behind (`loan`).
//! - **N12**: a worker that has its seat back is not idle, and answers whoever has called it meanwhile (`home`).
//! - **C6**: whatever spawn or initializer fails, every submit is settled; growth that was held back
//!   is resumed by workers that finish a task, and not tried before it is due (`failure`).
//! - The fence of the lifecycle: a submit against `close` is settled; the queue is empty when the
//!   engine goes (**X5**); a stub's canceller keeps the engine (`ending`).
//!
//! Settled means: it ran, it was cancelled and its handle says so, or it was given back; once; and
//! its job was dropped. What hangs is reported as a deadlock.
//!
//! A model that states its own bound would take minutes with more.
#![cfg(asyncpal_loom)]
#![expect(unreachable_pub, reason = "the modules of one test file see each other only")]

#[path = "executor/ahead.rs"]
mod ahead;
#[path = "executor/called.rs"]
mod called;
#[path = "executor/counts.rs"]
mod counts;
#[path = "executor/ending.rs"]
mod ending;
#[path = "executor/failure.rs"]
mod failure;
#[path = "executor/growth.rs"]
mod growth;
#[path = "executor/home.rs"]
mod home;
#[path = "executor/in_hand.rs"]
mod in_hand;
#[path = "executor/kind.rs"]
mod kind;
#[path = "executor/loan.rs"]
mod loan;
#[path = "executor/observed.rs"]
mod observed;
#[path = "executor/owner.rs"]
mod owner;
#[path = "executor/park.rs"]
mod park;
#[path = "executor/scenes.rs"]
mod scenes;
#[path = "common/stop.rs"]
mod stop;
#[path = "executor/stubs.rs"]
mod stubs;

use kind::ModelKind;

/// The owner of an engine on the heap.
type OnHeap = asyncpal_core::executor::Executor<ModelKind<asyncpal_core::executor::Heap>>;

/// The owner of one whose workers take tasks ahead.
type Ahead = asyncpal_core::executor::Executor<ModelKind<kind::HeapAhead>>;

/// The owner of one whose workers lend their seats.
type Lending = asyncpal_core::executor::Executor<ModelKind<kind::HeapLending>>;
