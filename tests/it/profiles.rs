//! What differs between the versions of RabbitMQ that this broker can be like: each row of the table in `src/broker/profile.rs`,
//! with each of its cells (reference: 12). The columns 3.13 and 4.2 cannot be seen on a RabbitMQ 4.3.

use std::time::Duration;

use amq_protocol::protocol::basic::Qos;
use leveret::Compatibility::{self, V3_13, V4_2, V4_3};

use crate::broker::{Setup, TestBroker, q};
use crate::client::connection::PROTOCOL_HEADER;
use crate::client::table::{S, Table, args, take};
use crate::client::{Channel, Value, consume, exchange, publish, queue};

/// A broker of this profile with a clock that the test moves; none where a RabbitMQ is tested, which has no profiles.
async fn like(version: Compatibility) -> Option<(TestBroker, Channel)> {
    if crate::broker::rabbitmq_address().is_some() {
        return None;
    }
    let broker = Setup::default().like(version).manual_clock().start().await;
    let ch = broker.connect().await.channel(1).await;
    Some((broker, ch))
}

/// reference: 12, the version that clients are told
#[tokio::test]
async fn the_version_is_that_of_the_profile() {
    for (version, expected) in [(V3_13, "3.13.7"), (V4_2, "4.2.5"), (V4_3, "4.3.6")] {
        let Some((broker, _ch)) = like(version).await else { return };
        let connection = broker.raw().await;
        connection.write(PROTOCOL_HEADER).await;
        let frame = connection.any_frame().await;
        let bytes = &mut frame.payload.as_slice();
        assert_eq!(take(bytes), [0, 10, 0, 10, 0, 9]);
        assert_eq!(Table::decode(bytes).get("version"), Some(&S(expected)));
    }
}

/// reference: 12, channel-wide prefetch
#[tokio::test]
async fn a_channel_wide_prefetch_is_honoured_before_4_3() {
    for (version, is_shared) in [(V3_13, true), (V4_2, true), (V4_3, false)] {
        let Some((broker, ch)) = like(version).await else { return };
        let name = broker.name("q");
        ch.declare(queue(&name).exclusive()).await;
        for body in ["0", "1", "2", "3", "4"] {
            ch.publish(publish("", &name, body)).await;
        }
        ch.call(Qos { prefetch_count: 2, global: true }).await;
        ch.consume(consume(&name)).await;
        ch.expect_bodies(&["0", "1"]).await;
        ch.consume(consume(&name)).await;
        if !is_shared {
            ch.expect_bodies(&["2", "3"]).await;
        }
        ch.expect_nothing().await;
    }
}

/// reference: 12, what is deprecated: transient queues and the locator of masters
#[tokio::test]
async fn deprecated_features_are_permitted_or_denied() {
    for (version, is_permitted) in [(V3_13, true), (V4_2, true), (V4_3, false)] {
        let Some((broker, ch)) = like(version).await else { return };
        ch.declare(queue(&broker.name("transient"))).await;
        let declare = queue(&broker.name("q")).exclusive().arg("x-queue-master-locator", S("client-local"));
        if is_permitted {
            ch.declare(declare).await;
        } else {
            let connection = broker.connect().await;
            connection.channel(1).await.send(declare).await;
            let text = "INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.\nBy default, this feature is not permitted \
                        anymore.\nThe feature will be removed from a future major RabbitMQ version, regardless of the \
                        configuration; actual version to be determined.\nTo con...";
            connection.expect_close(541, text, (50, 10)).await;
        }
        let name = broker.name("quorum");
        let declare = queue(&name).quorum().arg("x-queue-master-locator", S("client-local"));
        let text = format!(
            "PRECONDITION_FAILED - invalid arg 'x-queue-master-locator' for {} of queue type rabbit_quorum_queue",
            q(&name)
        );
        ch.refused(declare, 406, &text).await;
    }
}

/// reference: 12, an unknown type of exchange
#[tokio::test]
async fn an_unknown_exchange_type_closes_the_connection_in_3_13() {
    for version in Compatibility::ALL {
        let Some((broker, _ch)) = like(version).await else { return };
        for (kind, what) in [("bogus", "unknown"), ("system", "invalid"), ("", "invalid")] {
            let connection = broker.connect().await;
            let ch = connection.channel(1).await;
            ch.send(exchange(&broker.name("x"), kind)).await;
            let text = format!("{what} exchange type '{kind}'");
            if version == V3_13 {
                connection.expect_close(503, &format!("COMMAND_INVALID - {text}"), (40, 10)).await;
            } else {
                ch.expect_close(406, &format!("PRECONDITION_FAILED - {text}"), (40, 10)).await;
            }
        }
    }
}

