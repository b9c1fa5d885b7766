//! The census, one operation after the other, is two sets: who lives, and who of them is idle.
#![no_main]

use asyncpal_fuzz::{census, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (slots, bytes) = input;

    census::check(census::slots(slots), &decode(bytes));
});
