//! Arguments of `queue.declare`: each one's accepted and refused values, with the literal texts (reference: 4.2).

use amq_protocol::protocol::queue::Delete;

use crate::broker::{Setup, TestBroker, cut, q};
use crate::client::table::{S, args};
use crate::client::{Channel, Value, queue};

const TEN_YEARS: i64 = 315_360_000_000;

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// Which type of queue a row is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Classic,
    Quorum,
}
use Kind::{Classic, Quorum};

/// Every value is accepted for a new queue of this type.
async fn accepted(broker: &TestBroker, ch: &Channel, kind: Kind, argument: &str, values: &[Value]) {
    for value in values {
        let name = broker.name("q");
        let declare = match kind {
            Classic => queue(&name).exclusive(),
            Quorum => queue(&name).quorum(),
        };
        ch.declare(declare.arg(argument, value.clone())).await;
        ch.delete(&name).await;
    }
}

/// Each value is refused with `invalid arg` and this reason.
async fn refused(broker: &TestBroker, ch: &Channel, kind: Kind, argument: &str, values: &[(Value, &str)]) {
    for (value, reason) in values {
        let name = broker.name("q");
        let declare = match kind {
            Classic => queue(&name).exclusive(),
            Quorum => queue(&name).quorum(),
        };
        let text = cut(&format!("PRECONDITION_FAILED - invalid arg '{argument}' for {}: {reason}", q(&name)));
        ch.refused(declare.arg(argument, value.clone()), 406, &text).await;
    }
}

