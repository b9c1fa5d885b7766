//! Which functions can be called in a worker, and how they are named there.
//!
//! A function item, or a closure that captures nothing, is a value without bytes: its type alone says what to run.
//! So its name is the place of code, instantiated for that type, that reads arguments, calls, and writes the result.
//! The place is counted from an anchor in this crate, since the executable is loaded elsewhere in every process; it
//! means the same in a process that runs the same build, which HELLO proves.

#![expect(
    unsafe_code,
    reason = "a worker makes functions out of offsets and of types without bytes"
)]

use core::any::type_name;
use core::error::Error;
use core::ptr::NonNull;

use asyncpal_std::kind::MapFn;

use crate::error::{DecodeError, EncodeError, UnnamedFunction};
use crate::sys::object;
use crate::wire::message::Failure;
use crate::wire::payload::{Arguments, Payload, decode_items, encode_items};

/// A function that can be called in a worker: an `fn` item, or a closure that captures nothing.
///
/// Implemented for every `Fn(A, …) -> T + Copy + Send + 'static` of up to six arguments, and by nobody else. That it
/// captures nothing is checked at compile time, when it is named. A *function pointer* has bytes and is refused.
///
/// A captured value of a zero-sized type would not be noticed, and is made out of nothing in the worker: a type whose
/// mere existence proves something must not be captured.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called in a worker process with `{Args}`",
    note = "a process pool takes functions and closures that capture nothing",
    note = "pass values as arguments, with `submit_with`; to an initializer, in the environment, with \
            `ProcessOptions::env`"
)]
pub trait RemoteFn<Args>: Copy + Send + 'static + sealed::Sealed<Args> {
    /// What the function returns.
    type Output;

    /// Calls the function.
    fn call(self, args: Args) -> Self::Output;
}

mod sealed {
    pub trait Sealed<Args> {}
}

macro_rules! functions {
    ($(($($arg:ident $value:ident)*))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<F: Fn($($arg),*) -> T, T, $($arg),*> sealed::Sealed<($($arg,)*)> for F {}

        #[diagnostic::do_not_recommend]
        impl<F, T, $($arg),*> RemoteFn<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> T + Copy + Send + 'static,
        {
            type Output = T;

            fn call(self, ($($value,)*): ($($arg,)*)) -> T {
                self($($value),*)
            }
        }
    )*};
}
functions! { () (A a) (A a B b) (A a B b C c) (A a B b C c D d) (A a B b C c D d E e) (A a B b C c D d E e G g) }

/// A function that a map can apply in a worker: see [`RemoteFn`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be applied in a worker process to items of type `{A}`",
    note = "a map of a process pool takes functions and closures that capture nothing",
    note = "what they need besides is part of the items, with `starmap`"
)]
pub trait RemoteMapFn<A>: MapFn<A> + Copy + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<F: MapFn<A> + Copy + Send + Sync + 'static, A> RemoteMapFn<A> for F {}

/// How a thunk ended. A panic unwinds out of it instead.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// The result's bytes are in the output.
    Returned,
    /// The function returned an error, or could not be called.
    Failed(Failure),
}

/// Reads arguments from the input, calls a function, writes its result to the output.
pub(crate) type Thunk = fn(&[u8], &mut Vec<u8>) -> Outcome;

/// The name of a function, which means the same in every process that runs this build.
///
/// Each constructor fixes how arguments and results travel; the caller encodes and decodes accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId(i64);

impl FunctionId {
    /// A function that returns a value: [`Arguments`] in, [`Payload`] out.
    ///
    /// # Errors
    ///
    /// The function is not part of the main executable.
    pub fn plain<F, Args>(_function: F) -> Result<Self, UnnamedFunction>
    where
        F: RemoteFn<Args, Output: Payload>,
        Args: Arguments,
    {
        const { assert_captures_nothing::<F>() }
        Self::of::<F>(run_plain::<F, Args>)
    }

    /// A function that returns a `Result`: [`Arguments`] in, the `Ok` value as [`Payload`] out.
    ///
    /// An `Err` travels as a failure with its chain of sources, not as a value.
    ///
    /// # Errors
    ///
    /// The function is not part of the main executable.
    pub fn fallible<F, Args, T, E>(_function: F) -> Result<Self, UnnamedFunction>
    where
        F: RemoteFn<Args, Output = Result<T, E>>,
        Args: Arguments,
        T: Payload,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        const { assert_captures_nothing::<F>() }
        Self::of::<F>(run_fallible::<F, Args, T, E>)
    }

    /// One function, applied to many items:
    /// [`encode_items`](crate::wire::payload::encode_items) in,
    /// [`decode_items`](crate::wire::payload::decode_items) out.
    ///
    /// # Errors
    ///
    /// The function is not part of the main executable.
    pub fn chunk<F, A>(_function: F) -> Result<Self, UnnamedFunction>
    where
        F: MapFn<A, Output: Payload> + Copy + 'static,
        A: Payload,
    {
        const { assert_captures_nothing::<F>() }
        Self::of::<F>(run_chunk::<F, A>)
    }

    /// The number that travels.
    pub fn offset(self) -> i64 {
        self.0
    }

    fn of<F>(thunk: Thunk) -> Result<Self, UnnamedFunction> {
        let address = thunk as usize;
        if !object::has_code_at(address) || !object::has_code_at(anchor as fn() as usize) {
            return Err(UnnamedFunction::new(type_name::<F>()));
        }
        Ok(Self(address.wrapping_sub(anchor as fn() as usize) as isize as i64))
    }
}

