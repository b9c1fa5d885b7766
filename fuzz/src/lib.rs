//! What the targets share: the properties of the core, which its own tests check, too.

#[path = "../../core/tests/model/mod.rs"]
mod model;

pub use model::{Code, census, chunk, lifecycle, queue, subject, task};

/// The operations that those bytes stand for.
pub fn decode<O: From<Code>>(bytes: &[u8]) -> Vec<O> {
    let codes = bytes.chunks_exact(size_of::<Code>());
    codes.map(|code| O::from(code.try_into().expect("chunks are of this size"))).collect()
}
