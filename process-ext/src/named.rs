//! Functions of another program, called by name.

#![forbid(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;

use crate::wire::named::MAX_NAME_BYTES;
use crate::wire::payload::Plain;

/// A function of another program: its name there, and its signature `F`, such as `fn(u64, String) -> bool`.
///
/// A [`CommandPool`](crate::CommandPool) calls it: `submit_with(NAME, (…))` and all maps take it as they take a
/// function. What is passed and what is awaited is checked against `F` here; that the function of that name has this
/// signature there nobody checks: a difference is found out when bytes do not fit, or not at all.
///
/// That the function fails need not show in `F`: its error is the error of the task.
///
/// # Examples
///
/// ```
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use asyncpal::process::Named;
///
/// const SQUARE: Named<fn(u64) -> u64> = Named::new("square");
/// assert_eq!(SQUARE.name(), "square");
/// ```
pub struct Named<F> {
    name: &'static str,
    signature: PhantomData<fn() -> F>,
}

impl<F: Signature> Named<F> {
    /// Names a function.
    ///
    /// # Panics
    ///
    /// If the name is longer than 65 535 bytes. In a constant that is an error of the compiler.
    pub const fn new(name: &'static str) -> Self {
        assert!(name.len() <= MAX_NAME_BYTES, "the name of a function is longer than 65535 bytes");
        Self { name, signature: PhantomData }
    }
}

impl<F> Named<F> {
    /// The function's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<F> Clone for Named<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Named<F> {}

impl<F> fmt::Debug for Named<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Named").field(&self.name).finish()
    }
}

/// What a [`Named`] function takes and returns: `fn(A, …) -> T` of up to six arguments, all [`Plain`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no signature of a function in another program",
    note = "`fn(A, …) -> T` is, of up to six arguments; numbers, strings, `Vec`s and tuples travel"
)]
pub trait Signature: 'static + sealed::Sealed {
    /// The arguments, a tuple.
    type Args: Plain + Send;
    /// The result.
    type Output: Plain + Send;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! signatures {
    ($(($($arg:ident)*))*) => {$(
        impl<T: Plain + Send, $($arg: Plain + Send),*> sealed::Sealed for fn($($arg),*) -> T {}

        impl<T: Plain + Send, $($arg: Plain + Send),*> Signature for fn($($arg),*) -> T {
            type Args = ($($arg,)*);
            type Output = T;
        }
    )*};
}
signatures! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) }
