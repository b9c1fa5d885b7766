//! Any bytes, in pieces of any size, are answered with frames or an error, and each frame that is
//! accepted is exactly what its own encoding says.
#![no_main]

use arbitrary::Arbitrary;
use asyncpal_process::wire::frame::{Decoder, Frame, FrameError};
use asyncpal_process::wire::message::{Failure, Hello, Init};
use asyncpal_process::wire::named::{Start, split_call};
use libfuzzer_sys::fuzz_target;

/// Beyond the decoder's inbox, so that a body can take the way of the large ones.
const LIMIT: usize = 64 << 10;

#[derive(Arbitrary, Debug)]
struct Input {
    /// The lengths of the pieces in which the bytes arrive, over and over.
    pieces: Vec<u16>,
    bytes: Vec<u8>,
}

fuzz_target!(|input: Input| {
    let whole = decode(&input.bytes, &[]);
    let pieces = decode(&input.bytes, &input.pieces);

    assert_eq!(whole, pieces, "the pieces in which bytes arrive change nothing");
    let mut encoded = Vec::new();
    for frame in &whole.0 {
        encoded.extend(frame.header.encode(frame.body.len()).expect("it is below the limit"));
        encoded.extend(&frame.body);
        // The bodies of messages are as untrusted as the frames around them.
        let _ = Hello::decode(&frame.body);
        let _ = Init::decode(&frame.body);
        let _ = Failure::decode(&frame.body);
        let _ = Start::decode(&frame.body);
        // A call's form and name are in both.
        let _ = split_call(frame.header.aux, &frame.body);
    }
    assert!(input.bytes.starts_with(&encoded));
});

/// The frames in `bytes`, and how the stream ended.
fn decode(mut bytes: &[u8], pieces: &[u16]) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = Decoder::new(LIMIT);
    let mut frames = Vec::new();
    let mut lengths = pieces.iter().map(|&length| usize::from(length).max(1)).cycle();
    loop {
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
        if bytes.is_empty() {
            return (frames, decoder.finish());
        }
        let (buffer, room) = decoder.buffer();
        let length = lengths.next().unwrap_or(usize::MAX).min(room).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        buffer.extend_from_slice(piece);
        bytes = rest;
    }
}
