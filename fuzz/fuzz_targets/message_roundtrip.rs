//! Messages and payloads come back as they were sent; bytes that are accepted are what the value that they
//! stand for is written as, so that nothing has two encodings.
#![no_main]

use arbitrary::Arbitrary;
use asyncpal_process::wire::frame::MIN_FRAME_LIMIT;
use asyncpal_process::wire::message::{Failure, Hello, Init, Link, PROTOCOL_VERSION};
use asyncpal_process::wire::named::{Form, MAX_NAME_BYTES, Start, aux, split_call};
use asyncpal_process::wire::payload::{Arguments, Payload, Plain, decode_items, encode_items};
use libfuzzer_sys::fuzz_target;

type Value = (u8, bool, char, String, Option<Vec<u16>>, Result<i64, Vec<String>>);
type Item = (Option<u32>, Vec<(String, bool)>);

#[derive(Arbitrary, Debug)]
enum Input {
    Hello { version: u32, pid: u32, build: Vec<u8> },
    Init { build: Vec<u8>, name: String, limit: u64, hooks: [Option<i64>; 2] },
    Failure { links: Vec<(String, String)>, texts: [String; 3], repeat: u16 },
    Value(Value),
    Items(Vec<Item>),
    Bits(u64),
    Raw(Vec<u8>),
    Start { name: String, limit: u64, hooks: [Option<String>; 2] },
    Call { name: String, repeat: u16, arguments: Value },
    Calls { name: String, arguments: Vec<Item> },
    RawCall { aux: u64, body: Vec<u8> },
}

fuzz_target!(|input: Input| {
    match input {
        Input::Hello { version, pid, build } => {
            let sent = Hello { version, pid, build };
            // Of another version only that is read.
            let due = match version {
                PROTOCOL_VERSION => sent.clone(),
                _ => Hello { version, pid: 0, build: Vec::new() },
            };
            assert_eq!(Hello::decode(&sent.encode()).ok(), Some(due));
        }
        Input::Init { build, name, limit, hooks: [initializer, finalizer] } => {
            let sent = Init { build, name, max_frame_bytes: limit, initializer, finalizer };
            assert_eq!(Init::decode(&sent.encode()).ok(), Some(sent));
        }
        Input::Failure { links, texts, repeat } => failure(links, texts, repeat.into()),
        Input::Value(value) => {
            let mut bytes = Vec::new();
            Arguments::encode(&value, &mut bytes).expect("no value refuses");
            assert_eq!(<Value as Arguments>::decode(&bytes).ok(), Some(value));
        }
        Input::Items(items) => {
            let mut bytes = Vec::new();
            encode_items(&items, &mut bytes).expect("no value refuses");
            assert_eq!(decode_items(&bytes).ok(), Some(items));
        }
        Input::Bits(bits) => {
            let mut bytes = Vec::new();
            Payload::encode(&f64::from_bits(bits), &mut bytes).expect("no number refuses");
            let received = <f64 as Payload>::decode(&bytes).expect("it was just written");
            assert_eq!(received.to_bits(), bits);
        }
        Input::Raw(bytes) => raw(&bytes),
        Input::Start { name, limit, hooks: [initializer, finalizer] } => {
            let sent = Start { name, max_frame_bytes: limit, initializer, finalizer };
            assert_eq!(Start::decode(&sent.encode()).ok(), Some(sent));
        }
        Input::Call { name, repeat, arguments } => {
            let name = name_of(&name, repeat);
            let mut body = name.as_bytes().to_vec();
            Plain::encode(&arguments, &mut body).expect("no value refuses");
            let (form, found, bytes) = call(&name, Form::One, &body);
            assert_eq!((form, found), (Form::One, &*name));
            assert_eq!(<Value as Plain>::decode(bytes).ok(), Some(arguments));
        }
        Input::Calls { name, arguments } => {
            let name = name_of(&name, 1);
            let mut body = name.as_bytes().to_vec();
            Plain::encode_many(&arguments, &mut body).expect("no value refuses");
            let (form, found, bytes) = call(&name, Form::Many, &body);
            assert_eq!((form, found), (Form::Many, &*name));
            assert_eq!(<Item as Plain>::decode_many(bytes).ok(), Some(arguments));
        }
        Input::RawCall { aux: found, body } => {
            if let Ok((form, name, arguments)) = split_call(found, &body) {
                assert_eq!(aux(name, form), found);
                assert_eq!([name.as_bytes(), arguments].concat(), body);
            }
        }
    }
});

/// A name of any length that a function's name may have.
fn name_of(text: &str, repeat: u16) -> String {
    text.repeat(usize::from(repeat).min(MAX_NAME_BYTES / text.len().max(1)))
}

/// What a worker reads of a call.
fn call<'b>(name: &str, form: Form, body: &'b [u8]) -> (Form, &'b str, &'b [u8]) {
    split_call(aux(name, form), body).expect("it was just written")
}

/// Overlong texts are cut, once: what arrives is written as it came.
fn failure(links: Vec<(String, String)>, [location, thread, backtrace]: [String; 3], times: usize) {
    let link = |(type_name, message): (String, String)| Link {
        type_name,
        message: message.repeat(times.min(1 << 10)),
    };
    let links: Vec<_> = links.into_iter().map(link).collect();
    let backtrace = backtrace.repeat(times.min(1 << 12));
    let sent = Failure { links, location, thread, backtrace };

    let bytes = sent.encode();

    assert!(bytes.len() <= MIN_FRAME_LIMIT, "it fits every limit");
    match Failure::decode(&bytes) {
        Ok(received) => {
            assert_eq!(received.encode(), bytes);
            assert!(sent.backtrace.starts_with(&received.backtrace));
            for (sent, received) in sent.links.iter().zip(&received.links) {
                assert!(sent.message.starts_with(&received.message));
                assert!(sent.type_name.starts_with(&received.type_name));
            }
        }
        Err(error) => assert!(sent.links.is_empty(), "{error}"),
    }
}

fn raw(bytes: &[u8]) {
    match Hello::decode(bytes) {
        Ok(value) if value.version == PROTOCOL_VERSION => assert_eq!(value.encode(), bytes),
        _ => {}
    }
    if let Ok(value) = Init::decode(bytes) {
        // The number of a hook that is none is not looked at.
        assert_eq!(Init::decode(&value.encode()).ok(), Some(value));
    }
    if let Ok(value) = Start::decode(bytes) {
        assert_eq!(value.encode(), bytes);
    }
    if let Ok(value) = Failure::decode(bytes) {
        // Overlong texts are cut when they are written.
        let again = Failure::decode(&value.encode()).expect("it was just written");
        assert_eq!(again.links.len(), value.links.len());
    }
    let mut again = Vec::new();
    if let Ok(value) = <Value as Arguments>::decode(bytes) {
        Arguments::encode(&value, &mut again).expect("no value refuses");
        assert_eq!(again, bytes);
    }
    again.clear();
    if let Ok(items) = decode_items::<Item>(bytes) {
        encode_items(&items, &mut again).expect("no value refuses");
        assert_eq!(again, bytes);
    }
    // Values without bytes: a count alone must not cost memory.
    let _ = decode_items::<Vec<u64>>(bytes);
    let _ = decode_items::<Option<String>>(bytes);
}
