//! The parent greets a worker, calls it and closes it, whatever the worker says: each step ends with a value or
//! a named error, and after a loss nothing is asked of the worker any more.
#![no_main]

use arbitrary::Arbitrary;
use asyncpal_process::proxy::hostile::{Said, converse};
use asyncpal_process::wire::frame::Kind;
use asyncpal_process::wire::message::Failure;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    /// Whether an honest HELLO and READY come first, so that the words answer the calls.
    greets: bool,
    has_initializer: bool,
    calls: u8,
    turns: Vec<Vec<Word>>,
}

/// Frames, mostly: bytes alone would seldom pass the first header.
#[derive(Arbitrary, Debug)]
enum Word {
    Bytes(Vec<u8>),
    Reply(Reply, Vec<u8>),
    /// A failure, as a worker would write it.
    Failure(Reply, String),
    /// One of the kinds or none of them, about any task, of any length.
    Frame {
        kind: u8,
        flags: u8,
        task_id: u8,
        length: u32,
        body: Vec<u8>,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Reply {
    Result,
    Error,
    Panic,
    Bye,
    FinErr,
    InitErr,
}

fuzz_target!(|input: Input| {
    let mut said = Said::new(input.greets);
    for (turn, id) in input.turns.iter().zip(1..) {
        said.turn();
        for word in turn {
            match word {
                Word::Bytes(bytes) => said.bytes(bytes),
                Word::Reply(reply, body) => frame(&mut said, *reply, id, body),
                Word::Failure(reply, text) => {
                    let failure = Failure::new("it", text.clone());
                    frame(&mut said, *reply, id, &failure.encode());
                }
                Word::Frame { kind, flags, task_id, length, body } => {
                    said.frame(*kind, *flags, u64::from(*task_id), *length, body);
                }
            }
        }
    }

    converse(&said, input.has_initializer, input.calls % 8);
});

fn frame(said: &mut Said, reply: Reply, id: u64, body: &[u8]) {
    let (kind, id, body) = match reply {
        Reply::Result => (Kind::Result, id, body),
        Reply::Error => (Kind::Error, id, body),
        Reply::Panic => (Kind::Panic, id, body),
        Reply::Bye => (Kind::Bye, 0, &[][..]),
        Reply::FinErr => (Kind::FinErr, 0, body),
        Reply::InitErr => (Kind::InitErr, 0, body),
    };
    said.frame(kind as u8, 0, id, body.len() as u32, body);
}
