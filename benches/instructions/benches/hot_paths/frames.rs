//! Frames with a body of 64 bytes.

#![forbid(unsafe_code)]

use core::array;
use core::hint::black_box;

use asyncpal_process::wire::frame::{DEFAULT_MAX_FRAME_BYTES, Decoder, Header, Kind};
use gungraun::{library_benchmark, library_benchmark_group};

use crate::REPETITIONS;

const BODY: [u8; 64] = [7; 64];

/// So many frames arrive in one read; all fit into the inbox.
const PER_READ: usize = 100;

fn task(id: usize) -> Header {
    Header { task_id: id as u64, aux: 0x1234, ..Header::new(Kind::Task) }
}

fn fed() -> Decoder {
    let mut decoder = Decoder::new(DEFAULT_MAX_FRAME_BYTES);
    let (inbox, room) = decoder.buffer();
    for id in 0..PER_READ {
        inbox.extend(task(id).encode(BODY.len()).expect("it is short"));
        inbox.extend(BODY);
    }
    assert!(inbox.len() <= room);
    decoder
}

// The head; the body is sent from where it is.
#[library_benchmark]
#[bench::frame()]
fn encode() {
    for id in 0..REPETITIONS {
        black_box(task(black_box(id)).encode(black_box(BODY.len())).expect("it is short"));
    }
}

// Once the bytes are there.
#[library_benchmark]
#[bench::frame(array::from_fn(|_| fed()))]
fn decode(mut decoders: [Decoder; REPETITIONS / PER_READ]) -> [Decoder; REPETITIONS / PER_READ] {
    for decoder in &mut decoders {
        while let Some(frame) = decoder.next().expect("these are frames") {
            black_box(&frame);
        }
    }
    decoders
}

library_benchmark_group!(name = frame_codec, benchmarks = [encode, decode]);
