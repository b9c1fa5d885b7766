//! With the feature `serde`: every type that serde knows, in postcard's encoding.

mod bounded;
mod strict;

use core::any::Any;

use ::postcard::Error;
use ::postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::strict::Strict;
use super::sealed::Codec;
use crate::error::{DecodeError, EncodeError};
use crate::wire::bytes::{put_bytes, take_bytes, take_str};

/// How deep values may be nested in each other, for their writer and for their reader. Without optimizations the 2 MiB of
/// a thread hold 2700 levels of small structs in options, and with them 26 000; larger values take more.
const MOST_DEPTH: u16 = 512;

impl<T: Serialize + DeserializeOwned + 'static> Codec for T {
    // Serde does not tell, and `()` takes none.
    const MIN_BYTES: usize = 0;

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        // Serde would write bytes one by one.
        let any: &dyn Any = self;
        if let Some(bytes) = any.downcast_ref::<Vec<u8>>() {
            put_bytes(out, bytes);
        } else if let Some(text) = any.downcast_ref::<String>() {
            put_bytes(out, text.as_bytes());
        } else {
            let mut writer = ::postcard::Serializer { output: Append(out) };
            self.serialize(Strict::new(&mut writer))?;
        }
        Ok(())
    }

    fn take(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let mut slot: Option<Self> = None;
        let any: &mut dyn Any = &mut slot;
        if let Some(slot) = any.downcast_mut::<Option<Vec<u8>>>() {
            *slot = Some(take_bytes(input)?.to_vec());
        } else if let Some(slot) = any.downcast_mut::<Option<String>>() {
            *slot = Some(take_str(input)?.to_owned());
        } else {
            return bounded::take(input);
        }
        slot.ok_or(DecodeError::unexpected_end())
    }
}

fn unread(error: Error) -> DecodeError {
    match error {
        Error::WontImplement => DecodeError::new(
            "the type asks the bytes what they hold, which they do not tell: as for `#[serde(flatten)]`, `tag`, \
             `untagged`, or `serde_json::Value`",
        ),
        error => DecodeError::new(error),
    }
}

/// Lets postcard append slices whole; its own writer for `Vec` appends byte by byte.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> ::postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> ::postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> ::postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