/// reference: 12, x-queue-mode
#[tokio::test]
async fn a_queue_mode_is_checked_before_4_3() {
    for (version, is_checked) in [(V3_13, true), (V4_2, true), (V4_3, false)] {
        let Some((broker, ch)) = like(version).await else { return };
        let declare = |mode: Value| queue(&broker.name("q")).exclusive().arg("x-queue-mode", mode);
        for mode in ["default", "lazy"] {
            ch.declare(declare(S(mode))).await;
        }
        for (mode, reason) in
            [(S("bogus"), "\"unsupported queue mode 'bogus'\""), (Value::I(5), "{unacceptable_type,signedint}")]
        {
            if !is_checked {
                ch.declare(declare(mode)).await;
                continue;
            }
            let name = broker.name("q");
            let text = format!("PRECONDITION_FAILED - invalid arg 'x-queue-mode' for {}: {reason}", q(&name));
            ch.refused(queue(&name).exclusive().arg("x-queue-mode", mode), 406, &text).await;
        }
    }
}

/// reference: 12, x-queue-version
#[tokio::test]
async fn queue_version_1_is_known_before_4_3() {
    for (version, knows_1) in [(V3_13, true), (V4_2, true), (V4_3, false)] {
        let Some((broker, ch)) = like(version).await else { return };
        for (number, is_known) in [(1, knows_1), (2, true), (3, false)] {
            let name = broker.name("q");
            let declare = queue(&name).exclusive().arg("x-queue-version", Value::I(number));
            if is_known {
                ch.declare(declare).await;
            } else {
                let text = format!(
                    "PRECONDITION_FAILED - invalid arg 'x-queue-version' for {}: \"unsupported queue version '{number}'\"",
                    q(&name)
                );
                ch.refused(declare, 406, &text).await;
            }
        }
    }
}

/// Takes a message `times` times and returns it with nack; the `x-delivery-count` and `x-acquired-count` of each delivery.
async fn nacked(ch: &Channel, name: &str, times: usize) -> Vec<[Option<Value>; 2]> {
    let mut counts = Vec::new();
    while counts.len() < times {
        let Some(delivery) = ch.get(name).await else { break };
        let headers = delivery.headers();
        counts.push(["x-delivery-count", "x-acquired-count"].map(|header| headers.get(header).cloned()));
        ch.nack(delivery.delivery_tag, true).await;
    }
    counts
}

/// reference: 12, what counts towards the delivery limit
#[tokio::test]
async fn a_nack_counts_towards_the_delivery_limit_before_4_3() {
    for (version, counts) in [(V3_13, true), (V4_2, true), (V4_3, false)] {
        let Some((broker, ch)) = like(version).await else { return };
        let name = broker.name("q");
        ch.declare(queue(&name).quorum().arg("x-delivery-limit", Value::I(2))).await;
        ch.publish(publish("", &name, "m")).await;
        ch.expect_ready(&name, 1).await;
        let seen = nacked(&ch, &name, 4).await;
        let one = |number| Some(Value::l(number));
        let expected = if counts {
            vec![[None, None], [one(1), None], [one(2), None]]
        } else {
            vec![[None, None], [None, one(1)], [None, one(2)], [None, one(3)]]
        };
        assert_eq!(seen, expected, "{version:?}");
    }
}

/// reference: 12, the default delivery limit
#[tokio::test]
async fn quorum_queues_of_3_13_have_no_delivery_limit_by_default() {
    for (version, deliveries) in [(V3_13, 40), (V4_2, 21), (V4_3, 21)] {
        let Some((broker, ch)) = like(version).await else { return };
        let name = broker.name("q");
        ch.declare(queue(&name).quorum()).await;
        ch.publish(publish("", &name, "m")).await;
        ch.expect_ready(&name, 1).await;
        let mut seen = 0;
        while seen < 40
            && let Some(delivery) = ch.get(&name).await
        {
            seen += 1;
            ch.reject(delivery.delivery_tag, true).await;
        }
        assert_eq!(seen, deliveries, "{version:?}");
    }
}

/// reference: 12, deliveries time out on every type, after half an hour by default; in 4.3 on quorum queues only
#[tokio::test]
async fn deliveries_of_every_type_time_out_before_4_3() {
    for version in Compatibility::ALL {
        for is_quorum in [false, true] {
            let Some((broker, ch)) = like(version).await else { return };
            let name = broker.name("q");
            ch.declare(if is_quorum { queue(&name).quorum() } else { queue(&name).durable() }).await;
            ch.consume(consume(&name).tag("t")).await;
            ch.publish(publish("", &name, "m")).await;
            ch.expect_deliver().await;
            broker.pass(Duration::from_secs(1790)).await;
            ch.expect_nothing().await;
            broker.pass(Duration::from_secs(20)).await;
            match (version, is_quorum) {
                (V4_3, false) => ch.expect_nothing().await,
                (V4_3, true) => ch.expect_cancelled("t").await,
                (V3_13 | V4_2, _) => ch.expect_close(406, &timed_out("1800000"), (0, 0)).await,
            }
            let ready = u32::from(version != V4_3 || is_quorum);
            broker.connect().await.channel(1).await.expect_ready(&name, ready).await;
        }
    }
}

