//! What workers are asked to do.

use std::process;
use std::thread;
use std::time::Duration;

use crate::mapping::trivial;

/// A function of one argument that a worker calls: named by a type, as every pool names it in a way of its own.
pub(crate) trait Task: 'static {
    type Argument: Value;
    type Output: Value;

    fn run(argument: Self::Argument) -> Self::Output;
}

/// Number in, number out: as little as a task can do.
pub(crate) struct Number;

impl Task for Number {
    type Argument = u64;
    type Output = u64;

    fn run(number: u64) -> u64 {
        number
    }
}

/// Bytes in, the same bytes out.
pub(crate) struct Echo;

impl Task for Echo {
    type Argument = Vec<u8>;
    type Output = Vec<u8>;

    fn run(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

/// A chunk of a map.
pub(crate) struct Trivial;

impl Task for Trivial {
    type Argument = Vec<u64>;
    type Output = Vec<u64>;

    fn run(items: Vec<u64>) -> Vec<u64> {
        items.into_iter().map(trivial).collect()
    }
}

/// Sleeps for so many milliseconds and says in which process.
pub(crate) struct Sleep;

impl Task for Sleep {
    type Argument = u64;
    type Output = u64;

    fn run(millis: u64) -> u64 {
        thread::sleep(Duration::from_millis(millis));
        process::id().into()
    }
}

/// What every contender can send.
pub(crate) trait Value:
    serde::Serialize + serde::de::DeserializeOwned + Payload + Send + 'static
{
}

impl<T> Value for T where
    T: serde::Serialize + serde::de::DeserializeOwned + Payload + Send + 'static
{
}

#[cfg(feature = "ours")]
use asyncpal::process::Payload;

/// Of asyncpal, if it takes part.
#[cfg(not(feature = "ours"))]
pub(crate) trait Payload {}
#[cfg(not(feature = "ours"))]
impl<T> Payload for T {}
