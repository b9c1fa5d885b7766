//! A deserializer that follows values no deeper than they are written.
//!
//! Postcard's recurses for as long as the bytes say that there is one more value in the value, which takes one byte
//! where that is an option. So a worker's reply of a megabyte overflows its parent's stack, and that ends the whole
//! program: no `Deserialize` can tell, and no landing pad catches it.
//!
//! # Invariants
//! - **B1** A value's depth is how many values it is in. All that reads one inside another comes by `Level::inner`, so
//!   nothing recurses through serde deeper than `MOST_DEPTH`.
//! - **B2** Depth is counted as `Strict` counts it: what is written can be read, if its type asks for what it has
//!   written, as derived ones do.
//! - **B3** All else is postcard's: what is borrowed stays borrowed, lists are hinted at with the same lengths, and
//!   nothing is allocated.

use core::cell::Cell;
use core::fmt;

use ::postcard::Deserializer as Reader;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{MOST_DEPTH, unread};
use crate::error::DecodeError;

/// Reads one value from the start of the input, which it leaves behind.
pub(super) fn take<'de, T: Deserialize<'de>>(input: &mut &'de [u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::from_bytes(input);
    let is_exceeded = Cell::new(false);
    let whole = Level { depth: 0, is_exceeded: &is_exceeded };
    let value = T::deserialize(Bounded { of: &mut reader, at: whole });
    match value.and_then(|value| Ok((value, reader.finalize()?))) {
        Ok((value, rest)) => {
            *input = rest;
            Ok(value)
        }
        Err(_) if is_exceeded.get() => Err(DecodeError::new(format!(
            "it is nested deeper than {MOST_DEPTH} levels, as no value is written"
        ))),
        Err(error) => Err(unread(error)),
    }
}

/// How deep a value is in the one that is read.
#[derive(Clone, Copy)]
struct Level<'a> {
    depth: u16,
    /// Postcard's errors carry no text.
    is_exceeded: &'a Cell<bool>,
}

impl Level<'_> {
    /// Of what is inside the value.
    #[inline]
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth == MOST_DEPTH {
            return Err(self.exceeded());
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    #[cold]
    fn exceeded<E: Error>(self) -> E {
        self.is_exceeded.set(true);
        E::custom("nested too deep")
    }
}

/// Any party to serde's talk about a value, or about those inside it, at the level of what it is about to read.
struct Bounded<'a, T> {
    of: T,
    at: Level<'a>,
}

/// Values without parts are between postcard and their visitors.
macro_rules! plain {
    ($($method:ident($($argument:ident: $type:ty)?))*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)? visitor: V) -> Result<V::Value, D::Error> {
            self.of.$method($($argument,)? visitor)
        }
    )*};
}

macro_rules! nesting {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.of.$method($($argument,)* Bounded { of: visitor, at: self.at })
        }
    )*};
}

/// What tells of values inside this one.
macro_rules! one_deeper {
    ($($method:ident($party:ident))*) => {$(
        #[inline]
        fn $method<P: $party<'de>>(self, of: P) -> Result<V::Value, P::Error> {
            self.of.$method(Bounded { of, at: self.at.inner()? })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    plain! {
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_i128()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_u128()
        deserialize_f32()
        deserialize_f64()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_identifier()
    }

    nesting! {
        deserialize_any()
        deserialize_ignored_any()
        deserialize_option()
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq()
        deserialize_map()
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.of.is_human_readable()
    }
}

macro_rules! visits {
    ($($method:ident($($value:ident: $type:ty)?))*) => {$(
        #[inline]
        fn $method<E: Error>(self, $($value: $type)?) -> Result<V::Value, E> {
            self.of.$method($($value)?)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    visits! {
        visit_bool(value: bool)
        visit_i8(value: i8)
        visit_i16(value: i16)
        visit_i32(value: i32)
        visit_i64(value: i64)
        visit_i128(value: i128)
        visit_u8(value: u8)
        visit_u16(value: u16)
        visit_u32(value: u32)
        visit_u64(value: u64)
        visit_u128(value: u128)
        visit_f32(value: f32)
        visit_f64(value: f64)
        visit_char(value: char)
        visit_str(value: &str)
        visit_borrowed_str(value: &'de str)
        visit_string(value: String)
        visit_bytes(value: &[u8])
        visit_borrowed_bytes(value: &'de [u8])
        visit_byte_buf(value: Vec<u8>)
        visit_none()
        visit_unit()
    }

    one_deeper! {
        visit_some(Deserializer)
        visit_newtype_struct(Deserializer)
        visit_seq(SeqAccess)
        visit_map(MapAccess)
    }

    /// A variant without fields has nothing inside: the others come by `VariantAccess`.
    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.of.visit_enum(Bounded { of: variant, at: self.at })
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.expecting(f)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<S::Value, D::Error> {
        self.of.deserialize(Bounded { of: value, at: self.at })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.of.next_element_seed(Bounded { of: seed, at: self.at })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.of.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.of.next_key_seed(Bounded { of: seed, at: self.at })
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.of.next_value_seed(Bounded { of: seed, at: self.at })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.of.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'a, A> {
    type Error = A::Error;
    type Variant = Bounded<'a, A::Variant>;

    /// Which variant it is: a number, which is inside of nothing.
    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (which, variant) = self.of.variant_seed(seed)?;
        Ok((which, Bounded { of: variant, at: self.at }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.of.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.of.newtype_variant_seed(Bounded { of: seed, at: self.at.inner()? })
    }

    // The fields of these are visited as a list, which counts.

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.of.tuple_variant(length, Bounded { of: visitor, at: self.at })
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.of.struct_variant(fields, Bounded { of: visitor, at: self.at })
    }
}

#[cfg(test)]
#[path = "bounded_tests.rs"]
mod tests;
