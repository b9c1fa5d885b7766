//! Without the feature `serde`: fixed-width little-endian numbers, counts of 64 bits, tags of one byte.

use super::sealed::Codec;
use crate::error::{DecodeError, EncodeError};
use crate::wire::bytes::{put_bytes, put_count, take, take_array, take_count, take_str};

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
    ($(($($name:ident)*))*) => {$(
        impl<$($name: Codec),*> Codec for ($($name,)*) {
            const MIN_BYTES: usize = 0 $(+ $name::MIN_BYTES)*;

            fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                super::sealed::Tuple::put_all(self, out)
            }

            fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
                super::sealed::Tuple::take_all(input)
            }
        }
    )*};
}
tuples! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) }
