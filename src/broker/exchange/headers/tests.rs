use super::super::testing::{Exchange, NOWHERE};
use crate::table::{Table, Value};

/// Whether a binding with `arguments` matches a message with `headers`.
fn matches(arguments: &[(&str, Value)], headers: &[(&str, Value)]) -> bool {
    let mut exchange = Exchange::new("headers");
    exchange.bind_with(1, "ignored", table(arguments)).unwrap();
    let matched = exchange.route_headers(&table(headers)) == [1];
    exchange.unbind_with(1, "ignored", table(arguments));
    assert_eq!(exchange.route_headers(&table(headers)), NOWHERE, "unbinding should remove the binding");
    matched
}

fn table(fields: &[(&str, Value)]) -> Table {
    fields.iter().map(|(name, value)| (*name, value.clone())).collect()
}

fn integer(value: i32) -> Value {
    value.into()
}

#[test]
fn all_is_the_default_and_wants_every_argument() {
    for arguments in [
        vec![("a", integer(1)), ("b", integer(2))],
        vec![("x-match", "all".into()), ("a", integer(1)), ("b", integer(2))],
    ] {
        assert!(matches(&arguments, &[("a", integer(1)), ("b", integer(2)), ("c", integer(3))]));
        assert!(!matches(&arguments, &[("a", integer(1))]));
        assert!(!matches(&arguments, &[("a", integer(1)), ("b", integer(3))]));
    }
}

#[test]
fn any_wants_one_argument() {
    let arguments = [("x-match", "any".into()), ("a", integer(1)), ("b", integer(2))];
    assert!(matches(&arguments, &[("b", integer(2))]));
    assert!(!matches(&arguments, &[("a", integer(2)), ("c", integer(1))]));
    assert!(!matches(&arguments, &[]));
}

#[test]
fn arguments_that_begin_with_x_count_only_with_x() {
    let headers = [("a", integer(1))];
    assert!(matches(&[("x-a", integer(1)), ("a", integer(1))], &headers));
    assert!(!matches(&[("x-match", "all-with-x".into()), ("x-a", integer(1)), ("a", integer(1))], &headers));
    assert!(!matches(&[("x-match", "any".into()), ("x-a", integer(1))], &[("x-a", integer(1))]));
    assert!(matches(&[("x-match", "any-with-x".into()), ("x-a", integer(1))], &[("x-a", integer(1))]));
    assert!(!matches(&[("X-a", integer(1))], &[]), "only a small x hides an argument");
}

#[test]
fn headers_of_dead_lettering_match_with_x() {
    let arguments = [("x-match", "all-with-x".into()), ("x-first-death-reason", "rejected".into())];
    assert!(matches(&arguments, &[("x-first-death-reason", "rejected".into())]));
}

#[test]
fn with_no_criteria_all_matches_everything_and_any_nothing() {
    for mode in ["all", "all-with-x"] {
        assert!(matches(&[("x-match", mode.into())], &[]));
        assert!(matches(&[("x-match", mode.into())], &[("a", integer(1))]));
    }
    for mode in ["any", "any-with-x"] {
        assert!(!matches(&[("x-match", mode.into())], &[("a", integer(1))]));
    }
    assert!(matches(&[], &[]));
    assert!(matches(&[("x-a", integer(1))], &[]));
}

#[test]
fn a_message_without_headers_is_one_with_none() {
    let mut exchange = Exchange::new("headers");
    exchange.bind(1, "");
    exchange.bind_with(2, "", table(&[("a", integer(1))])).unwrap();
    assert_eq!(exchange.route("ignored"), [1]);
}

#[test]
fn values_match_within_a_kind_of_type() {
    let array = |value| Value::Array(vec![value]);
    let nested = |value: Value| Value::Table([("n", value)].into_iter().collect());
    let rows: &[(Value, Value, bool)] = &[
        (integer(5), Value::I64(5), true),
        (Value::U8(5), Value::I16(5), true),
        (integer(5), integer(6), false),
        (integer(1), Value::F64(1.0), false),
        (Value::F64(1.0), integer(1), false),
        (Value::F32(0.5), Value::F64(0.5), true),
        ("a".into(), Value::Bytes(b"a".to_vec()), true),
        ("1".into(), integer(1), false),
        (true.into(), true.into(), true),
        (true.into(), integer(1), false),
        (true.into(), false.into(), false),
        (Value::Decimal { scale: 2, value: 5 }, Value::Decimal { scale: 2, value: 5 }, true),
        (array(integer(5)), array(integer(5)), true),
        (array(integer(5)), array(Value::I64(5)), false),
        (nested(integer(5)), nested(integer(5)), true),
        (nested(integer(5)), nested(Value::I64(5)), false),
        (Value::Timestamp(5), Value::Timestamp(5), true),
        (Value::Timestamp(5), Value::Timestamp(6), false),
        (Value::I64(5_000), Value::Timestamp(5), false),
        (Value::Timestamp(5), Value::I64(5), false),
        (Value::Void, Value::Void, true),
        (Value::Void, integer(1), true),
        (Value::Void, nested(integer(1)), true),
        (integer(1), Value::Void, false),
    ];
    for (wanted, header, expected) in rows {
        assert_eq!(matches(&[("k", wanted.clone())], &[("k", header.clone())]), *expected, "{wanted:?} {header:?}");
    }
}

#[test]
fn void_in_a_binding_wants_the_header_to_be_there() {
    assert!(!matches(&[("k", Value::Void)], &[("other", integer(1))]));
}

#[test]
fn names_are_case_sensitive() {
    assert!(!matches(&[("Key", integer(1))], &[("key", integer(1))]));
}

#[test]
fn a_repeated_argument_is_a_criterion_each_time() {
    let arguments = [("k", integer(1)), ("k", integer(2))];
    assert!(!matches(&arguments, &[("k", integer(1))]));
    assert!(!matches(&arguments, &[("k", integer(2))]));
}

#[test]
fn bindings_with_other_arguments_are_unbound_one_by_one() {
    let mut exchange = Exchange::new("headers");
    let (one, two) = (table(&[("a", integer(1))]), table(&[("b", integer(2))]));
    exchange.bind_with(1, "", one.clone()).unwrap();
    exchange.bind_with(1, "", two.clone()).unwrap();
    exchange.unbind_with(1, "", one.clone());
    assert_eq!((exchange.route_headers(&one), exchange.route_headers(&two)), (vec![], vec![1]));
}

#[test]
fn a_bad_x_match_is_refused() {
    let refused = |value: Value| {
        let arguments = table(&[("x-match", value)]);
        Exchange::new("headers").bind_with(1, "", arguments).unwrap_err().explanation
    };
    let expected = "expected all, any, all-with-x, or any-with-x";
    assert_eq!(refused("bogus".into()), format!("Invalid x-match field value <<\"bogus\">>; {expected}"));
    assert_eq!(refused("ALL".into()), format!("Invalid x-match field value <<\"ALL\">>; {expected}"));
    assert_eq!(refused("".into()), format!("Invalid x-match field value <<>>; {expected}"));
    assert_eq!(refused(integer(5)), "Invalid x-match field type signedint (value 5); expected longstr");
    assert_eq!(
        refused(Value::Bytes(b"any".to_vec())),
        "Invalid x-match field type binary (value <<\"any\">>); expected longstr"
    );
    assert_eq!(refused(Value::Void), "Invalid x-match field type void (value undefined); expected longstr");
}
