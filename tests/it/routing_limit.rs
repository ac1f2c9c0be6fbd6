//! A message that would take too long to route is refused (docs/bounds.md). RabbitMQ has no such bound, and routes it.

use crate::broker::TestBroker;
use crate::client::method::unbind;
use crate::client::table::{S, args};
use crate::client::{Channel, Table, Value, exchange, publish, queue};

const TEXT: &str = "PRECONDITION_FAILED - routing would take more than 250000 comparisons of routing keys and bindings";

/// A channel that confirms, and two exclusive queues.
async fn stage(broker: &TestBroker) -> (Channel, String, String) {
    let ch = broker.connect().await.channel(1).await;
    let (near, far) = (broker.name("near"), broker.name("far"));
    ch.declare(queue(&near).exclusive()).await;
    ch.declare(queue(&far).exclusive()).await;
    ch.confirm_select().await;
    (ch, near, far)
}

/// Another channel, and another connection, publish to a queue.
async fn others_go_on(broker: &TestBroker, ch: &Channel, queue: &str) {
    let (beside, elsewhere) = (ch.connection.channel(2).await, broker.connect().await.channel(1).await);
    for other in [&beside, &elsewhere] {
        other.confirm_select().await;
        other.publish_confirmed(publish("", queue, "other")).await;
    }
    assert_eq!(ch.drain(queue).await, ["other"; 2]);
}

/// 50 bindings with 5,000 criteria each, none of which the message fulfils.
#[tokio::test]
async fn very_many_criteria_of_headers_refuse_a_publish() {
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (ch, near, far) = stage(&broker).await;
    let x = broker.name("x");
    ch.declare_exchange(exchange(&x, "headers")).await;
    ch.bind_with(&near, &x, "", &args([("mine", Value::I(1))])).await;
    let absent = (0..5_000).map(|number| (format!("{number:04x}").into_bytes(), Value::V));
    let absent = Table(absent.chain([(b"x-match".to_vec(), S("any"))]).collect());
    for number in 0..50 {
        ch.bind_with(&far, &x, &number.to_string(), &absent).await;
    }
    let message = || publish(&x, "key", "m").header("mine", Value::I(1));
    ch.publish_refused(message(), 406, TEXT).await;
    others_go_on(&broker, &ch, &near).await;
    // A few bindings less are no more than is allowed.
    for number in 45..50 {
        ch.call(unbind(&far, &x, &number.to_string(), &absent)).await;
    }
    ch.confirm_select().await;
    ch.publish_confirmed(message()).await;
    assert_eq!((ch.drain(&near).await, ch.drain(&far).await), (vec!["m".to_owned()], vec![]));
}

/// 10,000 keys, and 30 topic exchanges of which each leads to the next.
#[tokio::test]
async fn very_many_keys_in_a_chain_of_topic_exchanges_refuse_a_publish() {
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (ch, near, _) = stage(&broker).await;
    let chain: Vec<String> = (0..30).map(|number| broker.name(&format!("x{number}"))).collect();
    for x in &chain {
        ch.declare_exchange(exchange(x, "topic")).await;
    }
    for pair in chain.windows(2) {
        ch.bind_exchange(&pair[1], &pair[0], "#").await;
    }
    let last = &chain[chain.len() - 1];
    ch.bind(&near, last, "#").await;
    let copies = Value::A((0..10_000).map(|number| S(number.to_string())).collect());
    let message = |x: &str| publish(x, "key", "m").header("CC", copies.clone());
    ch.publish_refused(message(&chain[0]), 406, TEXT).await;
    others_go_on(&broker, &ch, &near).await;
    // The same message has the last exchange alone to pass.
    ch.confirm_select().await;
    ch.publish_confirmed(message(last)).await;
    assert_eq!(ch.drain(&near).await, ["m"]);
}