fn timed_out(timeout_ms: &str) -> String {
    format!(
        "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: {timeout_ms} ms. This timeout \
         value can be configured, see consumers doc guide to learn more"
    )
}

/// reference: 12, x-consumer-timeout on classic queues
#[tokio::test]
async fn a_classic_queue_has_a_consumer_timeout_before_4_3() {
    for version in Compatibility::ALL {
        let Some((broker, ch)) = like(version).await else { return };
        let name = broker.name("q");
        let declare = queue(&name).durable().arg("x-consumer-timeout", Value::I(1000));
        if version == V4_3 {
            let text = format!(
                "PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for {} of queue type rabbit_classic_queue",
                q(&name)
            );
            ch.refused(declare, 406, &text).await;
            continue;
        }
        ch.declare(declare).await;
        ch.publish(publish("", &name, "m")).await;
        ch.expect_ready(&name, 1).await;
        ch.get(&name).await.unwrap();
        broker.pass(Duration::from_secs(2)).await;
        ch.expect_close(406, &timed_out("1000"), (0, 0)).await;
        broker.connect().await.channel(1).await.expect_ready(&name, 1).await;
    }
}

/// A debugger may hold a consumer up for longer than half an hour.
#[tokio::test]
async fn the_default_timeout_can_be_turned_off_and_a_queues_own_stays() {
    if crate::broker::rabbitmq_address().is_some() {
        return;
    }
    let broker = Setup { no_consumer_timeout: true, ..Setup::default() }.manual_clock().start().await;
    let ch = broker.connect().await.channel(1).await;
    let (patient, own) = (broker.name("patient"), broker.name("own"));
    ch.declare(queue(&patient).quorum()).await;
    ch.declare(queue(&own).durable().arg("x-consumer-timeout", Value::I(1000))).await;
    ch.consume(consume(&patient)).await;
    ch.publish(publish("", &patient, "m")).await;
    ch.expect_deliver().await;
    broker.pass(Duration::from_secs(86_400)).await;
    ch.expect_nothing().await;
    ch.consume(consume(&own)).await;
    ch.publish(publish("", &own, "m")).await;
    ch.expect_deliver().await;
    broker.pass(Duration::from_secs(2)).await;
    ch.expect_close(406, &timed_out("1000"), (0, 0)).await;
}

/// reference: 12, `#` in binding keys
#[tokio::test]
async fn a_binding_key_may_have_any_number_of_hashes_before_4_3() {
    for version in Compatibility::ALL {
        let Some((broker, ch)) = like(version).await else { return };
        let name = broker.name("q");
        ch.declare(queue(&name).exclusive()).await;
        if version == V4_3 {
            let text =
                "PRECONDITION_FAILED - Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed";
            ch.refused(crate::client::method::bind(&name, "amq.topic", "#.a.#.b.#", &args([]), false), 406, text).await;
            continue;
        }
        ch.bind(&name, "amq.topic", "#.a.#.b.#").await;
        ch.publish(publish("amq.topic", "x.b.a.x.b", "yes")).await;
        ch.publish(publish("amq.topic", "x.b.x.a", "no")).await;
        assert_eq!(ch.get_eventually(&name).await.text(), "yes");
        ch.expect_ready(&name, 0).await;
    }
}

/// reference: 12, x-death of a message that a client publishes again
#[tokio::test]
async fn deaths_in_what_a_client_publishes_count_in_3_13() {
    for (version, expected) in [(V3_13, [1, 2, 3]), (V4_2, [1, 1, 1]), (V4_3, [1, 1, 1])] {
        let Some((broker, ch)) = like(version).await else { return };
        let (work, dead) = (broker.name("work"), broker.name("dead"));
        let declare = queue(&work).exclusive().arg("x-dead-letter-exchange", S(""));
        ch.declare(declare.arg("x-dead-letter-routing-key", S(&dead))).await;
        ch.declare(queue(&dead).exclusive()).await;
        let mut message = publish("", &work, "m");
        let mut counts = Vec::new();
        for _ in 0..3 {
            ch.publish(message).await;
            ch.expect_ready(&work, 1).await;
            let delivery = ch.get(&work).await.unwrap();
            ch.reject(delivery.delivery_tag, false).await;
            let letter = ch.get_eventually(&dead).await;
            let headers = letter.headers();
            let Some(Value::A(deaths)) = headers.get("x-death") else { panic!("{headers:?}") };
            let [Value::F(death)] = &deaths[..] else { panic!("{deaths:?}") };
            counts.push(death.get("count").cloned());
            message = publish("", &work, "m").header("x-death", headers.get("x-death").unwrap().clone());
        }
        assert_eq!(counts, expected.map(|count| Some(Value::l(count))), "{version:?}");
    }
}
