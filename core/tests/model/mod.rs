//! One definition of each property of the core: operations, the code under test, and a sequential
//! reference that says what every operation must do.
//!
//! `core/tests/properties.rs` feeds them random operations and shrinks what fails; the targets in
//! `fuzz/` feed them what a fuzzer invents. So an operation is a few bytes, every sequence of bytes
//! is a sequence of operations, and one that is not legal where it stands is passed over.
#![expect(unreachable_pub, reason = "each user of these modules is a crate of its own")]

pub mod census;
pub mod chunk;
pub mod lifecycle;
pub mod queue;
pub mod subject;
pub mod task;

/// An operation as a random generator or a fuzzer makes it.
pub type Code = [u8; 4];

/// The element of `choices` that `number` chooses, if there is any.
fn choose<T: Copy>(choices: impl IntoIterator<Item = T>, number: u8) -> Option<T> {
    let choices: Vec<T> = choices.into_iter().collect();
    (!choices.is_empty()).then(|| choices[usize::from(number) % choices.len()])
}
