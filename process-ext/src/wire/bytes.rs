//! The smallest parts of every encoding: fixed-width integers and length-prefixed bytes, little-endian.

use crate::error::DecodeError;

/// Takes `count` bytes off the front.
pub(crate) fn take<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8], DecodeError> {
    let (taken, rest) = input.split_at_checked(count).ok_or(DecodeError::unexpected_end())?;
    *input = rest;
    Ok(taken)
}

/// Takes an array off the front.
pub(crate) fn take_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (taken, rest) = input.split_first_chunk::<N>().ok_or(DecodeError::unexpected_end())?;
    *input = rest;
    Ok(*taken)
}

/// Takes a `u32` off the front.
pub(crate) fn take_u32(input: &mut &[u8]) -> Result<u32, DecodeError> {
    take_array(input).map(u32::from_le_bytes)
}

/// Takes a `u64` off the front.
pub(crate) fn take_u64(input: &mut &[u8]) -> Result<u64, DecodeError> {
    take_array(input).map(u64::from_le_bytes)
}

/// Takes a count off the front: a `u64` that fits into this machine's `usize`.
pub(crate) fn take_count(input: &mut &[u8]) -> Result<usize, DecodeError> {
    usize::try_from(take_u64(input)?).map_err(|_| DecodeError::length_too_large())
}

/// Appends a count as a `u64`.
pub(crate) fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&(count as u64).to_le_bytes());
}

/// Takes length-prefixed bytes off the front.
pub(crate) fn take_bytes<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let count = take_count(input)?;
    take(input, count)
}

/// Appends bytes behind their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Takes a length-prefixed string off the front.
pub(crate) fn take_str<'a>(input: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    core::str::from_utf8(take_bytes(input)?)
        .map_err(|_| DecodeError::invalid("a string that is not UTF-8"))
}

/// Refuses what is left over.
pub(crate) fn finish(input: &[u8]) -> Result<(), DecodeError> {
    if input.is_empty() { Ok(()) } else { Err(DecodeError::trailing(input.len())) }
}
