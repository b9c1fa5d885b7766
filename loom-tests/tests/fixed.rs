//! Models of the engine in a `static`: the production worker loop on an arena and an index ring.
//!
//! # Claims
//! - What is submitted runs, whatever the worker was about to do; a submit against `close` or a
//!   failing spawn is settled: the scenes of `executor.rs` on the other memory (`pool`).
//! - **A1**, **A3** of the arena: a slot serves one task after the other, and all that was done with
//!   one task happens before the next (`slots`).
//! - **A2**, **G1**, **G2**: stubs make room for as many tasks as there are slots, whoever clears
//!   them (`slots`).
//! - A thread that stops for ever anywhere keeps the slot that it has, and nobody else waits for it
//!   (`stops`).
//!
//! A slot's header is the checker's to watch, and dropping the engine is the last use of all slots.
#![cfg(asyncpal_loom)]
#![expect(unreachable_pub, reason = "the modules of one test file see each other only")]

#[path = "executor/kind.rs"]
mod kind;
#[path = "executor/observed.rs"]
mod observed;
#[path = "executor/owner.rs"]
mod owner;
#[path = "executor/park.rs"]
mod park;
#[path = "fixed/pool.rs"]
mod pool;
#[path = "executor/scenes.rs"]
mod scenes;
#[path = "fixed/slots.rs"]
mod slots;
#[path = "common/stop.rs"]
mod stop;
#[path = "fixed/stops.rs"]
mod stops;
