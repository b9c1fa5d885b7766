//! Values of the greatest depth come back, deeper ones are refused by either end, and all else is as postcard reads it.

use core::fmt::Debug;
use std::collections::BTreeMap;
use std::thread;

use serde::Serialize;

use super::super::tests::{encoded, refusal};
use super::*;
use crate::wire::payload::Payload;

/// What a pool's threads have, unless its user says otherwise.
const STACK_BYTES: usize = 2 << 20;

fn on_a_stack_of(bytes: usize, check: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(bytes).spawn(check).unwrap();
    thread.join().unwrap();
}

#[track_caller]
fn is_too_deep<T: Payload + Debug>(bytes: &[u8]) {
    let text = T::decode(bytes).expect_err("it is too deep").to_string();
    assert!(text.contains("nested deeper than 512 levels"), "{text}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain {
    value: u64,
    next: Option<Box<Chain>>,
}

/// Each link is a struct in an option.
fn chain(links: u16) -> Chain {
    (1..links).fold(Chain { value: 0, next: None }, |last, value| Chain {
        value: value.into(),
        next: Some(Box::new(last)),
    })
}

/// A worker writes on a larger stack than its parent reads on.
#[test]
fn what_is_written_can_be_read_on_the_stack_of_a_thread() {
    let most = MOST_DEPTH / 2;
    let text = refusal(&chain(most + 1));
    assert!(text.contains("nested deeper than 512 levels"), "{text}");

    on_a_stack_of(STACK_BYTES, move || {
        let chain = chain(most);
        assert_eq!(Chain::decode(&encoded(&chain).unwrap()).unwrap(), chain);
    });
}

/// They overflowed the stack, which ended the program: the limit was the writer's alone.
#[test]
fn a_million_links_that_nobody_wrote_are_refused_on_the_stack_of_a_thread() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Link {
        next: Option<Box<Link>>,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Tree(Vec<Tree>);
    #[derive(Debug, Serialize, Deserialize)]
    struct Keyed(BTreeMap<(), Keyed>);
    #[derive(Debug, Serialize, Deserialize)]
    enum Sum {
        _Number(u8),
        Of(Box<Sum>),
    }
    /// Which takes no bytes.
    #[derive(Debug, Serialize, Deserialize)]
    struct Endless(Box<Endless>);

    on_a_stack_of(STACK_BYTES, || {
        let ones = vec![1; 1_000_000];

        is_too_deep::<Link>(&ones);
        is_too_deep::<Option<Link>>(&ones);
        is_too_deep::<Tree>(&ones);
        is_too_deep::<Keyed>(&ones);
        is_too_deep::<Sum>(&ones);
        is_too_deep::<Endless>(&ones);
        is_too_deep::<Endless>(&[]);
    });
}

/// Has itself inside in every way that there is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Nest {
    Bottom,
    // One level each.
    Newtype(Box<Nest>),
    Tuple(u8, Box<Nest>),
    Struct { next: Box<Nest> },
    // Two: the variant's and the value's in it.
    InOption(Option<Box<Nest>>),
    InNewtype(Newtype),
    InSeq(Vec<Nest>),
    InTuple((u8, Box<Nest>)),
    InTupleStruct(TupleStruct),
    InStruct(Struct),
    InKey(BTreeMap<Nest, u8>),
    InValue(BTreeMap<u8, Nest>),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Newtype(Box<Nest>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct TupleStruct(u8, Box<Nest>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Struct {
    next: Box<Nest>,
}

type Step = fn(Nest) -> Nest;

const OF_ONE_LEVEL: [Step; 3] = [
    |inner| Nest::Newtype(Box::new(inner)),
    |inner| Nest::Tuple(7, Box::new(inner)),
    |inner| Nest::Struct { next: Box::new(inner) },
];
const OF_TWO_LEVELS: [Step; 8] = [
    |inner| Nest::InOption(Some(Box::new(inner))),
    |inner| Nest::InNewtype(Newtype(Box::new(inner))),
    |inner| Nest::InSeq(vec![inner]),
    |inner| Nest::InTuple((7, Box::new(inner))),
    |inner| Nest::InTupleStruct(TupleStruct(7, Box::new(inner))),
    |inner| Nest::InStruct(Struct { next: Box::new(inner) }),
    |inner| Nest::InKey(BTreeMap::from([(inner, 7)])),
    |inner| Nest::InValue(BTreeMap::from([(7, inner)])),
];

fn nested(steps: impl IntoIterator<Item = Step>) -> Nest {
    steps.into_iter().fold(Nest::Bottom, |inner, step| step(inner))
}

fn is_of_the_greatest_depth(most: &Nest) {
    let written = encoded(most).unwrap();
    assert_eq!(Nest::decode(&written).unwrap(), *most);

    // Of one level more, by each end alone: postcard has no limit.
    let mut more = vec![1];
    more.extend(written);
    assert!(::postcard::from_bytes::<Nest>(&more).is_ok());
    is_too_deep::<Nest>(&more);
    let more = ::postcard::from_bytes::<Nest>(&more).unwrap();
    assert!(refusal(&more).contains("nested deeper than 512 levels"));
}

#[test]
fn reader_and_writer_count_alike_in_whatever_values_are_nested() {
    // Postcard's reader and the comparison take their part of it.
    on_a_stack_of(4 * STACK_BYTES, || {
        let most = usize::from(MOST_DEPTH);
        for step in OF_ONE_LEVEL {
            is_of_the_greatest_depth(&nested([step].repeat(most)));
        }
        for step in OF_TWO_LEVELS {
            is_of_the_greatest_depth(&nested([step].repeat(most / 2)));
        }

        let mut mixed = OF_TWO_LEVELS.repeat(most / 2 / OF_TWO_LEVELS.len());
        is_of_the_greatest_depth(&nested(mixed.clone()));
        for (place, step) in [(0, 0), (100, 1), (mixed.len() - 1, 2)] {
            mixed[place] = OF_ONE_LEVEL[step];
            mixed.insert(place, OF_ONE_LEVEL[step]);
        }
        is_of_the_greatest_depth(&nested(mixed));
    });
}

/// An empty list counts as one that has something inside.
#[test]
fn what_counts_is_how_deep_a_value_is_and_not_how_wide() {
    let wide = vec![(7_u8, Some(Some(String::from("x")))); 10 * usize::from(MOST_DEPTH)];
    let empty_list_in =
        |levels| (0..levels).fold(Nest::InSeq(Vec::new()), |inner, _| OF_ONE_LEVEL[0](inner));

    assert_eq!(Payload::decode(&encoded(&wide).unwrap()).ok(), Some(wide));
    on_a_stack_of(4 * STACK_BYTES, move || {
        is_of_the_greatest_depth(&empty_list_in(MOST_DEPTH - 2));
    });
}

#[test]
fn what_is_borrowed_stays_borrowed() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Borrows<'a> {
        text: &'a str,
        #[serde(borrow)]
        maybe: Option<(&'a str, &'a [u8])>,
    }
    let text = String::from("wörter");
    let sent = Borrows { text: &text, maybe: Some(("", &[1, 2])) };
    let mut bytes = ::postcard::to_stdvec(&sent).unwrap();
    bytes.push(9);

    let mut input = &bytes[..];
    let read: Borrows<'_> = take(&mut input).unwrap();

    assert_eq!(read, sent);
    assert!(bytes.as_ptr_range().contains(&read.text.as_ptr()));
    assert_eq!(input, [9], "what follows is left");
}

#[test]
fn a_list_is_hinted_at_as_postcard_does_and_read_in_place() {
    struct Hint;

    impl<'de> Visitor<'de> for Hint {
        type Value = Option<usize>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list or a map")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
            Ok(items.size_hint())
        }

        fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
            Ok(entries.size_hint())
        }
    }
    for bytes in [&[3, 1, 2, 3][..], &[0], &[100, 1]] {
        let is_exceeded = Cell::new(false);
        let at = Level { depth: 0, is_exceeded: &is_exceeded };
        let postcards = || Reader::from_bytes(bytes);

        let ours = Bounded { of: &mut postcards(), at }.deserialize_seq(Hint).unwrap();
        assert_eq!(ours, postcards().deserialize_seq(Hint).unwrap());
        let ours = Bounded { of: &mut postcards(), at }.deserialize_map(Hint).unwrap();
        assert_eq!(ours, postcards().deserialize_map(Hint).unwrap());
        assert!(!Bounded { of: &mut postcards(), at }.is_human_readable());

        let mut place = vec![7_u8, 8];
        let ours = Bounded { of: &mut postcards(), at };
        let whole = Vec::deserialize_in_place(ours, &mut place).is_ok();
        assert_eq!(whole.then_some(&place[..]), bytes.get(1..1 + usize::from(bytes[0])));
    }
}
