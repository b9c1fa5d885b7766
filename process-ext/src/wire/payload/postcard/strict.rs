//! A serializer that refuses what postcard writes and cannot read back.
//!
//! Postcard writes values without names and kinds. Who leaves out a field shifts all that follow it: they are read,
//! without an error, as others. So a skipped field is refused, by name, wherever it is. So is what has no length in
//! advance, and what is nested so deep that its reader, who recurses as its writer does, may run out of stack: a parent
//! reads results on threads whose stacks are smaller than the worker's.

use core::fmt::Display;

use ::postcard::Serializer as Writer;
use serde::ser::{self, Serialize, Serializer};

use super::{Append, MOST_DEPTH};
use crate::error::EncodeError;

impl ser::Error for EncodeError {
    fn custom<T: Display>(what: T) -> Self {
        Self::new(what.to_string())
    }
}

/// Writes one value.
pub(super) struct Strict<'s, 'o> {
    to: &'s mut Writer<Append<'o>>,
    depth: u16,
}

/// Writes the parts of one value.
pub(super) struct Parts<'s, 'o> {
    of: Strict<'s, 'o>,
    type_name: &'static str,
    variant: Option<&'static str>,
}

impl<'s, 'o> Strict<'s, 'o> {
    pub(super) fn new(to: &'s mut Writer<Append<'o>>) -> Self {
        Self { to, depth: 0 }
    }

    /// Of what is inside the value.
    #[inline]
    fn inner(self) -> Result<Self, EncodeError> {
        if self.depth == MOST_DEPTH {
            return Err(EncodeError::new(format!(
                "it is nested deeper than {MOST_DEPTH} levels, which its reader may have no stack for"
            )));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    #[inline]
    fn parts(self) -> Result<Parts<'s, 'o>, EncodeError> {
        self.parts_of("", None)
    }

    #[inline]
    fn parts_of(
        self,
        type_name: &'static str,
        variant: Option<&'static str>,
    ) -> Result<Parts<'s, 'o>, EncodeError> {
        Ok(Parts { of: self.inner()?, type_name, variant })
    }

    #[inline]
    fn put_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        if length.is_none() {
            return Err(EncodeError::new(
                "a map or list does not say how long it is, and this format needs lengths in advance: \
                 `#[serde(flatten)]` makes such maps",
            ));
        }
        self.to.serialize_seq(length).map(drop).map_err(EncodeError::new)
    }

    #[inline]
    fn put_variant(&mut self, index: u32) -> Result<(), EncodeError> {
        self.to.serialize_unit_variant("", index, "").map_err(EncodeError::new)
    }
}

impl<'s, 'o> Parts<'s, 'o> {
    #[inline]
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(Strict { to: &mut *self.of.to, depth: self.of.depth })
    }

    #[cold]
    fn skipped(&self, field: &str) -> EncodeError {
        let variant = self.variant.map(|variant| format!("::{variant}")).unwrap_or_default();
        EncodeError::new(format!(
            "`{}{variant}` skips its field `{field}` (`skip_serializing_if`?), which this format, without names of \
             fields, cannot leave out",
            self.type_name
        ))
    }
}

/// Values without parts.
macro_rules! plain {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method(self, $($argument: $type),*) -> Result<(), EncodeError> {
            self.to.$method($($argument),*).map_err(EncodeError::new)
        }
    )*};
}

impl<'s, 'o> Serializer for Strict<'s, 'o> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Parts<'s, 'o>;
    type SerializeTuple = Parts<'s, 'o>;
    type SerializeTupleStruct = Parts<'s, 'o>;
    type SerializeTupleVariant = Parts<'s, 'o>;
    type SerializeMap = Parts<'s, 'o>;
    type SerializeStruct = Parts<'s, 'o>;
    type SerializeStructVariant = Parts<'s, 'o>;

    plain! {
        serialize_bool(value: bool)
        serialize_i8(value: i8)
        serialize_i16(value: i16)
        serialize_i32(value: i32)
        serialize_i64(value: i64)
        serialize_i128(value: i128)
        serialize_u8(value: u8)
        serialize_u16(value: u16)
        serialize_u32(value: u32)
        serialize_u64(value: u64)
        serialize_u128(value: u128)
        serialize_f32(value: f32)
        serialize_f64(value: f64)
        serialize_char(value: char)
        serialize_str(value: &str)
        serialize_bytes(value: &[u8])
        serialize_none()
        serialize_unit()
        serialize_unit_struct(name: &'static str)
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        self.to.collect_str(value).map_err(EncodeError::new)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        // As postcard has it: one byte, 1.
        self.to.serialize_bool(true).map_err(EncodeError::new)?;
        value.serialize(self.inner()?)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self.inner()?)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.put_variant(index)?;
        value.serialize(self.inner()?)
    }

    #[inline]
    fn serialize_seq(mut self, length: Option<usize>) -> Result<Parts<'s, 'o>, EncodeError> {
        self.put_length(length)?;
        self.parts()
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Parts<'s, 'o>, EncodeError> {
        self.serialize_seq(length)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Parts<'s, 'o>, EncodeError> {
        self.parts()
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'s, 'o>, EncodeError> {
        self.parts()
    }

    #[inline]
    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'s, 'o>, EncodeError> {
        self.put_variant(index)?;
        self.parts()
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'s, 'o>, EncodeError> {
        self.parts_of(name, None)
    }

    #[inline]
    fn serialize_struct_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'s, 'o>, EncodeError> {
        self.put_variant(index)?;
        self.parts_of(name, Some(variant))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! parts {
    ($($parts:ident: $($method:ident),*;)*) => {$(
        impl ser::$parts for Parts<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                    self.put(value)
                }
            )*

            fn end(self) -> Result<(), EncodeError> {
                Ok(())
            }
        }
    )*};
}
parts! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
    SerializeMap: serialize_key, serialize_value;
}

macro_rules! fields {
    ($($fields:ident)*) => {$(
        impl ser::$fields for Parts<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                self.put(value)
            }

            fn skip_field(&mut self, field: &'static str) -> Result<(), EncodeError> {
                Err(self.skipped(field))
            }

            fn end(self) -> Result<(), EncodeError> {
                Ok(())
            }
        }
    )*};
}
fields! { SerializeStruct SerializeStructVariant }
