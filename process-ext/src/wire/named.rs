//! What is said to workers of another program only: START, and the form of a CALL.
//!
//! Functions have names there. START's body is a plain tuple of name, limit, initializer and finalizer. A CALL's body
//! is the function's name, then its arguments in the plain encoding; its `aux` says where the name ends:
//!
//! | bits of `aux` | meaning                                                                    |
//! |---------------|----------------------------------------------------------------------------|
//! | 0..16         | length of the name                                                         |
//! | 16..24        | 0: one call; 1: a list of calls, their count first, and a list of results  |
//! | 24..64        | zero                                                                       |

use crate::error::DecodeError;
use crate::wire::payload::Plain;

/// The longest name that a function may have.
pub const MAX_NAME_BYTES: usize = u16::MAX as usize;

/// START: what a worker of another program needs to know before its first task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The worker's name.
    pub name: String,
    /// The largest body in either direction.
    pub max_frame_bytes: u64,
    /// The function to run before READY.
    pub initializer: Option<String>,
    /// The function to run after CLOSE.
    pub finalizer: Option<String>,
}

impl Start {
    /// The body.
    pub fn encode(&self) -> Vec<u8> {
        let Self { name, max_frame_bytes, initializer, finalizer } = self.clone();
        let mut out = Vec::new();
        Plain::encode(&(name, max_frame_bytes, initializer, finalizer), &mut out)
            .expect("strings and numbers can be written");
        out
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// The bytes are no START.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        let (name, max_frame_bytes, initializer, finalizer) = Plain::decode(input)?;
        Ok(Self { name, max_frame_bytes, initializer, finalizer })
    }
}

/// How many calls a CALL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One: arguments in, a result out.
    One,
    /// A list of them: a count and as many arguments in, a count and as many results out.
    Many,
}

/// `aux` of a CALL.
pub fn aux(name: &str, form: Form) -> u64 {
    debug_assert!(name.len() <= MAX_NAME_BYTES, "checked where a function is named");
    name.len() as u64 | u64::from(form == Form::Many) << 16
}

/// A CALL's form, the function's name, and the arguments.
///
/// # Errors
///
/// `aux` has no meaning, or says that the name is longer than the body or cut inside a character.
pub fn split_call(aux: u64, body: &[u8]) -> Result<(Form, &str, &[u8]), DecodeError> {
    let form = match aux >> 16 {
        0 => Form::One,
        1 => Form::Many,
        _ => return Err(DecodeError::invalid("a call of an unknown form")),
    };
    let (name, arguments) =
        body.split_at_checked((aux & 0xffff) as usize).ok_or(DecodeError::unexpected_end())?;
    let name = core::str::from_utf8(name)
        .map_err(|_| DecodeError::invalid("a function's name that is not UTF-8"))?;
    Ok((form, name, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_survives_the_journey_and_no_cut_of_it_does() {
        let start = Start {
            name: "far-0".into(),
            max_frame_bytes: 1 << 40,
            initializer: None,
            finalizer: Some("leave".into()),
        };
        let bytes = start.encode();

        assert_eq!(Start::decode(&bytes).unwrap(), start);
        for end in 0..bytes.len() {
            assert!(Start::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_call_is_cut_behind_its_name() {
        let name = "größe";
        let body = [name.as_bytes(), &[1, 2]].concat();

        for form in [Form::One, Form::Many] {
            assert_eq!(split_call(aux(name, form), &body).unwrap(), (form, name, &[1, 2][..]));
        }
    }

    #[test]
    fn a_call_of_no_form_or_without_its_whole_name_is_refused() {
        let body = "größe".as_bytes();

        assert!(split_call(3, body).is_err(), "inside the ö");
        assert!(split_call(8, body).is_err(), "behind the end");
        assert!(split_call(2 << 16, body).is_err());
        assert!(split_call(1 << 24, body).is_err());
        assert!(split_call(u64::MAX, body).is_err());
    }
}
