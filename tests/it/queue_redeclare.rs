//! Redeclaring a queue: which arguments are compared, in which order, and what a difference is called (reference: 4.1).

use crate::broker::{TestBroker, cut, q};
use crate::client::table::S;
use crate::client::{Channel, Value, queue};

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// reference: 4.1 equivalence of arguments: values, missing, additional, unknown
#[tokio::test]
async fn a_redeclaration_compares_the_arguments_that_the_type_knows() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let declare = || queue(&name).exclusive();
    ch.declare(declare().arg("x-max-length", Value::I(5)).arg("x-overflow", S("drop-head")).arg("x-custom", S("a")))
        .await;
    let same = || declare().arg("x-overflow", S("drop-head"));
    // Integers by value, whatever their width; unknown arguments not at all; the default type when none is named.
    for five in [Value::b(5), Value::B(5), Value::s(5), Value::u(5), Value::I(5), Value::i(5), Value::l(5), Value::L(5)]
    {
        ch.declare(same().arg("x-max-length", five)).await;
    }
    ch.declare(same().arg("x-max-length", Value::I(5)).arg("x-custom", Value::t(true)).arg("x-more", Value::V)).await;
    ch.declare(same().arg("x-max-length", Value::I(5)).arg("x-queue-type", S("classic"))).await;

    let differs = |name_of: &str, how: &str| {
        format!("PRECONDITION_FAILED - inequivalent arg '{name_of}' for {}: {how}", q(&name))
    };
    let cases = [
        (same().arg("x-max-length", Value::I(6)), differs("x-max-length", "received '6' but current is '5'")),
        (same(), differs("x-max-length", "received none but current is the value '5' of type 'signedint'")),
        (
            declare().arg("x-max-length", Value::I(5)).arg("x-overflow", S("reject-publish")),
            differs("x-overflow", "received 'reject-publish' but current is 'drop-head'"),
        ),
        (
            declare().arg("x-max-length", Value::I(5)),
            differs("x-overflow", "received none but current is the value 'drop-head' of type 'longstr'"),
        ),
        (
            same().arg("x-max-length", Value::I(5)).arg("x-message-ttl", Value::l(1000)),
            differs("x-message-ttl", "received the value '1000' of type 'long' but current is none"),
        ),
        (
            same().arg("x-max-length", Value::I(5)).arg("x-single-active-consumer", Value::t(true)),
            differs("x-single-active-consumer", "received the value 'true' of type 'bool' but current is none"),
        ),
        (
            same().arg("x-max-length", Value::I(5)).arg("x-max-priority", Value::B(3)),
            differs("x-max-priority", "received the value '3' of type 'unsignedbyte' but current is none"),
        ),
    ];
    for (declare, text) in cases {
        ch.refused(declare, 406, &text).await;
    }
}

/// reference: 4.1, the confusing text about an integer and a string (4.3 does not validate x-queue-mode, so it can be either)
#[tokio::test]
async fn an_integer_and_a_string_of_the_same_digits_differ() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive().arg("x-queue-mode", Value::I(5))).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for {}: received '5' but current is '5'",
        q(&name)
    );
    ch.refused(queue(&name).exclusive().arg("x-queue-mode", S("5")), 406, &text).await;
}

/// reference: 4.1, the order in which arguments are compared
#[tokio::test]
async fn arguments_are_compared_in_a_fixed_order() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let ordered = [
        ("x-expires", Value::I(60_000), "60000", "signedint"),
        ("x-message-ttl", Value::I(1000), "1000", "signedint"),
        ("x-dead-letter-exchange", S("dlx"), "dlx", "longstr"),
        ("x-dead-letter-routing-key", S("key"), "key", "longstr"),
        ("x-max-length", Value::I(10), "10", "signedint"),
        ("x-max-length-bytes", Value::I(1000), "1000", "signedint"),
        ("x-max-priority", Value::I(3), "3", "signedint"),
        ("x-overflow", S("drop-head"), "drop-head", "longstr"),
        ("x-queue-mode", S("lazy"), "lazy", "longstr"),
        ("x-queue-version", Value::I(2), "2", "signedint"),
        ("x-single-active-consumer", Value::t(true), "true", "bool"),
    ];
    let with = |from: usize| {
        let mut declare = queue(&name).exclusive();
        // In reverse, so that the order of the request does not help.
        for (name, value, ..) in ordered[from..].iter().rev() {
            declare = declare.arg(name, value.clone());
        }
        declare
    };
    ch.declare(with(0)).await;
    for (first, (argument, _, value, kind)) in ordered.iter().enumerate() {
        // Everything up to this one is given equal, it and all behind it are missing.
        let mut declare = queue(&name).exclusive();
        for (argument, value, ..) in &ordered[..first] {
            declare = declare.arg(argument, value.clone());
        }
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg '{argument}' for {}: received none but current is the value \
             '{value}' of type '{kind}'",
            q(&name)
        );
        if text.len() <= 255 {
            ch.refused(declare, 406, &text).await;
        } else {
            ch.refused(declare, 406, &cut(&text)).await;
        }
    }
}

