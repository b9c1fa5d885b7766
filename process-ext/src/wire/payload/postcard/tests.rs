//! What serde writes comes back as it was, or is refused in words.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::wire::payload::Payload;

pub(super) fn encoded(value: &impl Payload) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes).map(|()| bytes).map_err(|error| error.to_string())
}

pub(super) fn refusal(value: &impl Payload) -> String {
    encoded(value).expect_err("it cannot be read back")
}

/// Why what was written cannot be read.
fn misreading<T: Payload + core::fmt::Debug>(value: &T) -> String {
    T::decode(&encoded(value).expect("it is written")).expect_err("it cannot be read").to_string()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Skips {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    b: u8,
    c: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum SkipsToo {
    Nothing,
    Some {
        #[serde(skip_serializing_if = "String::is_empty")]
        name: String,
        rest: u8,
    },
}

/// Postcard would read `{a: None, b: 1, c: 7}` as `{a: Some(7), b: …}`.
#[test]
fn a_skipped_field_is_refused_by_name_wherever_it_is() {
    let skips = |a| Skips { a, b: 1, c: 7 };

    let text = refusal(&skips(None));
    assert!(text.contains("`Skips` skips its field `a`"), "{text}");
    for text in [
        refusal(&vec![(1_u8, Some(skips(None)))]),
        refusal(&BTreeMap::from([(1, Ok::<_, u8>(skips(None)))])),
        refusal(&Box::new([skips(None)])),
    ] {
        assert!(text.contains("`Skips` skips its field `a`"), "{text}");
    }
    let text = refusal(&SkipsToo::Some { name: String::new(), rest: 1 });
    assert!(text.contains("`SkipsToo::Some` skips its field `name`"), "{text}");

    let there = vec![skips(Some(3))];
    assert_eq!(Vec::<Skips>::decode(&encoded(&there).unwrap()).unwrap(), there);
}

#[derive(Debug, Serialize, Deserialize)]
struct Flattens {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { value: u8 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    A(u8),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value")]
enum Beside {
    A(u8),
}

#[test]
fn what_needs_lengths_or_kinds_is_refused_with_the_cause() {
    let text = refusal(&Flattens { a: 1, rest: BTreeMap::new() });
    assert!(text.contains("needs lengths in advance: `#[serde(flatten)]`"), "{text}");

    for text in [
        misreading(&Tagged::A { value: 1 }),
        misreading(&Beside::A(1)),
        misreading(&Untagged::A(1)),
    ] {
        assert!(text.contains("asks the bytes what they hold"), "{text}");
    }
}

#[test]
fn what_postcard_says_is_told() {
    let text = <Option<u64>>::decode(&[1]).unwrap_err().to_string();

    assert!(text.contains("end of buffer"), "{text}");
}

#[test]
fn what_a_value_says_of_its_refusal_is_told() {
    #[derive(Debug, Deserialize)]
    struct Moody;

    impl Serialize for Moody {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }

    assert!(refusal(&Some(Moody)).contains("not today"));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Everything {
    Unit,
    One(Box<Everything>),
    Two(i8, u128),
    Named { f: f64, map: BTreeMap<String, Option<char>>, nothing: () },
}

/// The two writers agree, byte by byte: readers are postcard's.
#[test]
fn everything_else_is_written_as_postcard_does() {
    fn check<T: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug + 'static>(value: T) {
        let bytes = encoded(&value).unwrap();
        assert_eq!(bytes, ::postcard::to_stdvec(&value).unwrap());
        assert_eq!(T::decode(&bytes).unwrap(), value);
    }

    check(Everything::Unit);
    check(Everything::One(Box::new(Everything::Two(-1, u128::MAX))));
    let map = BTreeMap::from([(String::from("ü"), Some('ü')), (String::new(), None)]);
    check(vec![Everything::Named { f: -0.5, map, nothing: () }]);
    check((true, i16::MIN, i32::MIN, i64::MIN, i128::MIN, (u16::MAX, u32::MAX, u64::MAX)));
    check(core::net::Ipv4Addr::LOCALHOST);
    check([Some(Ok::<u8, String>(1)), None, Some(Err("no".into()))]);
}