/// What is said to values that are no integer, with the names of their types (reference: 4.1 and 8).
fn not_integers() -> Vec<(Value, &'static str)> {
    vec![
        (S("5"), r#""expected integer, got longstr""#),
        (Value::t(true), r#""expected integer, got bool""#),
        (Value::d(5.0), r#""expected integer, got double""#),
        (Value::f(5.0), r#""expected integer, got float""#),
        (Value::D(0, 5), r#""expected integer, got decimal""#),
        (Value::T(5), r#""expected integer, got timestamp""#),
        (Value::V, r#""expected integer, got void""#),
        (Value::x(vec![5]), r#""expected integer, got binary""#),
        (Value::F(args([])), r#""expected integer, got table""#),
        (Value::A(vec![]), r#""expected integer, got array""#),
    ]
}

fn integers_of_every_width() -> Vec<Value> {
    vec![Value::b(5), Value::B(5), Value::s(5), Value::u(5), Value::I(5), Value::i(5), Value::l(5), Value::L(5)]
}

/// reference: 4.2, integer arguments: widths, type, sign, zero, limits
#[tokio::test]
async fn integer_arguments_are_checked_by_value() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let negative = (Value::I(-1), "{value_negative,-1}");
    let zero = (Value::I(0), "{value_zero,0}");
    let too_large = (Value::l(TEN_YEARS + 1), "{value_too_large,315360000001}");
    let may_be_zero = ["x-message-ttl", "x-max-length", "x-max-length-bytes", "x-max-priority"];
    for argument in may_be_zero {
        accepted(&broker, &ch, Classic, argument, &integers_of_every_width()).await;
        accepted(&broker, &ch, Classic, argument, &[Value::I(0)]).await;
        refused(&broker, &ch, Classic, argument, &not_integers()).await;
        refused(&broker, &ch, Classic, argument, std::slice::from_ref(&negative)).await;
    }
    accepted(&broker, &ch, Classic, "x-expires", &[Value::I(60_000), Value::l(TEN_YEARS)]).await;
    refused(&broker, &ch, Classic, "x-expires", &not_integers()).await;
    refused(&broker, &ch, Classic, "x-expires", &[negative, zero, too_large.clone()]).await;

    accepted(&broker, &ch, Classic, "x-message-ttl", &[Value::l(TEN_YEARS)]).await;
    refused(&broker, &ch, Classic, "x-message-ttl", &[too_large]).await;
    accepted(&broker, &ch, Classic, "x-max-length", &[Value::l(i64::MAX)]).await;
    accepted(&broker, &ch, Classic, "x-max-priority", &[Value::I(255)]).await;
    refused(&broker, &ch, Classic, "x-max-priority", &[(Value::I(256), "{max_value_exceeded,256}")]).await;
}

/// reference: 4.2, the same on quorum queues
#[tokio::test]
async fn integer_arguments_of_quorum_queues() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    for argument in ["x-message-ttl", "x-max-length", "x-max-length-bytes", "x-consumer-timeout"] {
        accepted(&broker, &ch, Quorum, argument, &[Value::I(0), Value::L(5)]).await;
        let cases = [(Value::I(-1), "{value_negative,-1}"), (S("5"), r#""expected integer, got longstr""#)];
        refused(&broker, &ch, Quorum, argument, &cases).await;
    }
    for argument in ["x-max-in-memory-length", "x-max-in-memory-bytes", "x-consumer-disconnected-timeout"] {
        accepted(&broker, &ch, Quorum, argument, &[Value::I(0), Value::I(5)]).await;
        refused(&broker, &ch, Quorum, argument, &[(Value::I(-1), "{value_negative,-1}")]).await;
    }
    accepted(&broker, &ch, Quorum, "x-expires", &[Value::I(60_000)]).await;
    refused(&broker, &ch, Quorum, "x-expires", &[(Value::I(0), "{value_zero,0}")]).await;
    accepted(&broker, &ch, Quorum, "x-quorum-initial-group-size", &[Value::I(1), Value::I(3)]).await;
    let cases = [(Value::I(0), "{value_zero,0}"), (Value::I(-1), "{value_negative,-1}")];
    refused(&broker, &ch, Quorum, "x-quorum-initial-group-size", &cases).await;
}

/// reference: 4.2, x-queue-type
#[tokio::test]
async fn x_queue_type_names_a_type_or_the_default() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    accepted(&broker, &ch, Classic, "x-queue-type", &[S("classic"), S(""), S("undefined")]).await;
    let name = broker.name("q");
    ch.declare(queue(&name).quorum()).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for {}: received 'classic' but current is 'quorum'",
        q(&name)
    );
    ch.refused(queue(&name).durable().arg("x-queue-type", S("classic")), 406, &text).await;
    let cases = [
        (S("bogus"), r#""unsupported queue type 'bogus'""#),
        (S("Classic"), r#""unsupported queue type 'Classic'""#),
        (Value::I(5), "{unacceptable_type,signedint}"),
        (Value::t(true), "{unacceptable_type,bool}"),
    ];
    refused(&broker, &ch, Classic, "x-queue-type", &cases).await;
}

/// reference: 4.2, x-overflow, x-single-active-consumer, x-queue-version, x-queue-leader-locator
#[tokio::test]
async fn arguments_with_a_set_of_values() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let overflows = [S("drop-head"), S("reject-publish"), S("reject-publish-dlx")];
    for kind in [Classic, Quorum] {
        accepted(&broker, &ch, kind, "x-overflow", &overflows).await;
        let cases = [(S("bogus"), "invalid_overflow"), (Value::I(5), "{unacceptable_type,signedint}")];
        refused(&broker, &ch, kind, "x-overflow", &cases).await;

        accepted(&broker, &ch, kind, "x-single-active-consumer", &[Value::t(true), Value::t(false)]).await;
        let cases = [(S("true"), "{unacceptable_type,longstr}"), (Value::I(1), "{unacceptable_type,signedint}")];
        refused(&broker, &ch, kind, "x-single-active-consumer", &cases).await;

        accepted(&broker, &ch, kind, "x-queue-leader-locator", &[S("client-local"), S("balanced"), S("random")]).await;
        let cases = [(S("bogus"), "invalid_queue_locator_arg"), (Value::I(5), "{unacceptable_type,signedint}")];
        refused(&broker, &ch, kind, "x-queue-leader-locator", &cases).await;
    }
    accepted(&broker, &ch, Classic, "x-queue-version", &[Value::I(2), Value::b(2)]).await;
    let cases = [
        (Value::I(1), r#""unsupported queue version '1'""#),
        (Value::I(3), r#""unsupported queue version '3'""#),
        (Value::I(-1), "{value_negative,-1}"),
        (S("2"), r#""expected integer, got longstr""#),
    ];
    refused(&broker, &ch, Classic, "x-queue-version", &cases).await;
}

/// reference: 4.2, dead-letter arguments
#[tokio::test]
async fn dead_letter_arguments() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    for kind in [Classic, Quorum] {
        accepted(&broker, &ch, kind, "x-dead-letter-exchange", &[S(""), S("no-such-exchange")]).await;
        let name = broker.name("q");
        let declare = |name: &str| if kind == Classic { queue(name).exclusive() } else { queue(name).quorum() };
        let text = cut(&format!(
            "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in {}",
            q(&name)
        ));
        ch.refused(declare(&name).arg("x-dead-letter-exchange", Value::I(5)), 406, &text).await;
        let cases = [(S("key"), "routing_key_but_no_dlx_defined"), (Value::I(5), "{unacceptable_type,signedint}")];
        refused(&broker, &ch, kind, "x-dead-letter-routing-key", &cases).await;
        ch.declare(declare(&name).arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S("key")))
            .await;
        ch.delete(&name).await;
    }
    accepted(&broker, &ch, Quorum, "x-dead-letter-strategy", &[S("at-most-once"), S("at-least-once")]).await;
    let cases = [(S("bogus"), "invalid_dlx_strategy"), (Value::I(5), "{unacceptable_type,signedint}")];
    refused(&broker, &ch, Quorum, "x-dead-letter-strategy", &cases).await;
}

/// reference: 4.2, arguments that are not validated at all
#[tokio::test]
async fn some_arguments_are_accepted_whatever_they_hold() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let anything = [S("lazy"), S("bogus"), Value::I(5)];
    accepted(&broker, &ch, Classic, "x-queue-mode", &anything).await;
    accepted(&broker, &ch, Quorum, "x-delivery-limit", &[Value::I(-1), Value::I(0), Value::I(5), S("5")]).await;
    for (argument, value) in [
        ("x-delayed-retry-type", S("all")),
        ("x-delayed-retry-type", S("bogus")),
        ("x-delayed-retry-min", Value::I(700)),
        ("x-delayed-retry-max", Value::I(700)),
    ] {
        accepted(&broker, &ch, Quorum, argument, &[value]).await;
    }
    for argument in ["x-custom", "x-ha-policy", "x-match", "x-quorum-target-group-size", "x-name-prefix", ""] {
        for kind in [Classic, Quorum] {
            accepted(&broker, &ch, kind, argument, &[Value::I(-1), Value::V]).await;
        }
    }
}

/// RabbitMQ takes it, and then holds nothing back: a number out of range would mean that there is no delay.
#[tokio::test]
async fn a_retry_cannot_be_delayed_by_less_than_nothing() {
    let broker = TestBroker::to_the_letter().await;
    if broker.is_rabbitmq() {
        return;
    }
    let ch = channel(&broker).await;
    let cases = [(Value::I(-1), "{value_negative,-1}"), (Value::I(i32::MIN), "{value_negative,-2147483648}")];
    refused(&broker, &ch, Quorum, "x-delayed-retry-min", &cases).await;
}

/// reference: 4.2, an argument that exists, but not for this type of queue
#[tokio::test]
async fn arguments_of_another_type_of_queue_are_refused() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let cases = [
        (Quorum, "x-max-priority", Value::I(5)),
        (Quorum, "x-max-priority", S("bad")),
        (Quorum, "x-queue-master-locator", S("client-local")),
        (Quorum, "x-queue-mode", S("lazy")),
        (Quorum, "x-queue-version", Value::I(2)),
        (Quorum, "x-initial-cluster-size", Value::I(1)),
        (Quorum, "x-max-age", S("1D")),
        (Quorum, "x-stream-max-segment-size-bytes", Value::I(1000)),
        (Quorum, "x-stream-filter-size-bytes", Value::I(20)),
        (Classic, "x-dead-letter-strategy", S("at-least-once")),
        (Classic, "x-delivery-limit", Value::I(5)),
        (Classic, "x-quorum-initial-group-size", Value::I(1)),
        (Classic, "x-quorum-initial-group-size", Value::I(0)),
        (Classic, "x-dead-letter-strategy", S("bogus")),
        (Classic, "x-initial-cluster-size", Value::I(1)),
        (Classic, "x-max-in-memory-length", Value::I(1)),
        (Classic, "x-max-in-memory-bytes", Value::I(1)),
        (Classic, "x-consumer-timeout", Value::I(1000)),
        (Classic, "x-consumer-disconnected-timeout", Value::I(1000)),
        (Classic, "x-delayed-retry-type", S("all")),
        (Classic, "x-delayed-retry-min", Value::I(1)),
        (Classic, "x-delayed-retry-max", Value::I(1)),
        (Classic, "x-max-age", S("1D")),
        (Classic, "x-stream-max-segment-size-bytes", Value::I(1000)),
        (Classic, "x-stream-filter-size-bytes", Value::I(20)),
    ];
    for (kind, argument, value) in cases {
        let name = broker.name("q");
        let (declare, module) = match kind {
            Classic => (queue(&name).exclusive(), "rabbit_classic_queue"),
            Quorum => (queue(&name).quorum(), "rabbit_quorum_queue"),
        };
        let text =
            cut(&format!("PRECONDITION_FAILED - invalid arg '{argument}' for {} of queue type {module}", q(&name)));
        ch.refused(declare.arg(argument, value), 406, &text).await;
    }
}

/// reference: 4.2, x-queue-master-locator is deprecated and denied by 4.3, whatever it holds
#[tokio::test]
async fn the_master_locator_is_denied_to_the_letter() {
    let broker = TestBroker::to_the_letter().await;
    for value in [S("client-local"), Value::I(5)] {
        let connection = broker.connect().await;
        let ch = connection.channel(1).await;
        let name = broker.name("q");
        ch.send(queue(&name).exclusive().arg("x-queue-master-locator", value)).await;
        let text = "INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.\nBy default, this feature is not permitted \
                    anymore.\nThe feature will be removed from a future major RabbitMQ version, regardless of the \
                    configuration; actual version to be determined.\nTo con...";
        connection.expect_close(541, text, (50, 10)).await;
    }
    // What is refused for another reason is refused for that, and what is there already is only compared.
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let declare = || queue(&name).exclusive().arg("x-queue-master-locator", S("client-local"));
    let text =
        format!(r#"PRECONDITION_FAILED - invalid arg 'x-expires' for {}: "expected integer, got longstr""#, q(&name));
    ch.refused(declare().arg("x-expires", S("bad")), 406, &text).await;
    ch.declare(queue(&name).exclusive()).await;
    let text = cut(&format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-master-locator' for {}: received the value 'client-local' of type \
         'longstr' but current is none",
        q(&name)
    ));
    ch.refused(declare(), 406, &text).await;
}

/// reference: 4.2, of several arguments that the type does not know the first is reported, once the known ones are right
#[tokio::test]
async fn foreign_arguments_are_reported_after_bad_values_and_in_the_order_of_the_request() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let foreign = |argument: &str| {
        cut(&format!(
            "PRECONDITION_FAILED - invalid arg '{argument}' for {} of queue type rabbit_quorum_queue",
            q(&name)
        ))
    };
    let both = |first: &str, second: &str| queue(&name).quorum().arg(first, S("bad")).arg(second, S("bad"));
    ch.refused(both("x-max-priority", "x-max-age"), 406, &foreign("x-max-priority")).await;
    ch.refused(both("x-max-age", "x-max-priority"), 406, &foreign("x-max-age")).await;
    let text = format!(
        "PRECONDITION_FAILED - invalid arg 'x-single-active-consumer' for {}: {{unacceptable_type,longstr}}",
        q(&name)
    );
    ch.refused(both("x-max-priority", "x-single-active-consumer"), 406, &text).await;
}

/// reference: 4.2, restrictions of quorum queues
#[tokio::test]
async fn quorum_queues_are_durable_shared_and_named() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let quorum = || queue(&name).arg("x-queue-type", S("quorum"));
    let invalid = |property: &str| format!("PRECONDITION_FAILED - invalid property '{property}' for {}", q(&name));
    ch.refused(quorum(), 406, &invalid("non-durable")).await;
    ch.refused(quorum().durable().exclusive(), 406, &invalid("exclusive-owner")).await;
    ch.refused(quorum().exclusive(), 406, &invalid("exclusive-owner")).await;
    ch.refused(quorum().durable().auto_delete(), 406, &invalid("auto-delete")).await;
    let text = "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue";
    ch.refused(queue("").quorum(), 406, text).await;

    ch.declare(queue(&name).quorum()).await;
    for (if_unused, if_empty, flag) in [(false, true, "if-empty"), (true, false, "if-unused")] {
        let connection = broker.connect().await;
        let ch = connection.channel(1).await;
        ch.send(Delete { queue: name.as_str().into(), if_unused, if_empty, nowait: false }).await;
        let text = format!(
            "NOT_IMPLEMENTED - cannot delete {}. queue.delete operations with {flag} flag set are not supported by \
             quorum queues",
            q(&name)
        );
        connection.expect_close(540, &cut(&text), (50, 40)).await;
    }
}

/// Streams are refused clearly until they exist; see conformance/exceptions.toml.
#[tokio::test]
async fn a_stream_is_refused_clearly() {
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return; // It has them.
    }
    use amq_protocol::protocol::{AMQPClass, channel, connection};
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    ch.send(queue(&broker.name("q")).durable().arg("x-queue-type", S("stream"))).await;
    let frame = connection.any_frame().await;
    let (code, text) = match crate::client::method::parse_method(&frame.payload) {
        AMQPClass::Channel(channel::AMQPMethod::Close(close)) => (close.reply_code, close.reply_text),
        AMQPClass::Connection(connection::AMQPMethod::Close(close)) => (close.reply_code, close.reply_text),
        other => panic!("a stream was not refused: {other:?}"),
    };
    assert!(code == 406 || code == 540, "{code}");
    assert!(text.as_str().contains("stream"), "{text}");
}

/// reference: 4.2, x-queue-type from the vhost's default: a missing argument is the classic type (see also 4.1)
#[tokio::test]
async fn a_missing_type_and_the_default_type_are_the_same() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).durable().arg("x-queue-type", S("classic"))).await;
    ch.declare(queue(&name).durable()).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for {}: received 'quorum' but current is 'classic'",
        q(&name)
    );
    ch.refused(queue(&name).quorum(), 406, &text).await;
}

/// reference: 4.2, the default queue type of a vhost
#[tokio::test]
async fn the_default_queue_type_of_a_vhost_is_for_durable_shared_queues() {
    let vhost = crate::broker::unique("vhost");
    let broker = Setup { quorum_vhosts: vec![vhost.clone()], ..Setup::default() }.start().await;
    let ch = broker.connect_with().vhost(&vhost).open().await.channel(1).await;
    ch.declare(queue("durable").durable()).await;
    ch.declare(queue("durable").quorum()).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'durable' in vhost '{vhost}': received \
         'classic' but current is 'quorum'"
    );
    ch.refused(queue("durable").durable().arg("x-queue-type", S("classic")), 406, &text).await;
    for (name, declare) in [
        ("transient", queue("transient")),
        ("exclusive", queue("exclusive").durable().exclusive()),
        ("auto", queue("auto").durable().auto_delete()),
    ] {
        ch.declare(declare.clone()).await;
        ch.declare(declare.arg("x-queue-type", S("classic"))).await;
        ch.declare(queue(name).passive()).await;
    }
    let text = "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue";
    ch.refused(queue("").durable(), 406, text).await;
}
