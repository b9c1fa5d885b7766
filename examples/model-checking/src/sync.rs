//! What the checker must see: the library takes it from here, and from nowhere else.

#[cfg(asyncpal_loom)]
pub(crate) use asyncpal::model::loom::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
#[cfg(not(asyncpal_loom))]
pub(crate) use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
