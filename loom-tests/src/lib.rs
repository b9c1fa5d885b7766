//! The harness of the loom models in `tests/`.
//!
//! A model is a small concurrent program that loom runs once for every order in which its threads
//! may take their steps, and for every value that a load may see. `cargo loom` runs them all, on a
//! checker that it has mended and tested first; CONTRIBUTING.md says how to read its table.
//!
//! Without `--cfg asyncpal_loom` this crate has no harness and every model file is empty, so that the ordinary
//! test command compiles them and runs no model.
#![forbid(unsafe_code)]

/// Preemptions per execution when a run does not say.
///
/// A compromise: each further one costs about ten times the executions.
pub const DEFAULT_BOUND: usize = 2;

#[cfg(asyncpal_loom)]
mod harness;

#[cfg(asyncpal_loom)]
pub use harness::{model, model_bounded, model_bounded_below, outcomes};
