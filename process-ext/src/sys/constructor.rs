//! `init` before `main`, for programs whose `main` is not the user's: test harnesses.

#![forbid(unsafe_code)]

use crate::sys::object;

/// Makes [`init`](crate::init) run before `main`, in a program whose `main` belongs to somebody else.
///
/// That is the test harness: with this line in a test's file, or behind `#[cfg(test)]` in the library's `lib.rs`,
/// process pools work in all tests of it. It stands outside of functions, once per program. A `main` of one's own
/// better calls `init` itself, in plain sight.
///
/// Worth knowing:
/// - It expands to an entry of `.init_array`, which takes an `unsafe` attribute: a crate that forbids `unsafe_code` has
///   it in its integration tests, which are crates of their own. Elsewhere than on Linux it does nothing.
/// - Workers live before the program's `main`. Other constructors may run after them, so not in them; their
///   main thread has no name.
/// - In a library that is loaded at run time it does nothing: a worker would be the program, not the library.
///
/// # Examples
///
/// ```
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// // tests/squares.rs
/// asyncpal::process::init_before_main!();
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In a `#[test]`:
/// let pool = asyncpal::ProcessPool::builder().max_workers(1).build()?;
/// # if cfg!(target_os = "linux") {
/// assert_eq!(pool.submit_with(u64::pow, (12, 2))?.collect()?, 144);
/// # }
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! init_before_main {
    () => {
        const _: () = {
            #[used]
            #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
            static INIT: extern "C" fn() = $crate::init_in_constructor;
        };
    };
}

/// What the entry of `.init_array` calls.
#[doc(hidden)]
pub extern "C" fn init_in_constructor() {
    // In a shared object it says nothing about what the program does at its start.
    if object::has_code_at(init_in_constructor as extern "C" fn() as usize) {
        crate::worker_main::init_early();
    }
}
