use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

/// One value of every type, with its wire bytes and its name.
fn every_type() -> Vec<(Value, &'static [u8], &'static str)> {
    vec![
        (Value::Bool(true), b"t\x01", "bool"),
        (Value::I8(-1), b"b\xff", "byte"),
        (Value::U8(255), b"B\xff", "unsignedbyte"),
        (Value::I16(-2), b"s\xff\xfe", "short"),
        (Value::U16(2), b"u\0\x02", "unsignedshort"),
        (Value::I32(-3), b"I\xff\xff\xff\xfd", "signedint"),
        (Value::U32(3), b"i\0\0\0\x03", "unsignedint"),
        (Value::I64(4), b"l\0\0\0\0\0\0\0\x04", "long"),
        (Value::F32(0.5), b"f\x3f\0\0\0", "float"),
        (Value::F64(0.5), b"d\x3f\xe0\0\0\0\0\0\0", "double"),
        (Value::Decimal { scale: 2, value: 314 }, b"D\x02\0\0\x01\x3a", "decimal"),
        (Value::LongString(b"ab".to_vec()), b"S\0\0\0\x02ab", "longstr"),
        (Value::Bytes(b"ab".to_vec()), b"x\0\0\0\x02ab", "binary"),
        (Value::Timestamp(5), b"T\0\0\0\0\0\0\0\x05", "timestamp"),
        (Value::Table([("k", true)].into_iter().collect()), b"F\0\0\0\x04\x01kt\x01", "table"),
        (Value::Array(vec![true.into(), Value::Void]), b"A\0\0\0\x03t\x01V", "array"),
        (Value::Void, b"V", "void"),
    ]
}

/// The content of a table: names with the bytes of their values, tag first.
fn content(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(u8::try_from(name.len()).unwrap());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

fn length_bytes(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap().to_be_bytes()
}

fn encoded_content(table: &Table) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    assert_eq!(bytes[..4], length_bytes(bytes.len() - 4));
    bytes.split_off(4)
}

#[test]
fn every_type_is_read_and_written() {
    for (value, wire, name) in every_type() {
        let bytes = content(&[("key", wire)]);
        let table = Table::decode(&bytes).unwrap();
        assert_eq!(table.get("key"), Some(&value));
        assert_eq!(encoded_content(&table), bytes, "{name}");
        assert_eq!((value.tag(), value.type_name()), (wire[0], name));
        let view = TableRef::new(&bytes).get("key").unwrap();
        assert_eq!((view.tag(), view.type_name()), (wire[0], name));
        assert_eq!(view.to_owned(), value);
        assert!(equivalent(&value, &value) && equivalent_in_place(view, view), "{name}");
    }
}

#[test]
fn every_type_that_is_cut_short_is_refused() {
    for (_, wire, name) in every_type() {
        for end in 0..wire.len() {
            let bytes = content(&[("key", &wire[..end])]);
            assert_eq!(validate(&bytes), Err(TableError::Truncated), "{name} cut to {end}");
            assert_eq!(Table::decode(&bytes), Err(TableError::Truncated), "{name} cut to {end}");
        }
    }
    assert_eq!(validate(b"\x05ab"), Err(TableError::Truncated));
}

#[test]
fn an_unknown_tag_is_refused_at_any_depth() {
    assert_eq!(validate(&content(&[("a", b"Z\x01")])), Err(TableError::UnknownTag(b'Z')));
    assert_eq!(validate(&content(&[("a", b"A\0\0\0\x02VZ")])), Err(TableError::UnknownTag(b'Z')));
}

#[test]
fn a_nested_value_may_not_reach_beyond_what_holds_it() {
    // The array says three bytes; the string in it says five.
    assert_eq!(validate(&content(&[("a", b"A\0\0\0\x07S\0\0\0\x05ab"), ("b", b"V")])), Err(TableError::Truncated));
}

