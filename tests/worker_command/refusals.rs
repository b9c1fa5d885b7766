//! What a worker must not understand, as `docs/protocol.md` says under *Errors*. Both readers of that page are told it:
//! `serve_stdio`, and `examples/worker.py`.

use std::env;
use std::io::Write as _;
use std::process::{Command, Stdio};

use asyncpal::process::wire::exit;
use asyncpal::process::wire::frame::{DEFAULT_MAX_FRAME_BYTES, Decoder, Header, Kind};
use asyncpal::process::wire::frame::{MAGIC, MIN_FRAME_LIMIT, PANICKED};
use asyncpal::process::wire::named::{Form, Start, aux};
use libtest_mimic::Trial;

use crate::worker::{SERVE, SQUARE};
use crate::{python, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_rust_worker_understands_what_it_should", || understands(rust)),
        trial("a_rust_worker_stops_where_the_protocol_is_broken", || stops(rust)),
        trial("a_rust_worker_that_nobody_listens_to_ends_with_its_code", nobody_listens),
        python::trial("a_python_worker_understands_what_it_should", || understands(python)),
        python::trial("a_python_worker_stops_where_the_protocol_is_broken", || stops(python)),
        python::trial("a_python_worker_pays_for_no_claim_before_it_has_come", pays_for_no_claim),
    ]
}

fn rust() -> Command {
    let mut command = Command::new(env::current_exe().expect("a test program has a path"));
    command.arg(SERVE);
    command
}

fn python() -> Command {
    let mut command = Command::new("python3");
    command.arg(python::WORKER);
    command
}

fn understands(worker: fn() -> Command) {
    let square = call(SQUARE.name(), &12_u64.to_le_bytes());
    let nameless = frame(Kind::Call, 0, &vec![0; MIN_FRAME_LIMIT]);

    for (what, limit, call, answer) in [
        ("a result of just the limit", 8, square.clone(), Kind::Result),
        ("a result over the limit", 7, square, Kind::Error),
        ("a body that no limit forbids", 7, nameless, Kind::Error),
    ] {
        let close = frame(Kind::Close, 0, &[]);
        let said = tell(worker(), &[start(limit), call, close].concat());
        let due = vec![Kind::Hello, Kind::Ready, answer, Kind::Bye];
        assert_eq!(said, (Some(exit::OK), due), "{what}");
    }
    assert_eq!(tell(worker(), &[]), (Some(exit::OK), vec![Kind::Hello]), "the end at once");
}

fn stops(worker: fn() -> Command) {
    let square = call(SQUARE.name(), &12_u64.to_le_bytes());
    let start = start(1 << 20);
    let cut = |frame: &[u8], bytes| frame[..frame.len() - bytes].to_vec();
    let changed = |frame: &[u8], at: usize, byte| {
        let mut frame = frame.to_vec();
        frame[at] = byte;
        frame
    };
    let start_of = |body: &[u8]| frame(Kind::Start, 0, body);
    let hook_tag = start.len() - 2;

    for (what, words) in [
        ("half a header", start[..12].to_vec()),
        ("half a START", cut(&start, 1)),
        ("a START whose body is too short", start_of(&start[24..start.len() - 1])),
        ("a START whose body is too long", start_of(&[&start[24..], &[0]].concat())),
        ("a START with a tag that is neither 0 nor 1", changed(&start, hook_tag, 2)),
        ("a START with a name that is not UTF-8", changed(&start, 24 + 8, 0xff)),
        ("a START over the least limit", start_of(&vec![0; MIN_FRAME_LIMIT + 1])),
        ("a CALL before START", square.clone()),
    ] {
        assert_eq!(tell(worker(), &words), (Some(exit::PROTOCOL), vec![Kind::Hello]), "{what}");
    }
    for (what, words) in [
        ("half a header", square[..23].to_vec()),
        ("a CALL that is cut by the end", cut(&square, 8)),
        ("a wrong magic", changed(&square, 6, !MAGIC.to_le_bytes()[0])),
        ("an unknown kind", changed(&square, 4, 0x7f)),
        ("flags that a CALL does not have", changed(&square, 5, PANICKED)),
        ("a CALL of an unknown form", changed(&square, 16 + 2, 2)),
        ("a name that is longer than the body", changed(&square, 16, 200)),
        ("a name that is not UTF-8", changed(&square, 24, 0xff)),
        ("a body over the limit", call(SQUARE.name(), &vec![0; 1 << 20])),
        ("a CLOSE with a body", frame(Kind::Close, 0, &[0])),
        ("a second START", start.clone()),
    ] {
        let said = tell(worker(), &[&start[..], &words].concat());
        assert_eq!(said, (Some(exit::PROTOCOL), vec![Kind::Hello, Kind::Ready]), "{what}");
    }
}

/// It allocated the whole of a body when it had read the header.
fn pays_for_no_claim() {
    let mut poor = Command::new("sh");
    // Some 500 MiB of addresses.
    poor.args(["-c", "ulimit -v 500000; exec python3 \"$0\"", python::WORKER]);
    let header = Header::new(Kind::Call).encode(1 << 30).expect("a length").to_vec();

    let said = tell(poor, &[start(2 << 30), header, vec![0; 100]].concat());

    assert_eq!(said, (Some(exit::PROTOCOL), vec![Kind::Hello, Kind::Ready]));
}

/// It panicked, as it could not say why it ends, and its code was 101.
fn nobody_listens() {
    let mut listener = Command::new("true").stdin(Stdio::piped()).spawn().expect("a program");
    let stderr = listener.stdin.take().expect("it is a pipe");
    listener.wait().expect("it is ours");
    let mut worker = rust();
    worker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);

    let mut worker = worker.spawn().expect("it is there");
    worker.stdin.take().expect("it is a pipe").write_all(&[0; 24]).expect("it reads");

    assert_eq!(worker.wait().expect("it ends").code(), Some(exit::PROTOCOL));
}

fn frame(kind: Kind, aux: u64, body: &[u8]) -> Vec<u8> {
    let header = Header { aux, ..Header::new(kind) };
    [&header.encode(body.len()).expect("short")[..], body].concat()
}

fn start(max_frame_bytes: u64) -> Vec<u8> {
    let name = String::from("worker");
    let start = Start { name, max_frame_bytes, initializer: None, finalizer: None };
    frame(Kind::Start, 0, &start.encode())
}

fn call(name: &str, arguments: &[u8]) -> Vec<u8> {
    frame(Kind::Call, aux(name, Form::One), &[name.as_bytes(), arguments].concat())
}

/// Says this to a worker, and nothing more. With which code it exits, and what it has said.
fn tell(mut worker: Command, words: &[u8]) -> (Option<i32>, Vec<Kind>) {
    let worker = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut worker = worker.spawn().expect("it is there");
    // A worker that has heard enough does not read on.
    let _ = worker.stdin.take().expect("it is a pipe").write_all(words);
    let ended = worker.wait_with_output().expect("it ends");

    let mut decoder = Decoder::new(DEFAULT_MAX_FRAME_BYTES);
    let (buffer, welcome) = decoder.buffer();
    assert!(ended.stdout.len() <= welcome, "what it says is short");
    buffer.extend_from_slice(&ended.stdout);
    let said = core::iter::from_fn(|| decoder.next().expect("frames"));
    let said = said.map(|frame| frame.header.kind).collect();
    assert!(decoder.is_at_boundary());
    (ended.status.code(), said)
}
