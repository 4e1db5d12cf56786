use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Scanner, Value, Values};

/// A value, written as a server writes it.
#[derive(Debug, Clone)]
enum Written {
    Nil,
    NilArray,
    Int(i64),
    Status(String),
    Error(String),
    Bulk(Vec<u8>),
    Array(Vec<Written>),
}

fn written() -> impl Strategy<Value = Written> {
    let leaf = prop_oneof![
        Just(Written::Nil),
        Just(Written::NilArray),
        any::<i64>().prop_map(Written::Int),
        "[A-Z]{1,8}".prop_map(Written::Status),
        "ERR [a-z ]{0,9}".prop_map(Written::Error),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Written::Bulk),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| proptest::collection::vec(inner, 0..5).prop_map(Written::Array))
}

fn write(value: &Written, bytes: &mut Vec<u8>) {
    match value {
        Written::Nil => bytes.extend(b"$-1\r\n"),
        Written::NilArray => bytes.extend(b"*-1\r\n"),
        Written::Int(number) => bytes.extend(format!(":{number}\r\n").bytes()),
        Written::Status(text) => bytes.extend(format!("+{text}\r\n").bytes()),
        Written::Error(text) => bytes.extend(format!("-{text}\r\n").bytes()),
        Written::Bulk(contents) => {
            bytes.extend(format!("${}\r\n", contents.len()).bytes());
            bytes.extend(contents);
            bytes.extend(b"\r\n");
        }
        Written::Array(values) => {
            bytes.extend(format!("*{}\r\n", values.len()).bytes());
            values.iter().for_each(|value| write(value, bytes));
        }
    }
}

fn assert_same(seen: Value<'_>, expected: &Written) {
    match (seen, expected) {
        (Value::Nil, Written::Nil | Written::NilArray) => {}
        (Value::Int(seen), Written::Int(expected)) => assert_eq!(seen, *expected),
        (Value::Status(seen), Written::Status(expected)) | (Value::Error(seen), Written::Error(expected)) => {
            assert_eq!(seen, expected.as_bytes());
        }
        (Value::Bulk(seen), Written::Bulk(expected)) => assert_eq!(seen, expected),
        (Value::Array(seen), Written::Array(expected)) => {
            assert_eq!(seen.left(), expected.len());
            seen.zip(expected).for_each(|(seen, expected)| assert_same(seen, expected));
        }
        (seen, expected) => panic!("{seen:?} is not {expected:?}"),
    }
}

fn has_error(value: &Written) -> bool {
    match value {
        Written::Error(_) => true,
        Written::Array(values) => values.iter().any(has_error),
        _ => false,
    }
}

proptest! {
    /// However the bytes are cut, the replies are complete at their last byte and not before, and what is seen in
    /// them is what was written.
    #[test]
    fn replies_are_found_and_seen(replies in proptest::collection::vec(written(), 1..4), cuts in proptest::collection::vec(0.0..1.0, 0..5), tail in proptest::collection::vec(any::<u8>(), 0..9)) {
        let mut bytes = Vec::new();
        replies.iter().for_each(|reply| write(reply, &mut bytes));
        let length = bytes.len();
        let mut scanner = Scanner::new(replies.len());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * length as f64) as usize).collect();
        cuts.sort_unstable();
        for cut in cuts {
            prop_assert_eq!(scanner.advance(&bytes[..cut]), Ok(false));
            prop_assert!(cut + scanner.wanted() <= length, "it waits for what will never come");
        }
        bytes.extend(tail);
        prop_assert_eq!(scanner.advance(&bytes), Ok(true));
        prop_assert_eq!(scanner.length_of_replies(), length);
        prop_assert_eq!(scanner.error(&bytes).is_some(), replies.iter().any(has_error));
        let values = Values::of_bytes(&bytes, replies.len());
        prop_assert_eq!(values.clone().count(), replies.len());
        values.zip(&replies).for_each(|(seen, expected)| assert_same(seen, expected));
    }

    /// redis-rs sees the same in the same bytes.
    #[test]
    fn redis_rs_agrees(reply in written()) {
        let mut bytes = Vec::new();
        write(&reply, &mut bytes);
        if let Ok(value) = redis::parse_redis_value(&bytes) && !has_error(&reply) {
            assert_same(Values::of_tree(&[value]).next().unwrap(), &reply);
        }
    }

    /// Bytes from outside are an error or a wait, never a panic.
    #[test]
    fn nonsense_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut scanner = Scanner::new(2);
        if scanner.advance(&bytes) == Ok(true) {
            Values::of_bytes(&bytes, 2).for_each(drop);
        }
    }
}

#[test]
fn what_is_no_resp_is_named() {
    let refused = |bytes: &[u8]| Scanner::new(1).advance(bytes).unwrap_err().to_string();
    assert_eq!(refused(b"?\r\n"), "not RESP2 at byte 0: an unknown kind of reply");
    assert_eq!(refused(b"$x\r\n"), "not RESP2 at byte 0: a length that is none");
    assert_eq!(refused(b"*1\r\n$1\r\nabc"), "not RESP2 at byte 4: a bulk string that does not end where it should");
    assert_eq!(refused(b"+OK\rx"), "not RESP2 at byte 0: a line that does not end in CR LF");
    assert_eq!(refused(&[b'+'; 70_000]), "not RESP2 at byte 0: a line without an end");
}

#[test]
fn a_scanner_says_how_much_it_waits_for() {
    let mut scanner = Scanner::new(1);
    assert_eq!((scanner.advance(b"$100\r\nabc"), scanner.wanted()), (Ok(false), 99));
}