#[test]
fn capital_l_is_a_long() {
    let table = Table::decode(&content(&[("a", b"L\xff\xff\xff\xff\xff\xff\xff\xff")])).unwrap();
    assert_eq!(table.get("a"), Some(&Value::I64(-1)));
}

#[test]
fn names_may_be_empty_and_repeat_and_the_first_counts() {
    let bytes = content(&[("", b"I\0\0\0\x01"), ("a", b"I\0\0\0\x02"), ("a", b"I\0\0\0\x03")]);
    let mut table = Table::decode(&bytes).unwrap();
    assert_eq!(encoded_content(&table), bytes);
    assert_eq!(table.get(""), Some(&Value::I32(1)));
    assert_eq!(table.get("a"), Some(&Value::I32(2)));
    assert_eq!(TableRef::new(&bytes).get("a").and_then(ValueRef::as_integer), Some(2));
    assert_eq!(table.insert("a", 4), Some(Value::I32(2)));
    assert_eq!(table.remove("a"), Some(Value::I32(4)));
    assert_eq!((table.remove("a"), table.len()), (None, 1));
}

#[test]
fn a_name_is_cut_to_what_the_wire_carries() {
    let mut table = Table::new();
    table.insert("n".repeat(300), 1);
    table.insert("n".repeat(400), 2);
    assert_eq!(table.len(), 1);
    assert_eq!(Table::decode(&encoded_content(&table)), Ok(table));
}

#[test]
fn arguments_are_equivalent_by_value_within_a_kind_of_type() {
    let rows: &[(Value, Value, bool)] = &[
        (Value::I32(5), Value::I64(5), true),
        (Value::U8(5), Value::I64(5), true),
        (Value::I32(5), Value::I32(6), false),
        (Value::Timestamp(5), Value::I64(5), true),
        (Value::Timestamp(u64::MAX), Value::I64(-1), false),
        (Value::F32(0.5), Value::F64(0.5), true),
        (Value::I32(5), Value::F64(5.0), false),
        (Value::I32(5), "5".into(), false),
        ("a".into(), Value::Bytes(b"a".to_vec()), true),
        (Value::Bool(true), Value::I32(1), false),
        (Value::Void, Value::Void, true),
        (Value::Void, Value::I32(0), false),
        (Value::Array(vec![Value::I32(5)]), Value::Array(vec![Value::I64(5)]), false),
        (Value::Array(vec![]), Value::Void, false),
        (Value::Table(Table::new()), Value::Array(vec![]), false),
    ];
    for (a, b, expected) in rows {
        assert_eq!((equivalent(a, b), equivalent(b, a)), (*expected, *expected), "{a:?} {b:?}");
        let (one, other) = (encoded(a), encoded(b));
        let (one, other) = (ValueRef::read(&one).unwrap(), ValueRef::read(&other).unwrap());
        assert_eq!(equivalent_in_place(one, other), *expected, "{a:?} {b:?}");
    }
}

#[test]
fn equality_is_by_type_and_bits() {
    assert_ne!(Value::I32(5), Value::I64(5));
    assert_ne!(Value::F64(0.0), Value::F64(-0.0));
    assert_eq!(Value::F64(f64::NAN), Value::F64(f64::NAN));
    assert_ne!(Value::from("a"), Value::Bytes(b"a".to_vec()));
    assert_ne!(Value::Table(Table::new()), Value::Array(vec![]));
}

