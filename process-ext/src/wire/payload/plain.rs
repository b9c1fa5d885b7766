//! The plain encoding: fixed-width little-endian numbers, counts of 64 bits, tags of one byte.
//!
//! Calls by name use it whatever the features are, since a worker in another language, or of another build, reads
//! it; calls of this program's own functions use it without the feature `serde`. `docs/protocol.md` has it on paper.

use super::take_many;
use crate::error::{DecodeError, EncodeError};
use crate::wire::bytes::{finish, put_bytes, put_count, take, take_array, take_count, take_str};

pub(super) mod sealed {
    use crate::error::{DecodeError, EncodeError};

    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot travel to a worker of another program",
        note = "numbers, `bool`, `char`, `String`, `Vec`, `Option`, `Result` and tuples of up to six can"
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
}
use sealed::Codec;

/// A value that programs in every language can read and write: numbers, `bool`, `char`, `String`, and
/// `Vec`, `Option`, `Result` and tuples of those.
///
/// Arguments and results of a [`Named`](crate::Named) function are of such types, whatever features are
/// on. Implemented by nobody else; what has a shape of its own travels as a `Vec<u8>`.
pub trait Plain: Codec {
    /// Appends the value's bytes.
    ///
    /// # Errors
    ///
    /// None so far.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.put(out)
    }

    /// Reads a value that takes up all of `input`.
    ///
    /// # Errors
    ///
    /// The bytes are no such value, or are followed by others.
    fn decode(mut input: &[u8]) -> Result<Self, DecodeError> {
        let value = Self::take(&mut input)?;
        finish(input)?;
        Ok(value)
    }

    /// Appends many values, behind their count.
    ///
    /// # Errors
    ///
    /// None so far.
    fn encode_many(items: &[Self], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_count(out, items.len());
        Self::put_slice(items, out)
    }

    /// Reads many values that take up all of `input`.
    ///
    /// # Errors
    ///
    /// The bytes are no such values.
    fn decode_many(input: &[u8]) -> Result<Vec<Self>, DecodeError> {
        <Vec<Self> as Plain>::decode(input)
    }
}

impl<T: Codec> Plain for T {}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Codec for $number {
            const MIN_BYTES: usize = size_of::<Self>();

            fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.extend_from_slice(&self.to_le_bytes());
                Ok(())
            }

            fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
                take_array(input).map(Self::from_le_bytes)
            }

            fn put_slice(items: &[Self], out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
                Ok(())
            }

            fn take_vec(count: usize, input: &mut &[u8]) -> Result<Vec<Self>, DecodeError> {
                const WIDTH: usize = size_of::<$number>();
                let length = count.checked_mul(WIDTH).ok_or(DecodeError::length_too_large())?;
                let mut items = take(input, length)?;
                let mut out = Vec::with_capacity(count);
                while let Some((item, rest)) = items.split_first_chunk::<WIDTH>() {
                    out.push(Self::from_le_bytes(*item));
                    items = rest;
                }
                Ok(out)
            }
        }
    )*};
}
numbers! { i8 u16 i16 u32 i32 u64 i64 u128 i128 f32 f64 }

impl Codec for u8 {
    const MIN_BYTES: usize = 1;

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(*self);
        Ok(())
    }

    fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
        take_array(input).map(|[byte]| byte)
    }

    fn put_slice(items: &[Self], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(items);
        Ok(())
    }

    fn take_vec(count: usize, input: &mut &[u8]) -> Result<Vec<Self>, DecodeError> {
        take(input, count).map(<[u8]>::to_vec)
    }
}

macro_rules! pointer_sized {
    ($($number:ty as $wide:ty)*) => {$(
        impl Codec for $number {
            const MIN_BYTES: usize = 8;

            fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                (*self as $wide).put(out)
            }

            fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
                <$number>::try_from(<$wide>::take(input)?)
                    .map_err(|_| DecodeError::invalid("a number that is too wide for this machine"))
            }
        }
    )*};
}
pointer_sized! { usize as u64 isize as i64 }

impl Codec for bool {
    const MIN_BYTES: usize = 1;

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        u8::from(*self).put(out)
    }

    fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::invalid("a bool that is neither false nor true")),
        }
    }
}

impl Codec for char {
    const MIN_BYTES: usize = 4;

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        u32::from(*self).put(out)
    }

    fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
        char::from_u32(u32::take(input)?).ok_or(DecodeError::invalid("a char that is none"))
    }
}

impl Codec for String {
    const MIN_BYTES: usize = 8;

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_bytes(out, self.as_bytes());
        Ok(())
    }

    fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
        take_str(input).map(str::to_owned)
    }
}

impl<T: Codec> Codec for Vec<T> {
    const MIN_BYTES: usize = 8;

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_count(out, self.len());
        T::put_slice(self, out)
    }

    fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let count = take_count(input)?;
        T::take_vec(count, input)
    }
}

impl<T: Codec> Codec for Option<T> {
    const MIN_BYTES: usize = 1;

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.is_some().put(out)?;
        self.as_ref().map_or(Ok(()), |value| value.put(out))
    }

    fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
        if bool::take(input)? { T::take(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Codec, E: Codec> Codec for Result<T, E> {
    const MIN_BYTES: usize = 1;

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.is_ok().put(out)?;
        match self {
            Ok(value) => value.put(out),
            Err(error) => error.put(out),
        }
    }

    fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
        if bool::take(input)? { T::take(input).map(Ok) } else { E::take(input).map(Err) }
    }
}

macro_rules! tuples {
    ($(($($name:ident $value:ident)*))*) => {$(
        impl<$($name: Codec),*> Codec for ($($name,)*) {
            const MIN_BYTES: usize = 0 $(+ $name::MIN_BYTES)*;

            fn put(&self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
                let ($($value,)*) = self;
                $($value.put(_out)?;)*
                Ok(())
            }

            fn take(_input: &mut &[u8]) -> Result<Self, DecodeError> {
                Ok(($($name::take(_input)?,)*))
            }
        }
    )*};
}
tuples! { () (A a) (A a B b) (A a B b C c) (A a B b C c D d) (A a B b C c D d E e) (A a B b C c D d E e G g) }

#[cfg(test)]
mod tests {
    use super::*;

    /// As `docs/protocol.md` has them: a worker in another language is written after it.
    #[test]
    fn plain_values_have_the_bytes_of_the_protocol_document() {
        let value = (-2_i16, 1_u64, true, 'A', String::from("hi"), vec![Some(7_u8), None]);
        let mut bytes = Vec::new();

        Plain::encode(&value, &mut bytes).unwrap();

        let mut expected = vec![0xfe, 0xff];
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([1]);
        expected.extend([0x41, 0, 0, 0]);
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i']);
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0]);
        assert_eq!(bytes, expected);
        assert!(matches!(Plain::decode(&bytes), Ok(back) if value == back));
        type Outcome = Result<f32, ()>;
        assert!(matches!(<Outcome as Plain>::decode(&[1, 0, 0, 0x80, 0x3f]), Ok(Ok(1.0))));
        assert!(matches!(<Outcome as Plain>::decode(&[0]), Ok(Err(()))));
    }
}
