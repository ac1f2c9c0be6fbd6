use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::table::{Table, Value};

/// All fourteen properties, by hand.
fn full() -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xFC];
    bytes.extend_from_slice(b"\x02ct\x02ce");
    // Headers: a is void, b is true.
    bytes.extend_from_slice(b"\0\0\0\x07\x01aV\x01bt\x01");
    bytes.extend_from_slice(&[2, 7]);
    bytes.extend_from_slice(b"\x02ci\x02rt\x02ex\x02mi");
    bytes.extend_from_slice(&99_u64.to_be_bytes());
    bytes.extend_from_slice(b"\x02ty\x02ui\x02ai\x02cl");
    bytes
}

#[test]
fn every_property_is_read_in_place() {
    let bytes = full();
    assert_eq!(validate(&bytes), Ok(()));
    let properties = Properties::new(&bytes);
    assert_eq!(properties.content_type(), Some(&b"ct"[..]));
    assert_eq!(properties.content_encoding(), Some(&b"ce"[..]));
    assert_eq!(properties.headers().and_then(|headers| headers.get("b")?.as_bool()), Some(true));
    assert_eq!(properties.delivery_mode(), Some(2));
    assert_eq!(properties.priority(), Some(7));
    assert_eq!(properties.correlation_id(), Some(&b"ci"[..]));
    assert_eq!(properties.reply_to(), Some(&b"rt"[..]));
    assert_eq!(properties.expiration(), Some(&b"ex"[..]));
    assert_eq!(properties.message_id(), Some(&b"mi"[..]));
    assert_eq!(properties.timestamp(), Some(99));
    assert_eq!(properties.kind(), Some(&b"ty"[..]));
    assert_eq!(properties.user_id(), Some(&b"ui"[..]));
    assert_eq!(properties.app_id(), Some(&b"ai"[..]));
    assert_eq!(properties.cluster_id(), Some(&b"cl"[..]));
}

#[test]
fn the_summary_agrees_with_the_getters() {
    let bytes = full();
    for removed in Property::ALL {
        let bytes = Properties::new(&bytes).edit().remove(removed).build();
        let properties = Properties::new(&bytes);
        let expected = PropertiesSummary {
            headers: properties.headers(),
            delivery_mode: properties.delivery_mode(),
            priority: properties.priority(),
            reply_to: properties.reply_to(),
            expiration: properties.expiration(),
            user_id: properties.user_id(),
        };
        assert_eq!(properties.summary(), expected);
        assert!(!properties.has(removed));
    }
}

#[test]
fn absent_properties_are_absent() {
    assert_eq!(validate(Properties::NONE.as_bytes()), Ok(()));
    assert!(Property::ALL.iter().all(|property| Properties::NONE.get(*property).is_none()));
    assert_eq!(Properties::NONE.summary(), PropertiesSummary::default());
}

#[test]
fn properties_that_are_cut_short_or_too_long_are_refused() {
    let mut bytes = full();
    for end in 0..bytes.len() {
        assert_eq!(validate(&bytes[..end]), Err(PropertiesError::Truncated), "cut to {end}");
    }
    bytes.push(0);
    assert_eq!(validate(&bytes), Err(PropertiesError::Trailing));
    assert_eq!(receive(&bytes), Err(PropertiesError::Trailing));
}

#[test]
fn flags_that_go_on_are_refused_and_the_undefined_one_is_cleared() {
    assert_eq!(validate(&[0, 1]), Err(PropertiesError::Continued));
    assert_eq!(validate(&[0, 2]), Ok(()));
    assert_eq!(receive(&[0x10, 2, 7]).unwrap(), &[0x10, 0, 7][..]);
}

#[test]
fn malformed_headers_are_refused() {
    let bytes = [0x20, 0, 0, 0, 0, 3, 1, b'a', b'Z'];
    assert_eq!(validate(&bytes), Err(PropertiesError::Headers(TableError::UnknownTag(b'Z'))));
    assert_eq!(receive(&bytes), Err(PropertiesError::Headers(TableError::UnknownTag(b'Z'))));
}

#[test]
fn canonical_properties_are_taken_as_they_are() {
    assert!(matches!(receive(&full()), Ok(Cow::Borrowed(_))));
    assert!(matches!(receive(&[0, 0]), Ok(Cow::Borrowed(_))));
}

#[test]
fn headers_come_out_sorted_and_an_empty_table_stays() {
    let unsorted = [0x30, 0, 0, 0, 0, 6, 1, b'b', b'V', 1, b'a', b'V', 2];
    assert_eq!(receive(&unsorted).unwrap(), &[0x30, 0, 0, 0, 0, 6, 1, b'a', b'V', 1, b'b', b'V', 2][..]);
    let empty = [0x20, 0, 0, 0, 0, 0];
    assert_eq!(receive(&empty).unwrap(), &empty[..]);
    assert!(Properties::new(&empty).headers().is_some_and(TableRef::is_empty));
}

#[test]
fn an_editor_that_changes_nothing_builds_the_same_bytes() {
    assert_eq!(Properties::new(&full()).edit().build(), full());
}

