//! The functions that a worker of another program offers, by name.

#![forbid(unsafe_code)]

use core::any::type_name;
use core::error::Error;
use core::fmt;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::remote::{Outcome, RemoteFn, returned, unreadable};
use crate::wire::message::Failure;
use crate::wire::named::Form;
use crate::wire::payload::Plain;

/// Functions by name, for [`serve_stdio`](crate::serve_stdio).
///
/// # Examples
///
/// ```
/// # mod asyncpal { pub use {asyncpal_process::{self as process, CommandPool, ProcessPool}, asyncpal_std::*}; }
/// use asyncpal::process::Registry;
///
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let registry = Registry::new()
///     .function("square", square)
///     .function("count words", |text: String| text.split_whitespace().count())
///     .fallible("parse", |text: String| text.parse::<u64>());
/// assert_eq!(registry.names().collect::<Vec<_>>(), ["count words", "parse", "square"]);
/// ```
#[derive(Default)]
pub struct Registry {
    functions: BTreeMap<Cow<'static, str>, Entry>,
}

/// Reads arguments from the input, calls a function, writes its result to the output.
type Entry = Box<dyn Fn(Form, &[u8], &mut Vec<u8>) -> Outcome>;

impl Registry {
    /// Without a function.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function of up to six arguments. Its panic is the task's failure, and the worker goes on.
    ///
    /// # Panics
    ///
    /// If there is a function of that name.
    #[track_caller]
    pub fn function<F, A>(self, name: impl Into<Cow<'static, str>>, function: F) -> Self
    where
        F: RemoteFn<A, Output: Plain>,
        A: Plain,
    {
        self.add(name.into(), move |arguments| Ok(function.call(arguments)))
    }

    /// Adds a function that returns a `Result`: its `Err` is the task's failure, with its chain of sources. The
    /// caller names it by what it returns in `Ok`.
    ///
    /// # Panics
    ///
    /// If there is a function of that name.
    #[track_caller]
    pub fn fallible<F, A, T, E>(self, name: impl Into<Cow<'static, str>>, function: F) -> Self
    where
        F: RemoteFn<A, Output = Result<T, E>>,
        A: Plain,
        T: Plain,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.add(name.into(), move |arguments| {
            let failed = |error: E| Failure::from_error(type_name::<E>(), &*error.into());
            function.call(arguments).map_err(failed)
        })
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(|name| &**name)
    }

    #[track_caller]
    fn add<A, T>(
        mut self,
        name: Cow<'static, str>,
        call: impl Fn(A) -> Result<T, Failure> + 'static,
    ) -> Self
    where
        A: Plain,
        T: Plain,
    {
        let entry = move |form, input: &[u8], output: &mut Vec<u8>| match form {
            Form::One => match A::decode(input).map(&call) {
                Ok(Ok(value)) => returned(value.encode(output)),
                Ok(Err(failure)) => Outcome::Failed(failure),
                Err(error) => unreadable(&error),
            },
            Form::Many => match A::decode_many(input) {
                Ok(items) => match items.into_iter().map(&call).collect::<Result<Vec<_>, _>>() {
                    Ok(values) => returned(T::encode_many(&values, output)),
                    Err(failure) => Outcome::Failed(failure),
                },
                Err(error) => unreadable(&error),
            },
        };
        let earlier = self.functions.insert(name.clone(), Box::new(entry));
        assert!(earlier.is_none(), "the function {name:?} is registered twice");
        self
    }

    /// Calls a function, or says that there is none of that name.
    pub(crate) fn call(
        &self,
        form: Form,
        name: &str,
        input: &[u8],
        output: &mut Vec<u8>,
    ) -> Outcome {
        match self.functions.get(name) {
            Some(function) => function(form, input, output),
            None => {
                let known = self.names().map(|name| format!("{name:?}")).collect::<Vec<_>>();
                let known = if known.is_empty() { String::from("none") } else { known.join(", ") };
                let message =
                    format!("the worker has no function {name:?}; those that it has: {known}");
                Outcome::Failed(Failure::new("", message))
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.functions.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry::new()
            .function("add", |a: u64, b: u64| a + b)
            .function("nothing", || ())
            .fallible("parse", |text: String| text.parse::<u8>())
    }

    fn call(form: Form, name: &str, input: &impl Plain) -> Result<Vec<u8>, String> {
        let (mut bytes, mut output) = (Vec::new(), Vec::new());
        input.encode(&mut bytes).unwrap();
        match registry().call(form, name, &bytes, &mut output) {
            Outcome::Returned => Ok(output),
            Outcome::Failed(failure) => Err(failure.links[0].message.clone()),
        }
    }

    #[test]
    fn a_call_reaches_the_function_of_its_name() {
        assert_eq!(call(Form::One, "add", &(40_u64, 2_u64)).unwrap(), 42_u64.to_le_bytes());
        assert_eq!(call(Form::One, "nothing", &()).unwrap(), b"");
        assert_eq!(call(Form::One, "parse", &"7".to_owned()).unwrap(), [7]);
    }

    #[test]
    fn many_calls_are_as_many_results() {
        let sums = call(Form::Many, "add", &vec![(1_u64, 2_u64), (3, 4)]).unwrap();
        assert_eq!(<Vec<u64> as Plain>::decode(&sums).unwrap(), [3, 7]);

        let failed = call(Form::Many, "parse", &vec!["7".to_owned(), "x".to_owned()]);
        assert!(failed.unwrap_err().contains("invalid digit"));
    }

    #[test]
    fn an_unknown_name_is_told_with_those_that_are_known() {
        let error = call(Form::One, "sub", &()).unwrap_err();

        assert!(error.contains("\"sub\"") && error.contains("\"add\", \"nothing\""), "{error}");
    }

    #[test]
    fn arguments_of_another_signature_are_a_failure() {
        assert!(call(Form::One, "add", &1_u64).is_err());
        assert!(call(Form::Many, "add", &u64::MAX).is_err());
    }

    #[test]
    #[should_panic(expected = "\"add\" is registered twice")]
    fn a_name_is_given_once() {
        let _ = registry().function("add", |n: u8| n);
    }
}
