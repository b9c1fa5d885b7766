//! What a chain of errors says when it is printed, of this crate's errors and of those of a pool.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use asyncpal_std::kind::CrashLoop;
use asyncpal_std::{BrokenCause, BuildError, Panic, PoolError, TaskError};

use super::*;
use crate::wire::message::{Failure, Link};

/// An error with two sources, told by each in turn.
#[derive(Debug)]
struct Layer(&'static [&'static str]);

const LAYERS: Layer = Layer(&["outermost", "middle", "innermost"]);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0[0])
    }
}

impl core::error::Error for Layer {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self.0[1..] {
            [] => None,
            ["innermost"] => Some(&Layer(&["innermost"])),
            _ => Some(&Layer(&["middle", "innermost"])),
        }
    }
}

fn remote() -> RemoteError {
    let link = |text: &&str| Link { type_name: String::new(), message: (*text).into() };
    let failure = Failure { links: LAYERS.0.iter().map(link).collect(), ..Failure::default() };
    RemoteError::new(RemoteErrorKind::Error, 7, "w", failure)
}

fn lost() -> WorkerLost {
    WorkerLost::new(7, "w", LostCause::Protocol("outermost middle innermost".into()))
}

fn broken(cause: BrokenCause) -> TaskError {
    TaskError::Rejected(PoolError::Broken(Arc::new(cause)))
}

/// Once each: every error that has a cause, over each cause that it can have.
fn errors() -> Vec<Box<dyn core::error::Error>> {
    let io = || io::Error::other(LAYERS);
    let crash_loop = || CrashLoop { starts: 3, last: LaunchError::Initializer(remote()).into() };
    vec![
        Box::new(TaskError::Failed(LAYERS.into())),
        Box::new(TaskError::Failed(remote().into())),
        Box::new(TaskError::Panicked(Panic::in_worker("outermost", remote().into()))),
        Box::new(TaskError::Failed(lost().into())),
        Box::new(TaskError::Failed(LaunchError::Initializer(remote()).into())),
        Box::new(TaskError::Failed(TaskError::Failed(io().into()).into())),
        Box::new(TaskError::Rejected(PoolError::Encode(Arc::new(LAYERS)))),
        Box::new(TaskError::Rejected(PoolError::Spawn(Arc::new(BuildError::System(io().into()))))),
        Box::new(broken(BrokenCause::Initializer(remote().into()))),
        Box::new(broken(BrokenCause::Finalizer(CloseError::Finalizer(remote()).into()))),
        Box::new(broken(BrokenCause::Finalizer(CloseError::CutShort(lost()).into()))),
        Box::new(broken(BrokenCause::Finalizer(CloseError::TimedOut(lost()).into()))),
        Box::new(broken(BrokenCause::of_opening(Box::new(crash_loop())))),
        Box::new(crash_loop()),
        Box::new(PoolError::Broken(Arc::new(BrokenCause::Initializer(LAYERS.into())))),
        Box::new(BuildError::System(LaunchError::Spawn(io()).into())),
        Box::new(BuildError::Hook(LAYERS.into())),
        Box::new(LaunchError::Proc(io())),
        Box::new(LaunchError::Kernel { call: "waitid", error: io() }),
        Box::new(LaunchError::Limit { what: "nice", error: io() }),
        Box::new(LaunchError::Handshake(HandshakeError::Lost(lost()))),
        Box::new(CallError::Lost(lost())),
        Box::new(CallError::NotStarted(lost())),
        Box::new(CloseError::Lost(lost())),
        Box::new(remote()),
        #[cfg(feature = "serde")]
        Box::new(EncodeError::new(LAYERS).of::<u8>()),
        #[cfg(feature = "serde")]
        Box::new(DecodeError::new(LAYERS)),
    ]
}

/// As `{:#}` of `anyhow` prints it.
#[test]
fn a_printed_chain_says_everything_once() {
    for error in errors() {
        let chain: Vec<String> = core::iter::successors(Some(&*error), |&error| error.source())
            .map(ToString::to_string)
            .collect();
        let printed = chain.join(": ");

        for message in chain.iter().map(String::as_str).chain(LAYERS.0.iter().copied()) {
            assert_eq!(printed.matches(message).count(), 1, "{message:?} in {printed:?}");
        }
        assert!(chain[0].contains("outermost"), "the text alone tells the cause: {printed}");
    }
}

#[test]
fn a_value_that_cannot_be_read_is_named_by_its_type() {
    use crate::wire::payload::{Arguments, Payload, decode_items};

    let of = |error: DecodeError| (error.type_name(), error.to_string());

    let (name, text) = of(<Vec<u64> as Payload>::decode(&[1]).expect_err("too short"));
    assert_eq!(name, Some("alloc::vec::Vec<u64>"));
    assert!(text.starts_with("a `alloc::vec::Vec<u64>` could not be decoded: "), "{text}");

    let (name, _) = of(<(String, f64) as Arguments>::decode(&[0; 9]).expect_err("too short"));
    assert_eq!(name, Some("f64"), "the argument that it is");
    let items = decode_items::<f32>(&[1, 0, 0, 0, 0, 0, 0, 0, 9]);
    assert_eq!(of(items.expect_err("too short")).0, Some("f32"));
}

#[test]
fn a_loss_is_found_behind_the_errors_of_a_pool() {
    let start = || LaunchError::Handshake(HandshakeError::Lost(lost()));
    let crash_loop = CrashLoop { starts: 3, last: start().into() };

    for error in [
        TaskError::Failed(lost().into()),
        TaskError::Failed(start().into()),
        TaskError::Failed(TaskError::Failed(lost().into()).into()),
        broken(BrokenCause::of_opening(Box::new(crash_loop))),
        broken(BrokenCause::Finalizer(CloseError::CutShort(lost()).into())),
        broken(BrokenCause::Finalizer(CloseError::TimedOut(lost()).into())),
    ] {
        assert_eq!(WorkerLost::of(&error), Some(&lost()), "{error:?}");
    }
    let timed_out = LaunchError::Handshake(HandshakeError::TimedOut(Duration::ZERO));
    assert_eq!(WorkerLost::of(&timed_out), None);
    assert_eq!(WorkerLost::of(&TaskError::Failed(remote().into())), None);
}