/// `inequivalent arg` for an argument that the queue does not have.
fn is_new(queue: &str, argument: &str, value: &str, kind: &str) -> String {
    cut(&format!(
        "PRECONDITION_FAILED - inequivalent arg '{argument}' for {}: received the value '{value}' of type '{kind}' but current \
         is none",
        q(queue)
    ))
}

/// reference: 4.1, a redeclaration compares what the type of the queue knows, and all of it
#[tokio::test]
async fn a_quorum_queue_compares_every_argument_that_it_knows() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).quorum()).await;
    let compared = [
        "x-dead-letter-strategy",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-quorum-initial-group-size",
        "x-delivery-limit",
        "x-consumer-disconnected-timeout",
        "x-consumer-timeout",
        "x-delayed-retry-type",
        "x-delayed-retry-min",
        "x-delayed-retry-max",
    ];
    for argument in compared {
        let text = is_new(&name, argument, "5", "signedint");
        ch.refused(queue(&name).quorum().arg(argument, Value::I(5)), 406, &text).await;
    }
    // A value that no new queue could have is only another difference.
    let bad = [("x-expires", S("bad"), "bad", "longstr"), ("x-dead-letter-exchange", Value::I(5), "5", "signedint")];
    for (argument, value, text, kind) in bad {
        let text = is_new(&name, argument, text, kind);
        ch.refused(queue(&name).quorum().arg(argument, value), 406, &text).await;
    }
}

/// reference: 4.1, what the type of the queue does not know may differ and hold anything
#[tokio::test]
async fn a_redeclaration_ignores_what_the_type_does_not_know() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let name = broker.name("quorum");
    let foreign =
        ["x-max-priority", "x-queue-mode", "x-queue-version", "x-queue-master-locator", "x-max-age", "x-custom"];
    ch.declare(queue(&name).quorum()).await;
    for argument in foreign {
        for value in [Value::I(7), S("bad"), Value::V] {
            ch.declare(queue(&name).quorum().arg(argument, value)).await;
        }
    }
    let name = broker.name("classic");
    ch.declare(queue(&name).exclusive()).await;
    for argument in ["x-delivery-limit", "x-dead-letter-strategy", "x-consumer-timeout", "x-max-age"] {
        for value in [Value::I(-1), S("bad")] {
            ch.declare(queue(&name).exclusive().arg(argument, value)).await;
        }
    }
}

/// reference: 4.1, the order of quorum queues
#[tokio::test]
async fn a_quorum_queue_compares_in_an_order_of_its_own() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).quorum()).await;
    let order = [
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-dead-letter-strategy",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-overflow",
        "x-single-active-consumer",
        "x-quorum-initial-group-size",
        "x-delivery-limit",
        "x-message-ttl",
        "x-queue-leader-locator",
        "x-consumer-disconnected-timeout",
        "x-consumer-timeout",
        "x-delayed-retry-type",
        "x-delayed-retry-min",
        "x-delayed-retry-max",
    ];
    for (place, first) in order.iter().enumerate() {
        let mut declare = queue(&name).quorum();
        for argument in order[place..].iter().rev() {
            declare = declare.arg(argument, Value::I(5));
        }
        ch.refused(declare, 406, &is_new(&name, first, "5", "signedint")).await;
    }
}

/// reference: 4.1, x-queue-type that is no type
#[tokio::test]
async fn a_type_that_is_none_differs_on_redeclaration() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).durable()).await;
    for (value, received) in
        [(Value::V, "none"), (Value::I(5), "'5'"), (S("bogus"), "'bogus'"), (Value::t(true), "'true'")]
    {
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for {}: received {received} but current is 'classic'",
            q(&name)
        );
        ch.refused(queue(&name).durable().arg("x-queue-type", value), 406, &text).await;
    }
}

/// reference: 4.1, void values, and 8, doubles as Erlang prints them
#[tokio::test]
async fn void_and_doubles_in_the_text_of_a_difference() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let rows = [
        (Value::V, Value::I(5), "received '5' but current is none"),
        (S("lazy"), Value::V, "received none but current is 'lazy'"),
        (Value::d(60_000.0), Value::d(60.5), "received '60.5' but current is '6.0e4'"),
        (Value::d(0.000_12), Value::d(100.0), "received '100.0' but current is '1.2e-4'"),
    ];
    for (first, second, difference) in rows {
        let name = broker.name("q");
        ch.declare(queue(&name).exclusive().arg("x-queue-mode", first)).await;
        let text = format!("PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for {}: {difference}", q(&name));
        ch.refused(queue(&name).exclusive().arg("x-queue-mode", second), 406, &text).await;
    }
}
