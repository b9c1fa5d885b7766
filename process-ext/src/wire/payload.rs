//! Values as bytes: arguments, results.
//!
//! Which types travel depends on the feature `serde`: with it, all that serde can write and read; without it, the
//! primitive types, `String`, `Vec`, `Option`, `Result` and tuples of those. The two encodings differ; both ends are
//! the same build, so they agree.

use crate::error::{DecodeError, EncodeError};
use crate::wire::bytes::{finish, put_count, take_count};

mod plain;
#[cfg(feature = "serde")]
mod postcard;

pub use plain::Plain;

/// A value that can travel to a worker and back. It owns what it consists of: a `String`, no `&str`.
///
/// Implemented for every type that the enabled features allow, and by nobody else.
///
/// # With the feature `serde`
///
/// Every type that is `Serialize + DeserializeOwned + 'static`, if it is written as it is read. The format has no names
/// of fields and no kinds of values in it, so this cannot travel:
///
/// - `#[serde(skip_serializing_if)]`: a field that is left out is refused when it is written, by name. In a tuple struct
///   it cannot be noticed, and what follows is misread; so with `skip_serializing` or `skip_deserializing` alone,
///   where `skip` is both.
/// - `#[serde(flatten)]`, and other maps and lists that do not know their length: refused when they are written.
/// - `#[serde(tag)]`, `#[serde(untagged)]`, and what else asks the bytes for their kind, such as
///   `serde_json::Value`: refused when they are read, which fails the task.
/// - Values that are nested deeper than 512 levels: refused when they are written, and when they are read, whoever
///   wrote them. What each level takes of the stack is the type's: a thread with little of it may have to ask for
///   [more](asyncpal_std::Builder::stack_size).
/// - What writes and reads by hand (`serialize_with`, `into`) has to read what it has written; nobody checks that.
///
/// A `Serialize` that panics does so in the submit, or in the task if it is that of a result; a `Deserialize` that panics
/// fails its task ([`TaskError::Panicked`](asyncpal_std::TaskError::Panicked)), wherever it runs.
///
/// `Serialize`, `Deserialize` and destructors of arguments and results may run on a thread that is a worker of the pool,
/// and has replies of other tasks in its hands: they must not wait for tasks of that pool.
pub trait Payload: sealed::Codec {
    /// Appends the value's bytes.
    ///
    /// # Errors
    ///
    /// The value refuses to be written. What was appended until then is of no use.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.put(out).map_err(EncodeError::of::<Self>)
    }

    /// Reads a value that takes up all of `input`.
    ///
    /// # Errors
    ///
    /// The bytes are no such value, or are followed by others.
    fn decode(mut input: &[u8]) -> Result<Self, DecodeError> {
        let value = Self::take(&mut input);
        let whole = value.and_then(|value| finish(input).map(|()| value));
        whole.map_err(DecodeError::of::<Self>)
    }
}

impl<T: sealed::Codec> Payload for T {}

/// The arguments of a call: a tuple of zero to six payloads.
///
/// Each argument is encoded by itself, so that bytes and strings are copied as they are. A
/// [`ProcessPool`](crate::ProcessPool) drops the arguments when their task is over: until then they take up memory, and
/// so do their bytes.
pub trait Arguments: sealed::Tuple {
    /// Appends the arguments' bytes.
    ///
    /// # Errors
    ///
    /// An argument refuses to be written. What was appended until then is of no use.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.put_all(out)
    }

    /// Reads arguments that take up all of `input`.
    ///
    /// # Errors
    ///
    /// The bytes are no such arguments, or are followed by others.
    fn decode(mut input: &[u8]) -> Result<Self, DecodeError> {
        let value = Self::take_all(&mut input)?;
        finish(input)?;
        Ok(value)
    }
}

impl<T: sealed::Tuple> Arguments for T {}

/// Appends many values: the items of a chunk, or their results.
///
/// # Errors
///
/// A value refuses to be written.
pub fn encode_items<T: Payload>(items: &[T], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    put_count(out, items.len());
    T::put_slice(items, out).map_err(EncodeError::of::<T>)
}

