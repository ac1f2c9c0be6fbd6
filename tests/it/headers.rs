//! The headers exchange (reference: 7.4).

use amq_protocol::protocol::channel::Flow;

use crate::broker::TestBroker;
use crate::client::delivery::Event;
use crate::client::method::bind;
use crate::client::properties::properties;
use crate::client::table::{S, args};
use crate::client::{Channel, Table, Value, exchange, publish, queue};

async fn stage(broker: &TestBroker) -> (Channel, String, String) {
    let ch = broker.connect().await.channel(1).await;
    let (x, name) = (broker.name("x"), broker.name("q"));
    ch.declare_exchange(exchange(&x, "headers")).await;
    ch.declare(queue(&name).exclusive()).await;
    (ch, x, name)
}

/// Whether a message with these headers passes a binding with these arguments.
async fn passes(stage: &(Channel, String, String), binding: &Table, headers: Option<&Table>) -> bool {
    let (ch, x, name) = stage;
    ch.bind_with(name, x, "", binding).await;
    let mut properties = properties();
    properties.headers = headers.cloned();
    ch.publish(publish(x, "key is ignored", "m").mandatory().with(properties)).await;
    ch.call(Flow { active: true }).await;
    let returned = match ch.take_early() {
        None => false,
        Some(Event::Return(_)) => true,
        other => panic!("{other:?}"),
    };
    ch.call(crate::client::method::unbind(name, x, "", binding)).await;
    if !returned {
        ch.get_eventually(name).await;
    }
    !returned
}

fn table(entries: &[(&str, Value)]) -> Table {
    Table(entries.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.clone())).collect())
}

/// reference: 7.4, x-match: all is the default
#[tokio::test]
async fn all_is_the_default_and_any_needs_one() {
    let broker = TestBroker::start().await;
    let stage = stage(&broker).await;
    let both = [("a", Value::I(1)), ("b", S("x"))];
    let with = |x_match: Option<&str>| {
        let mut entries = both.to_vec();
        entries.extend(x_match.map(|x_match| ("x-match", S(x_match))));
        table(&entries)
    };
    let full = table(&[("a", Value::I(1)), ("b", S("x")), ("c", Value::V)]);
    let half = table(&[("a", Value::I(1))]);
    let wrong = table(&[("a", Value::I(2)), ("b", S("y"))]);
    for (x_match, full_passes, half_passes) in
        [(None, true, false), (Some("all"), true, false), (Some("any"), true, true)]
    {
        let binding = with(x_match);
        assert_eq!(passes(&stage, &binding, Some(&full)).await, full_passes, "{x_match:?} full");
        assert_eq!(passes(&stage, &binding, Some(&half)).await, half_passes, "{x_match:?} half");
        assert!(!passes(&stage, &binding, Some(&wrong)).await, "{x_match:?} wrong");
        assert!(!passes(&stage, &binding, Some(&Table::default())).await, "{x_match:?} empty");
        assert!(!passes(&stage, &binding, None).await, "{x_match:?} none");
    }
}

/// reference: 7.4, names that begin with x-
#[tokio::test]
async fn names_that_begin_with_x_count_only_with_x() {
    let broker = TestBroker::start().await;
    let stage = stage(&broker).await;
    let binding = |x_match: &str| table(&[("x-match", S(x_match)), ("a", Value::I(1)), ("x-b", Value::I(2))]);
    let a = table(&[("a", Value::I(1))]);
    let b = table(&[("x-b", Value::I(2))]);
    let both = table(&[("a", Value::I(1)), ("x-b", Value::I(2))]);
    for (x_match, expected) in [
        ("all", [true, false, true]),
        ("any", [true, false, true]),
        ("all-with-x", [false, false, true]),
        ("any-with-x", [true, true, true]),
    ] {
        for (headers, expected) in [&a, &b, &both].into_iter().zip(expected) {
            assert_eq!(passes(&stage, &binding(x_match), Some(headers)).await, expected, "{x_match} {headers:?}");
        }
    }
}

/// reference: 7.4, no criteria left
#[tokio::test]
async fn without_criteria_all_matches_everything_and_any_nothing() {
    let broker = TestBroker::start().await;
    let stage = stage(&broker).await;
    let some = table(&[("a", Value::I(1))]);
    for x in [false, true] {
        let binding = |x_match: &str| {
            let mut entries = vec![("x-match", S(x_match))];
            if x {
                entries.push(("x-ignored", Value::I(1)));
            }
            table(&entries)
        };
        for headers in [None, Some(&some)] {
            assert!(passes(&stage, &binding("all"), headers).await);
            assert!(!passes(&stage, &binding("any"), headers).await);
        }
    }
    assert!(passes(&stage, &Table::default(), None).await);
    assert!(passes(&stage, &table(&[("x-match", S("all-with-x"))]), None).await);
    assert!(!passes(&stage, &table(&[("x-match", S("any-with-x"))]), Some(&some)).await);
}

