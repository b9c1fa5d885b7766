//! Map: a function applied to every item of an iterator, in chunks, in parallel.

mod lazy;

pub use self::lazy::Map;