#[test]
fn an_editor_changes_what_it_is_told_and_keeps_the_rest() {
    let bytes = full();
    let changed = Properties::new(&bytes)
        .edit()
        .remove(Property::Expiration)
        .set(Property::ReplyTo, "elsewhere")
        .remove_header("a")
        .set_header("aa", &Value::I64(1))
        .set_header("b", &"new".into())
        .set_header("zz", &Value::Void)
        .build();
    assert_eq!(validate(&changed), Ok(()));
    let properties = Properties::new(&changed);
    assert_eq!(properties.expiration(), None);
    assert_eq!(properties.reply_to(), Some(&b"elsewhere"[..]));
    assert_eq!(properties.cluster_id(), Some(&b"cl"[..]));
    let expected: Table = [("aa", Value::I64(1)), ("b", "new".into()), ("zz", Value::Void)].into_iter().collect();
    assert_eq!(properties.headers().unwrap().to_owned(), expected);
    assert!(matches!(receive(&changed), Ok(Cow::Borrowed(_))));
}

#[test]
fn properties_are_built_from_nothing() {
    let headers: Table = [("b", 1), ("a", 2), ("b", 3)].into_iter().collect();
    let bytes = PropertiesEditor::new()
        .set(Property::ContentType, "text/plain")
        .set(Property::MessageId, "m".repeat(300))
        .set(Property::Priority, "not a short string")
        .set_headers(&headers)
        .set_delivery_mode(2)
        .set_priority(5)
        .set_timestamp(u64::MAX)
        .build();
    assert!(matches!(receive(&bytes), Ok(Cow::Borrowed(_))));
    let properties = Properties::new(&bytes);
    assert_eq!(properties.content_type(), Some(&b"text/plain"[..]));
    assert_eq!(properties.message_id().map(<[u8]>::len), Some(255));
    assert_eq!((properties.priority(), properties.timestamp()), (Some(5), Some(u64::MAX)));
    assert_eq!(properties.headers().unwrap().to_owned(), [("a", 2), ("b", 1)].into_iter().collect());
}

#[test]
fn a_table_that_lost_its_last_header_stays_as_an_empty_one() {
    let bytes = PropertiesEditor::new().set_header("BCC", &Value::Array(vec![])).build();
    let bytes = Properties::new(&bytes).edit().remove_header("BCC").build();
    assert!(Properties::new(&bytes).headers().is_some_and(TableRef::is_empty));
}

#[test]
fn expirations_are_read_as_rabbitmq_reads_them() {
    let rows: &[(&str, Result<u64, &str>)] = &[
        ("0", Ok(0)),
        ("5000", Ok(5_000)),
        ("+5", Ok(5)),
        ("007", Ok(7)),
        ("-0", Ok(0)),
        ("315360000000", Ok(315_360_000_000)),
        ("abc", Err("no_integer")),
        ("", Err("no_integer")),
        (" 5", Err("no_integer")),
        ("+", Err("no_integer")),
        ("+-5", Err("no_integer")),
        ("10s", Err(r#"{leftover_string,"s"}"#)),
        ("1.5", Err(r#"{leftover_string,".5"}"#)),
        ("5 ", Err(r#"{leftover_string," "}"#)),
        ("-5s", Err(r#"{leftover_string,"s"}"#)),
        ("5\"q", Err(r#"{leftover_string,"\"q"}"#)),
        ("5\n", Err(r#"{leftover_string,"\n"}"#)),
        ("5\u{e9}", Err("{leftover_string,\"\u{c3}\u{a9}\"}")),
        ("5\u{20ac}", Err("{leftover_string,[226,130,172]}")),
        ("5\u{7f}", Err("{leftover_string,[127]}")),
        ("-1", Err("{value_negative,-1}")),
        ("-99999999999999999999999", Err("{value_negative,-99999999999999999999999}")),
        ("000315360000001", Err("{value_too_large,315360000001}")),
        ("99999999999999999999999", Err("{value_too_large,99999999999999999999999}")),
    ];
    for (text, expected) in rows {
        let parsed = parse_expiration(text.as_bytes()).map_err(|reason| reason.to_string());
        assert_eq!(parsed, expected.map_err(str::to_owned), "{text:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>(), flags in any::<u16>()) {
        let bytes = [&flags.to_be_bytes()[..], &bytes].concat();
        prop_assert_eq!(receive(&bytes).map(|_| ()), validate(&bytes));
        let properties = Properties::new(&bytes);
        let _ = properties.summary();
        let _ = properties.edit().build();
        for property in Property::ALL {
            let _ = properties.get(property);
        }
    }

    #[test]
    fn an_expiration_is_a_number_in_its_range(text in "[-+]?[0-9]{1,25}") {
        let number: i128 = text.parse().unwrap();
        let in_range = (0..=i128::from(EXPIRATION_MS_MAX)).contains(&number);
        let expected = in_range.then(|| u64::try_from(number).unwrap());
        prop_assert_eq!(parse_expiration(text.as_bytes()).ok(), expected);
    }
}