/// Reads many values.
///
/// # Errors
///
/// The bytes are no such values.
pub fn decode_items<T: Payload>(mut input: &[u8]) -> Result<Vec<T>, DecodeError> {
    let count = take_count(&mut input)?;
    let items = T::take_vec(count, &mut input).map_err(DecodeError::of::<T>)?;
    finish(input)?;
    Ok(items)
}

mod sealed {
    #[cfg(not(feature = "serde"))]
    use super::plain::sealed::Codec as Plain;
    use crate::error::{DecodeError, EncodeError};

    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot travel to a worker process",
        note = "without the feature `serde`, numbers, `bool`, `char`, `String`, `Vec`, `Option`, `Result` and tuples can",
        note = "with it, `asyncpal = {{ features = [\"process\", \"serde\"] }}`, every `Serialize + DeserializeOwned + 'static` \
                type can: none that borrows, such as `&str`"
    )]
    pub trait Codec: Sized + 'static {
        /// How many bytes every value of this type takes at least.
        const MIN_BYTES: usize;

        fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

        fn take(input: &mut &[u8]) -> Result<Self, DecodeError>;

        fn put_slice(items: &[Self], out: &mut Vec<u8>) -> Result<(), EncodeError> {
            items.iter().try_for_each(|item| item.put(out))
        }

        fn take_vec(count: usize, input: &mut &[u8]) -> Result<Vec<Self>, DecodeError> {
            super::take_many(count, Self::MIN_BYTES, input, Self::take)
        }
    }

    /// Without serde a value travels as it does to another program.
    #[cfg(not(feature = "serde"))]
    #[diagnostic::do_not_recommend]
    impl<T: Plain> Codec for T {
        const MIN_BYTES: usize = <T as Plain>::MIN_BYTES;

        fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
            <T as Plain>::put(self, out)
        }

        fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
            <T as Plain>::take(input)
        }

        fn put_slice(items: &[Self], out: &mut Vec<u8>) -> Result<(), EncodeError> {
            <T as Plain>::put_slice(items, out)
        }

        fn take_vec(count: usize, input: &mut &[u8]) -> Result<Vec<Self>, DecodeError> {
            <T as Plain>::take_vec(count, input)
        }
    }

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is no tuple of arguments that can travel to a worker process",
        note = "arguments are a tuple of at most six values, each of which can travel"
    )]
    pub trait Tuple: Sized + 'static {
        const MIN_BYTES: usize;

        fn put_all(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

        fn take_all(input: &mut &[u8]) -> Result<Self, DecodeError>;
    }
}

macro_rules! tuples {
    ($(($($name:ident $value:ident)*))*) => {$(
        impl<$($name: Payload),*> sealed::Tuple for ($($name,)*) {
            const MIN_BYTES: usize = 0 $(+ $name::MIN_BYTES)*;

            fn put_all(&self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
                let ($($value,)*) = self;
                $($value.put(_out).map_err(EncodeError::of::<$name>)?;)*
                Ok(())
            }

            fn take_all(_input: &mut &[u8]) -> Result<Self, DecodeError> {
                Ok(($($name::take(_input).map_err(DecodeError::of::<$name>)?,)*))
            }
        }
    )*};
}
tuples! { () (A a) (A a B b) (A a B b C c) (A a B b C c D d) (A a B b C c D d E e) (A a B b C c D d E e G g) }

/// How many values that take no bytes at all a list may claim to have.
const MAX_EMPTY_VALUES: usize = 1 << 28;
/// What a claimed count may allocate before the first value was read.
const MAX_UPFRONT_BYTES: usize = 1 << 20;

/// Reads `count` values of at least `min_bytes` each; a count that cannot be true allocates nothing.
fn take_many<T>(
    count: usize,
    min_bytes: usize,
    input: &mut &[u8],
    mut take: impl FnMut(&mut &[u8]) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let possible = input.len().checked_div(min_bytes).unwrap_or(MAX_EMPTY_VALUES);
    if count > possible {
        return Err(DecodeError::length_too_large());
    }
    let upfront = MAX_UPFRONT_BYTES.checked_div(size_of::<T>()).unwrap_or(count);
    let mut items = Vec::with_capacity(count.min(upfront));
    for _ in 0..count {
        items.push(take(input)?);
    }
    Ok(items)
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
