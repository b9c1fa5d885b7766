//! `docs/protocol.md` says what the codec does: who writes a worker in another language has only the document.
#![cfg(feature = "process")]

use asyncpal::process::wire::frame::{DEFAULT_MAX_FRAME_BYTES, Decoder, Frame, HEADER_BYTES, Kind};
use asyncpal::process::wire::frame::{Header, MAGIC, MIN_FRAME_LIMIT};
use asyncpal::process::wire::message::PROTOCOL_VERSION;
use asyncpal::process::wire::named::{Form, MAX_NAME_BYTES, aux, split_call};
use asyncpal::process::{Plain, wire};

const DOCUMENT: &str = include_str!("../docs/protocol.md");

/// The bytes of the document's examples, one frame behind the other.
fn example() -> Vec<u8> {
    let lines = DOCUMENT.lines().filter_map(|line| line.strip_prefix("    "));
    let bytes = lines.flat_map(str::split_whitespace);
    bytes.map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect()
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::new(DEFAULT_MAX_FRAME_BYTES);
    let (buffer, welcome) = decoder.buffer();
    assert!(bytes.len() <= welcome, "examples are short");
    buffer.extend_from_slice(bytes);
    let frames = core::iter::from_fn(|| decoder.next().expect("frames")).collect();
    assert!(decoder.is_at_boundary());
    frames
}

#[test]
fn the_documents_example_is_a_call_and_its_answer() {
    let [call, answer] = &frames(&example())[..] else { panic!("two frames") };

    let (form, name, arguments) = split_call(call.header.aux, &call.body).expect("a call");
    assert_eq!((call.header.kind, form, name), (Kind::Call, Form::One, "square"));
    assert!(matches!(<(u64,) as Plain>::decode(arguments), Ok((12,))));
    assert_eq!(call.header.aux, aux("square", Form::One));
    assert_eq!((answer.header.kind, answer.header.task_id), (Kind::Result, call.header.task_id));
    assert!(matches!(<u64 as Plain>::decode(&answer.body), Ok(144)));
}

#[test]
fn the_document_has_the_codes_of_all_kinds() {
    let kinds = [
        (Kind::Hello, "HELLO"),
        (Kind::Ready, "READY"),
        (Kind::InitErr, "INIT_ERR"),
        (Kind::Result, "RESULT"),
        (Kind::Error, "ERROR"),
        (Kind::Panic, "PANIC"),
        (Kind::FinErr, "FIN_ERR"),
        (Kind::Bye, "BYE"),
        (Kind::Close, "CLOSE"),
        (Kind::Start, "START"),
        (Kind::Call, "CALL"),
    ];
    for (kind, name) in kinds {
        let row = format!("| `{:02x}` | {name} | ", kind as u8);
        assert!(DOCUMENT.contains(&row), "{row}");
    }
    assert!(DOCUMENT.contains(&format!("`{:02x}` INIT", Kind::Init as u8)));
    assert!(DOCUMENT.contains(&format!("`{:02x}` TASK", Kind::Task as u8)));
    // Whoever adds a kind finds this list.
    let known = (0..=u8::MAX).filter(|&code| is_known(code)).count();
    assert_eq!(known, kinds.len() + 2);
}

fn is_known(code: u8) -> bool {
    let mut head = Header::new(Kind::Ready).encode(0).expect("short");
    head[4] = code;
    let mut decoder = Decoder::new(0);
    decoder.buffer().0.extend_from_slice(&head);
    decoder.next().is_ok()
}

#[test]
fn the_documents_numbers_are_those_of_the_code() {
    let [p, a] = MAGIC.to_le_bytes();

    for said in [
        format!("Version {PROTOCOL_VERSION}."),
        format!("a header of {HEADER_BYTES} bytes"),
        format!("the bytes `{p:02x} {a:02x}`"),
        format!("at most {} bytes. `task_id`", thousands(MAX_NAME_BYTES)),
        format!("default {} MiB", DEFAULT_MAX_FRAME_BYTES >> 20),
        format!("a body of up to {} KiB is accepted", MIN_FRAME_LIMIT >> 10),
        format!("{}, the stream failed", wire::exit::IO),
        format!("{}, a frame was not understood", wire::exit::PROTOCOL),
        format!("{}, no pool has started them", wire::exit::NO_PARENT),
    ] {
        assert!(DOCUMENT.contains(&said), "{said}");
    }
}

fn thousands(number: usize) -> String {
    format!("{} {:03}", number / 1000, number % 1000)
}
