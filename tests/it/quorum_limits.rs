//! What takes a place in a quorum queue: ready messages, those held back by delayed retry, and dead letters that wait; and how long
//! they are held back (reference: 6.1, 6.5).

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::table::S;
use crate::client::{Channel, Value, publish, queue};

/// Publishes one, and waits for its confirm; whether the queue took it.
async fn is_taken(ch: &Channel, name: &str, body: &str) -> bool {
    ch.publish(publish("", name, body)).await;
    ch.expect_confirm().await.ack
}

async fn channel(broker: &TestBroker) -> Channel {
    let ch = broker.connect().await.channel(1).await;
    ch.confirm_select().await;
    ch
}

/// reference: 6.5 delayed retry: the delay grows with failed deliveries only, and its maximum is its minimum unless given
#[tokio::test]
async fn the_delay_grows_with_failures() {
    let broker = TestBroker::with_clock().await;
    let ch = channel(&broker).await;
    for (max, delays) in [(None, [400, 400, 400, 400, 400]), (Some(1_000), [400, 400, 400, 800, 1_000])] {
        let name = broker.name("q");
        let declare = queue(&name).quorum().arg("x-delayed-retry-type", S("all"));
        let declare = declare.arg("x-delayed-retry-min", Value::I(400));
        ch.declare(match max {
            Some(max) => declare.arg("x-delayed-retry-max", Value::I(max)),
            None => declare,
        })
        .await;
        assert!(is_taken(&ch, &name, "m").await);
        for (delay_ms, fails) in delays.into_iter().zip([false, false, true, true, true]) {
            ch.expect_ready(&name, 1).await;
            let tag = ch.get(&name).await.unwrap().delivery_tag;
            if fails {
                ch.reject(tag, true).await;
            } else {
                ch.nack(tag, true).await;
            }
            ch.sync().await;
            broker.pass(Duration::from_millis(delay_ms - 150)).await;
            assert_eq!(ch.get(&name).await, None, "max {max:?}, after {delay_ms} ms");
            broker.pass(Duration::from_millis(160)).await;
        }
        ch.expect_ready(&name, 1).await;
    }
}
