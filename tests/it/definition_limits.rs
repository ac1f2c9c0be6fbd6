//! Queues, exchanges and bindings take memory as well: it is counted, and bounded (conformance/exceptions.toml, 4.1 and 4.3).

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod;

use crate::broker::{Setup, TestBroker};
use crate::client::method::{bind, exchange_bind};
use crate::client::table::S;
use crate::client::{Channel, Request, args, consume, exchange, publish, queue};

const WATERMARK_BYTES: u64 = 4 << 20;
const ARGUMENT_BYTES: usize = 30_250;
/// So many objects with such arguments take nearly half of the watermark.
const COUNT: usize = 62;

/// RabbitMQ, which has no such limits, is not asked.
async fn with_watermark() -> Option<TestBroker> {
    let setup = Setup { memory_high_watermark: Some(WATERMARK_BYTES), ..Setup::default() };
    if crate::broker::rabbitmq_address().is_some() { None } else { Some(setup.start().await) }
}

fn filler() -> String {
    "a".repeat(ARGUMENT_BYTES)
}

async fn fill(ch: &Channel) {
    for number in 0..COUNT {
        ch.declare(queue(&format!("q{number}")).arg("filler", S(filler()))).await;
    }
}

const TOO_MUCH: &str = "PRECONDITION_FAILED - the queues, exchanges and bindings of vhost '/' would take more than 2097152 bytes \
                        of memory; delete some of them, or give the broker a higher memory watermark";

/// reference: 4.1, arguments of one queue, exchange or binding
#[tokio::test]
async fn arguments_are_bounded() {
    let Some(broker) = with_watermark().await else { return };
    let ch = broker.connect().await.channel(1).await;
    let text = |subject: &str, bytes: usize| {
        format!(
            "PRECONDITION_FAILED - the arguments of {subject} in vhost '/' take {bytes} bytes, which is more than the 32768 that \
             are allowed"
        )
    };
    let long = || S("a".repeat(33_000));
    let field = 1 + "x".len() + 1 + 4 + 33_000;
    let own_type = 1 + "x-queue-type".len() + 1 + 4 + "classic".len();
    ch.refused(queue("q").arg("x", long()), 406, &text("queue 'q'", field + own_type)).await;
    ch.refused(exchange("x", "fanout").arg("x", long()), 406, &text("exchange 'x'", field)).await;
    ch.declare(queue("q")).await;
    let arguments = args([("x", long())]);
    let of_binding = text("a binding of exchange 'amq.fanout'", field);
    ch.refused(bind("q", "amq.fanout", "", &arguments, false), 406, &of_binding).await;
    ch.refused(exchange_bind("amq.direct", "amq.fanout", "", &arguments, false), 406, &of_binding).await;
    // As much as is allowed.
    ch.declare(queue("full").arg("x", S("a".repeat(32_768 - own_type - 7)))).await;
}

/// reference: 4.1, definitions of one virtual host
#[tokio::test]
async fn definitions_of_a_virtual_host_are_bounded_and_counted_back() {
    let Some(broker) = with_watermark().await else { return };
    let ch = broker.connect().await.channel(1).await;
    let large = || S("a".repeat(32_700));
    let (arguments, more) = (args([("filler", S(filler()))]), args([("filler", large())]));
    for _ in 0..3 {
        fill(&ch).await;
        ch.declare_exchange(exchange("x", "fanout")).await;
        for key in ["1", "2", "3", "4"] {
            ch.bind_with("q0", "x", key, &arguments).await;
        }
        for request in [
            queue("more").arg("filler", large()).into(),
            exchange("more", "fanout").arg("filler", large()).into(),
            bind("q0", "x", "5", &more, false),
            exchange_bind("amq.fanout", "x", "5", &more, false),
        ] as [Request; 4]
        {
            ch.refused(request, 406, TOO_MUCH).await;
        }
        // What is there already may be declared again, and small things still have room.
        ch.declare(queue("q1").arg("filler", S(filler()))).await;
        ch.bind_with("q0", "x", "1", &arguments).await;
        ch.declare(queue("")).await;
        for number in 0..COUNT {
            ch.delete(&format!("q{number}")).await;
        }
        ch.delete_exchange("x").await;
    }
}

/// reference: 1.11, the memory alarm sees definitions as well as messages
#[tokio::test]
async fn definitions_count_for_the_alarm() {
    let Some(broker) = with_watermark().await else { return };
    let connection = broker.connect().await;
    let (publisher, ch) = (connection.channel(1).await, broker.connect().await.channel(1).await);
    publisher.confirm_select().await;
    fill(&ch).await;
    ch.declare(queue("messages")).await;
    // Less than the watermark by itself.
    publisher.publish_confirmed(publish("", "messages", vec![0; 2_500_000])).await;
    publisher.publish(publish("", "messages", "waits")).await;
    match connection.expect((10, 60)).await {
        AMQPClass::Connection(AMQPMethod::Blocked(blocked)) => assert_eq!(blocked.reason.as_str(), "low on memory"),
        other => panic!("{other:?}"),
    }
    for number in 0..COUNT {
        ch.delete(&format!("q{number}")).await;
    }
    connection.expect((10, 61)).await;
    assert!(publisher.expect_confirm().await.ack);
}

/// reference: 1.11, nothing but memory bounds how many consumers a channel has
#[tokio::test]
async fn consumers_count_for_the_alarm() {
    let Some(broker) = with_watermark().await else { return };
    let connection = broker.connect().await;
    let (publisher, ch) = (connection.channel(1).await, broker.connect().await.channel(1).await);
    ch.declare(queue("messages")).await;
    for _ in 0..3_000 {
        ch.send(consume("messages").no_wait()).await;
    }
    ch.sync().await;
    publisher.confirm_select().await;
    publisher.declare(queue("others")).await;
    // Less than the watermark by itself.
    publisher.publish_confirmed(publish("", "others", vec![0; 2_500_000])).await;
    publisher.publish(publish("", "others", "waits")).await;
    match connection.expect((10, 60)).await {
        AMQPClass::Connection(AMQPMethod::Blocked(blocked)) => assert_eq!(blocked.reason.as_str(), "low on memory"),
        other => panic!("{other:?}"),
    }
    ch.close().await;
    connection.expect((10, 61)).await;
    assert!(publisher.expect_confirm().await.ack);
}