/// Where offsets are counted from.
#[inline(never)]
fn anchor() {}

/// The evidence that the other side of the pipes runs the same build, so that its offsets mean something here.
#[derive(Debug)]
pub(crate) struct SameBuild(());

impl SameBuild {
    /// Compares the other side's identity with this process's own. An unknown build equals no other.
    pub(crate) fn prove(theirs: &[u8]) -> Option<Self> {
        let own = object::identity();
        (!own.is_empty() && own == theirs).then_some(Self(()))
    }

    /// Finds the function that the other side named by [`FunctionId::offset`].
    pub(crate) fn function(&self, offset: i64) -> Option<Thunk> {
        let offset = isize::try_from(offset).ok()? as usize;
        let address = (anchor as fn() as usize).wrapping_add(offset);
        if !object::has_code_at(address) {
            return None;
        }
        // SAFETY: the other side took the offset from a `FunctionId`: there a thunk of this type lay at this
        // distance from the anchor, both in the main object. The same build is laid out the same way here.
        Some(unsafe { core::mem::transmute::<*const (), Thunk>(address as *const ()) })
    }
}

/// Called in the constructors, so that the compiler names the caller.
const fn assert_captures_nothing<F>() {
    assert!(
        size_of::<F>() == 0,
        "a function that runs in a worker process must be a function item or a closure that captures nothing: \
         captured values and function pointers have no meaning in another process; pass values as arguments"
    );
}

/// The one value of a function's type.
fn conjure<F: Copy>() -> F {
    // Where it was named the compiler has said so already; to say it again here would print its complaint twice.
    assert!(size_of::<F>() == 0);
    // SAFETY: the type has no bytes, so every aligned pointer is good to read it from. It has a value: a process of this build had one in
    // its hands when it named the function, and this code is reached by that name only.
    unsafe { NonNull::<F>::dangling().read() }
}

fn run_plain<F, Args>(input: &[u8], output: &mut Vec<u8>) -> Outcome
where
    F: RemoteFn<Args, Output: Payload>,
    Args: Arguments,
{
    match <Args as Arguments>::decode(input) {
        Ok(args) => returned(conjure::<F>().call(args).encode(output)),
        Err(error) => unreadable(&error),
    }
}

fn run_fallible<F, Args, T, E>(input: &[u8], output: &mut Vec<u8>) -> Outcome
where
    F: RemoteFn<Args, Output = Result<T, E>>,
    Args: Arguments,
    T: Payload,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    match <Args as Arguments>::decode(input) {
        Ok(args) => match conjure::<F>().call(args) {
            Ok(value) => returned(value.encode(output)),
            Err(error) => Outcome::Failed(Failure::from_error(type_name::<E>(), &*error.into())),
        },
        Err(error) => unreadable(&error),
    }
}

fn run_chunk<F, A>(input: &[u8], output: &mut Vec<u8>) -> Outcome
where
    F: MapFn<A, Output: Payload> + Copy + 'static,
    A: Payload,
{
    match decode_items::<A>(input) {
        Ok(items) => {
            let function = conjure::<F>();
            let results: Vec<_> = items.into_iter().map(|item| function.call(item)).collect();
            returned(encode_items(&results, output))
        }
        Err(error) => unreadable(&error),
    }
}

pub(crate) fn returned(encoded: Result<(), EncodeError>) -> Outcome {
    match encoded {
        Ok(()) => Outcome::Returned,
        Err(error) => Outcome::Failed(Failure::from_error(type_name::<EncodeError>(), &error)),
    }
}

pub(crate) fn unreadable(error: &DecodeError) -> Outcome {
    Outcome::Failed(Failure::from_error(type_name::<DecodeError>(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: u64) -> u64 {
        value * 2
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_leads_back_to_the_function() {
        let build = SameBuild::prove(object::identity()).unwrap();
        let id = FunctionId::plain::<_, (u64,)>(double).unwrap();
        let (mut input, mut output) = (Vec::new(), Vec::new());
        Arguments::encode(&(21_u64,), &mut input).unwrap();

        let outcome = build.function(id.offset()).unwrap()(&input, &mut output);

        assert!(matches!(outcome, Outcome::Returned));
        assert_eq!(<u64 as Payload>::decode(&output).unwrap(), 42);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_offset_out_of_the_code_leads_nowhere() {
        let build = SameBuild::prove(object::identity()).unwrap();

        for offset in [i64::MIN, i64::MAX, -(1 << 40), 1 << 40] {
            assert!(build.function(offset).is_none(), "{offset}");
        }
    }

    #[test]
    fn another_build_proves_nothing() {
        assert!(SameBuild::prove(b"another").is_none());
        assert!(SameBuild::prove(b"").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn arguments_that_cannot_be_read_are_a_failure_and_not_a_panic() {
        let build = SameBuild::prove(object::identity()).unwrap();
        let id = FunctionId::chunk::<_, u64>(double).unwrap();

        let outcome = build.function(id.offset()).unwrap()(&[0xff; 20], &mut Vec::new());

        assert!(matches!(outcome, Outcome::Failed(_)));
    }
}