/// reference: 7.4, how values compare
#[tokio::test]
async fn values_compare_by_kind_and_value() {
    let broker = TestBroker::start().await;
    let stage = stage(&broker).await;
    let nested = |n| Value::F(args([("k", Value::I(n))]));
    let cases = [
        // Void in the binding is a presence test; in the message it equals nothing concrete.
        (Value::V, Value::I(1), true),
        (Value::V, S("x"), true),
        (Value::V, Value::V, true),
        (Value::I(1), Value::V, false),
        (S(""), Value::V, false),
        // Integers by value.
        (Value::I(1), Value::l(1), true),
        (Value::b(1), Value::i(1), true),
        (Value::B(200), Value::s(200), true),
        (Value::u(1), Value::L(1), true),
        (Value::I(-1), Value::l(-1), true),
        (Value::I(1), Value::I(2), false),
        // Integers are no doubles; floats are.
        (Value::I(1), Value::d(1.0), false),
        (Value::d(1.0), Value::I(1), false),
        (Value::f(1.5), Value::d(1.5), true),
        (Value::d(1.5), Value::d(2.5), false),
        // Strings by their bytes.
        (S("a"), Value::x(b"a".to_vec()), true),
        (S("a"), S("A"), false),
        (S("1"), Value::I(1), false),
        (Value::I(1), S("1"), false),
        // Booleans only booleans.
        (Value::t(true), Value::t(true), true),
        (Value::t(true), Value::t(false), false),
        (Value::t(true), Value::I(1), false),
        (Value::t(true), S("true"), false),
        // Structures by structure.
        (nested(1), nested(1), true),
        (nested(1), nested(2), false),
        (Value::A(vec![Value::I(1), S("x")]), Value::A(vec![Value::I(1), S("x")]), true),
        (Value::A(vec![Value::I(1)]), Value::A(vec![Value::I(1), Value::I(1)]), false),
        (Value::D(2, 314), Value::D(2, 314), true),
        (Value::D(2, 314), Value::D(3, 314), false),
    ];
    for (bound, sent, expected) in cases {
        let (binding, headers) = (args([("h", bound.clone())]), args([("h", sent.clone())]));
        assert_eq!(passes(&stage, &binding, Some(&headers)).await, expected, "{bound:?} against {sent:?}");
    }
}

/// reference: 7.4, [artefact] timestamps: RabbitMQ multiplies the message's by 1000, we compare seconds
#[tokio::test]
async fn timestamps_compare_as_timestamps() {
    let broker = TestBroker::start().await;
    let stage = stage(&broker).await;
    let same = passes(&stage, &args([("h", Value::T(5))]), Some(&args([("h", Value::T(5))]))).await;
    assert_eq!(same, !broker.is_rabbitmq());
    let other = passes(&stage, &args([("h", Value::T(5))]), Some(&args([("h", Value::T(6))]))).await;
    assert!(!other);
    if broker.is_rabbitmq() {
        assert!(passes(&stage, &args([("h", Value::I(5000))]), Some(&args([("h", Value::T(5))]))).await);
    }
}

/// reference: 7.4, header names are case-sensitive
#[tokio::test]
async fn header_names_are_case_sensitive() {
    let broker = TestBroker::start().await;
    let stage = stage(&broker).await;
    assert!(!passes(&stage, &args([("Name", Value::I(1))]), Some(&args([("name", Value::I(1))]))).await);
}

/// reference: 7.4, bad x-match values
#[tokio::test]
async fn an_unknown_x_match_is_refused() {
    let broker = TestBroker::start().await;
    let (ch, x, name) = stage(&broker).await;
    for value in ["bogus", "ALL", ""] {
        let text = format!(
            "PRECONDITION_FAILED - Invalid x-match field value <<{}>>; expected all, any, all-with-x, or any-with-x",
            if value.is_empty() { String::new() } else { format!("\"{value}\"") }
        );
        ch.refused(bind(&name, &x, "", &args([("x-match", S(value))]), false), 406, &text).await;
    }
    for (value, kind, printed) in [(Value::I(5), "signedint", "5"), (Value::t(true), "bool", "true")] {
        let text =
            format!("PRECONDITION_FAILED - Invalid x-match field type {kind} (value {printed}); expected longstr");
        ch.refused(bind(&name, &x, "", &args([("x-match", value)]), false), 406, &text).await;
    }
}

/// reference: 7.4, headers of dead letters match with all-with-x
#[tokio::test]
async fn dead_letter_headers_match_with_x() {
    let broker = TestBroker::start().await;
    let (ch, x, name) = stage(&broker).await;
    let work = broker.name("work");
    ch.declare(queue(&work).exclusive().arg("x-dead-letter-exchange", S(&x))).await;
    let binding = args([("x-match", S("all-with-x")), ("x-first-death-reason", S("rejected"))]);
    ch.bind_with(&name, &x, "", &binding).await;
    ch.publish(publish("", &work, "m")).await;
    ch.expect_ready(&work, 1).await;
    ch.get(&work).await.unwrap();
    ch.reject(1, false).await;
    assert_eq!(ch.get_eventually(&name).await.text(), "m");
}
