//! The chunks of any length and size cover every item once, in order, and only the last is smaller.
#![no_main]

use asyncpal_fuzz::chunk;
use core::num::NonZeroUsize;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (usize, NonZeroUsize)| {
    let (len, size) = input;

    chunk::check(len, size);
});
