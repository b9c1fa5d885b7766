//! Tests of what holds for both encodings.

use super::{Arguments, Payload, decode_items, encode_items};

fn there_and_back<T: Payload + PartialEq + core::fmt::Debug>(value: T) {
    let mut bytes = Vec::new();
    value.encode(&mut bytes).unwrap();
    assert_eq!(T::decode(&bytes).unwrap(), value);
    bytes.push(0);
    assert!(T::decode(&bytes).is_err(), "a trailing byte after {value:?}");
}

#[test]
fn values_survive_the_journey() {
    there_and_back(());
    there_and_back(true);
    there_and_back((i8::MIN, u8::MAX, i16::MIN, u16::MAX, i32::MIN, u32::MAX));
    there_and_back((i64::MIN, u64::MAX, i128::MIN, u128::MAX, isize::MIN, usize::MAX));
    there_and_back((f32::MIN, f64::EPSILON, 'ü'));
    there_and_back(String::from("wörter"));
    there_and_back(vec![0_u8, 1, 255]);
    there_and_back(vec![(1_u64, String::from("a")), (2, String::new())]);
    there_and_back(vec![1_u32, 2, 3]);
    there_and_back(vec![(), ()]);
    there_and_back(Some(vec![Some(1_i32), None]));
    there_and_back(Ok::<u8, String>(1));
    there_and_back(Err::<u8, String>("no".into()));
}

#[test]
fn arguments_survive_the_journey() {
    let mut bytes = Vec::new();
    let arguments = (vec![1_u8, 2], String::from("x"), 3_u64, -1_i8, 'c', Some(true));
    Arguments::encode(&arguments, &mut bytes).unwrap();

    let back: (Vec<u8>, String, u64, i8, char, Option<bool>) = Arguments::decode(&bytes).unwrap();

    assert_eq!(back, arguments);
    assert!(<() as Arguments>::decode(&bytes).is_err());
    assert!(<() as Arguments>::decode(&[]).is_ok());
}

#[test]
fn chunks_survive_the_journey() {
    let calls: Vec<(u64, String)> = (0..100).map(|i| (i, i.to_string())).collect();
    let mut bytes = Vec::new();
    encode_items(&calls, &mut bytes).unwrap();
    assert_eq!(decode_items::<(u64, String)>(&bytes).unwrap(), calls);

    let results: Vec<i64> = (-50..50).collect();
    bytes.clear();
    encode_items(&results, &mut bytes).unwrap();
    assert_eq!(decode_items::<i64>(&bytes).unwrap(), results);
}

#[test]
fn a_claimed_count_that_cannot_be_true_is_refused_at_once() {
    let mut bytes = u64::MAX.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 64]);

    assert!(Vec::<u8>::decode(&bytes).is_err());
    assert!(String::decode(&bytes).is_err());
    assert!(decode_items::<()>(&bytes).is_err());
    assert!(decode_items::<(u64, u64)>(&bytes).is_err());
    assert!(decode_items::<u64>(&bytes).is_err());
}

#[cfg(not(feature = "serde"))]
#[test]
fn a_long_list_of_nothing_does_not_loop_for_ever() {
    assert!(Vec::<()>::decode(&u64::MAX.to_le_bytes()).is_err());
    assert!(Vec::<((), ())>::decode(&u64::MAX.to_le_bytes()).is_err());
}

#[test]
fn cut_and_changed_bytes_are_answered_without_a_panic() {
    type Mixed = (Vec<u8>, Vec<String>, Option<char>, Result<bool, i64>, Vec<Vec<u32>>);
    let value: Mixed =
        (vec![1; 9], vec!["ab".into(), "ü".into()], Some('ß'), Err(-1), vec![vec![7; 3], vec![]]);
    let mut bytes = Vec::new();
    Payload::encode(&value, &mut bytes).unwrap();

    for end in 0..bytes.len() {
        assert!(<Mixed as Payload>::decode(&bytes[..end]).is_err());
    }
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = <Mixed as Payload>::decode(&changed);
        }
    }
}