#[test]
fn values_print_as_in_rabbitmqs_texts() {
    let table: Table = [("a", Value::from("b")), ("c", 1.into())].into_iter().collect();
    let rows = [
        (Value::I64(-5), "-5"),
        (Value::Bool(true), "true"),
        ("text".into(), "text"),
        (Value::Bytes(b"bin".to_vec()), "bin"),
        (Value::F64(1.5), "1.5"),
        (Value::F64(5.0), "5.0"),
        (Value::F64(1e25), "1.0e25"),
        (Value::F64(-0.0), "-0.0"),
        (Value::F64(100.0), "100.0"),
        (Value::F64(1_000.0), "1.0e3"),
        (Value::F64(-60_000.0), "-6.0e4"),
        (Value::F64(60.5), "60.5"),
        (Value::F64(123_456.0), "123456.0"),
        (Value::F64(9_007_199_254_740_991.0), "9007199254740991.0"),
        (Value::F64(9_007_199_254_740_992.0), "9.007199254740992e15"),
        (Value::F64(9_007_199_254_740_000.0), "9.00719925474e15"),
        (Value::F64(0.000_1), "0.0001"),
        (Value::F64(0.000_12), "1.2e-4"),
        (Value::F64(5e-324), "5.0e-324"),
        (Value::F32(0.1), "0.10000000149011612"),
        (Value::Timestamp(5), "5"),
        (Value::Table(table), r#"[{<<"a">>,longstr,<<"b">>},{<<"c">>,signedint,1}]"#),
        (Value::Array(vec!["a".into(), 1.into(), true.into()]), r#"[{longstr,<<"a">>},{signedint,1},{bool,true}]"#),
        (Value::Table(Table::new()), "[]"),
    ];
    for (value, text) in rows {
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn bytes_print_as_erlang_binaries() {
    let rows: &[(&[u8], &str)] = &[
        (b"", "<<>>"),
        (b"abc", r#"<<"abc">>"#),
        (b"a\tb\x1b\"\\", r#"<<"a\tb\e\"\\">>"#),
        ("€".as_bytes(), r#"<<"€"/utf8>>"#),
        (b"a\xe9", r#"<<"aé">>"#),
        (b"\xc3\xa9\x01", "<<195,169,1>>"),
        (b"\x80", "<<128>>"),
        (b"\xc2\x80", "<<194,128>>"),
    ];
    for (bytes, text) in rows {
        assert_eq!(Bytes(bytes).to_string(), *text);
    }
}

#[test]
fn canonical_headers_are_not_copied() {
    let bytes = content(&[("", b"V"), ("A", b"t\x01"), ("a", b"F\0\0\0\x06\x01zV\x01aV"), ("\u{e9}", b"t\0")]);
    assert!(matches!(canonical(&bytes), Ok(Cow::Borrowed(_))));
    assert!(matches!(canonical(b""), Ok(Cow::Borrowed(b""))));
}

#[test]
fn canonical_headers_are_sorted_and_reduced_to_the_first_of_a_name() {
    let bytes = content(&[("b", b"I\0\0\0\x01"), ("a", b"L\0\0\0\0\0\0\0\x05"), ("b", b"I\0\0\0\x02")]);
    let expected = content(&[("a", b"l\0\0\0\0\0\0\0\x05"), ("b", b"I\0\0\0\x01")]);
    assert_eq!(canonical(&bytes).unwrap(), expected);
}

#[test]
fn canonical_headers_keep_the_order_inside_and_change_tags_everywhere() {
    let bytes = content(&[("a", b"F\0\0\0\x16\x01zt\x09\x01aL\0\0\0\0\0\0\0\x01\x01aI\0\0\0\x03")]);
    let expected = content(&[("a", b"F\0\0\0\x16\x01zt\x01\x01al\0\0\0\0\0\0\0\x01\x01aI\0\0\0\x03")]);
    assert_eq!(canonical(&bytes).unwrap(), expected);
}

#[test]
fn the_bytes_of_a_string_are_not_taken_for_tags() {
    let bytes = content(&[("L", b"S\0\0\0\x02Lt"), ("t\x02", b"x\0\0\0\x01L")]);
    assert!(matches!(canonical(&bytes), Ok(Cow::Borrowed(_))));
}

/// An array in an array and so on, or a table in a table, `levels` deep.
fn nested(levels: usize, tables: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..levels {
        let inner = if tables { content(&[("n", &bytes)]) } else { bytes.clone() };
        let inner = if bytes.is_empty() { Vec::new() } else { inner };
        bytes = vec![if tables { b'F' } else { b'A' }];
        bytes.extend_from_slice(&length_bytes(inner.len()));
        bytes.extend_from_slice(&inner);
    }
    content(&[("top", &bytes)])
}

#[test]
fn the_deepest_nesting_works_on_a_small_stack() {
    // A worker has 2 MiB, so half of it leaves room for whatever called this.
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(|| {
        for tables in [false, true] {
            let bytes = nested(NESTING_MAX, tables);
            assert_eq!(validate(&bytes), Ok(()));
            let table = Table::decode(&bytes).unwrap();
            assert_eq!(encoded_content(&table), bytes);
            let copy = table.clone();
            assert_eq!(copy, table);
            assert!(format!("{copy:?}").contains("..."));
            let (a, b) = (table.get("top").unwrap(), copy.get("top").unwrap());
            assert!(equivalent(a, b));
            assert!(a.to_string().contains("..."));
            assert_eq!(TableRef::new(&bytes).get("top").unwrap().to_owned(), *a);
            assert!(matches!(canonical(&bytes), Ok(Cow::Borrowed(_))));
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn one_level_more_than_the_deepest_is_refused() {
    for tables in [false, true] {
        let bytes = nested(NESTING_MAX + 1, tables);
        assert_eq!(validate(&bytes), Err(TableError::TooDeep));
        assert_eq!(Table::decode(&bytes), Err(TableError::TooDeep));
        assert_eq!(canonical(&bytes), Err(TableError::TooDeep));
    }
    let far_deeper = nested(20_000, false);
    assert_eq!(validate(&far_deeper), Err(TableError::TooDeep));
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![proptest::collection::vec(b'a'..=b'c', 0..3), proptest::collection::vec(any::<u8>(), 0..20)]
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        any::<(u8, u32)>().prop_map(|(scale, value)| Value::Decimal { scale, value }),
        any::<Vec<u8>>().prop_map(Value::LongString),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        any::<u64>().prop_map(Value::Timestamp),
        Just(Value::Void),
    ];
    scalar.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec((any_name(), inner.clone()), 0..5)
                .prop_map(|fields| Value::Table(fields.into_iter().collect())),
            proptest::collection::vec(inner, 0..5).prop_map(Value::Array),
        ]
    })
}

fn any_table() -> impl Strategy<Value = Table> {
    proptest::collection::vec((any_name(), any_value()), 0..8).prop_map(|fields| fields.into_iter().collect())
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// What [`canonical`] promises, on owned values.
fn slow_canonical(table: &Table) -> Table {
    let mut sorted = table.clone();
    sorted.sort();
    let mut reduced = Table::new();
    for (name, value) in sorted.iter() {
        if reduced.get(name).is_none() {
            reduced.insert(name, value.clone());
        }
    }
    reduced
}

/// Bytes that are often nearly a table: an encoded one with a few bytes changed.
fn damaged_content() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (any_table(), changes).prop_map(|(table, changes)| {
        let mut bytes = encoded_content(&table);
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(table in any_table()) {
        let bytes = encoded_content(&table);
        prop_assert_eq!(validate(&bytes), Ok(()));
        prop_assert_eq!(Table::decode(&bytes), Ok(table.clone()));
        prop_assert_eq!(TableRef::new(&bytes).to_owned(), table);
    }

    #[test]
    fn validating_and_decoding_agree(bytes in prop_oneof![damaged_content(), any::<Vec<u8>>()]) {
        prop_assert_eq!(validate(&bytes), Table::decode(&bytes).map(|_| ()));
        prop_assert_eq!(canonical(&bytes).map(|_| ()), validate(&bytes));
        let _ = TableRef::new(&bytes).to_owned();
    }

    #[test]
    fn canonical_is_what_it_promises_and_idempotent(bytes in damaged_content()) {
        if let Ok(table) = Table::decode(&bytes) {
            let once = canonical(&bytes).unwrap();
            prop_assert_eq!(&*once, encoded_content(&slow_canonical(&table)));
            prop_assert!(matches!(canonical(&once), Ok(Cow::Borrowed(_))));
        }
    }
}
