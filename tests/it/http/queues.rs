//! `/api/queues`.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::{Setup, TestBroker, q};
use crate::client::Value as Argument;
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{consume, eventually, publish, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_declared_once_and_compared_afterwards() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let path = format!("/api/queues/%2F/{name}");
    let body = json!({ "durable": true, "arguments": { "x-max-length": 5 } });
    assert_eq!(call(&api, "PUT", &path, &body), (201, Value::Null));
    assert_eq!(call(&api, "PUT", &path, &body), (204, Value::Null));
    let other = json!({ "durable": true, "arguments": { "x-max-length": 6 } });
    let text = format!("inequivalent arg 'x-max-length' for {}: received '6' but current is '5'", q(&name));
    assert_eq!(call(&api, "PUT", &path, &other), refused(400, "bad_request", &text));
    let found = api.get(&path);
    assert_eq!(found["arguments"], json!({ "x-max-length": 5, "x-queue-type": "classic" }));
    for (key, value) in [("durable", json!(true)), ("auto_delete", json!(false)), ("exclusive", json!(false))] {
        assert_eq!(found[key], value, "{key}");
    }
    for (key, value) in [("name", name.as_str()), ("vhost", "/"), ("type", "classic"), ("state", "running")] {
        assert_eq!(found[key], value, "{key}");
    }
    assert_eq!(call(&api, "DELETE", &path, &Value::Null).0, 204);
    assert_eq!(api.request("DELETE", &path, None), absent());
    assert_eq!(api.request("GET", &path, None), absent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_declared_is_refused_with_amqps_text() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let path = format!("/api/queues/%2F/{name}");
    let bad = |text: &str| refused(400, "bad_request", text);
    let ttl = format!("invalid arg 'x-message-ttl' for {}: \"expected integer, got longstr\"", q(&name));
    assert_eq!(call(&api, "PUT", &path, &json!({ "arguments": { "x-message-ttl": "a" } })), bad(&ttl));
    assert_eq!(call(&api, "PUT", &path, &json!({ "arguments": { "x-max-length": null } })), bad("null_not_allowed"));
    assert_eq!(call(&api, "PUT", &path, &json!([])), bad("not_json"));
    assert_eq!(api.send("PUT", &path, "{", &[]).json(), bad("not_json").1);
    let not_boolean = json!({ "error": "bad_request", "reason": ["not_boolean", "zzz"] });
    assert_eq!(call(&api, "PUT", &path, &json!({ "durable": "zzz" })), (400, not_boolean));
    let quorum = format!("invalid property 'non-durable' for {}", q(&name));
    let transient = json!({ "durable": false, "arguments": { "x-queue-type": "quorum" } });
    assert_eq!(call(&api, "PUT", &path, &transient), bad(&quorum));
    assert_eq!(call(&api, "PUT", "/api/queues/no-such/q", &json!({})), refused(404, "not_found", "vhost_not_found"));
    let reserved = refused(401, "not_authorised", "Access refused.");
    assert_eq!(call(&api, "PUT", "/api/queues/%2F/amq.mine", &json!({})), reserved);
}

/// Of a classic queue they are those of delivery mode 2, if it is durable; of a quorum queue all, counted with their properties.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn persistent_messages_are_counted() {
    let broker = Setup { http: true, on_disk: true, ..Setup::default() }.start().await;
    let (api, ch) = (broker.http(), broker.connect().await.channel(1).await);
    let expect = async |name: &str, messages: u64, bytes: u64| {
        eventually("they are counted", async || {
            let found = api.get(&format!("/api/queues/%2F/{name}"));
            let counted = ["messages_persistent", "message_bytes_persistent"].map(|key| found[key].as_u64());
            if counted == [Some(messages), Some(bytes)] { Ok(()) } else { Err(counted) }
        })
        .await;
    };
    let [classic, quorum, transient] = ["classic", "quorum", "transient"].map(|kind| broker.name(kind));
    ch.declare(queue(&classic).durable()).await;
    ch.declare(queue(&quorum).quorum()).await;
    ch.declare(queue(&transient).exclusive()).await;
    for name in [&classic, &quorum, &transient] {
        for mode in [1, 2, 2] {
            ch.publish(publish("", name, "hello").with(properties().delivery_mode(mode))).await;
        }
    }
    expect(&classic, 2, 10).await;
    expect(&quorum, 3, 3 * (5 + 3)).await;
    expect(&transient, 0, 0).await;
    // The transient one goes, then one of the others is unacknowledged, put back, and purged with the last.
    ch.get_no_ack(&classic).await.expect("a message");
    expect(&classic, 2, 10).await;
    let got = ch.get(&classic).await.expect("a message");
    expect(&classic, 2, 10).await;
    ch.reject(got.delivery_tag, true).await;
    let got = ch.get(&classic).await.expect("a message");
    ch.ack(got.delivery_tag).await;
    expect(&classic, 1, 5).await;
    ch.purge(&classic).await;
    expect(&classic, 0, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_that_wait_and_messages_held_back_are_told_of_quorum_queues() {
    let broker = TestBroker::with_http().await;
    let (api, ch) = (broker.http(), broker.connect().await.channel(1).await);
    let [owing, retrying] = ["owing", "retrying"].map(|name| broker.name(name));
    let declare = queue(&owing).quorum().arg("x-dead-letter-exchange", S("amq.fanout"));
    let declare = declare.arg("x-overflow", S("reject-publish")).arg("x-dead-letter-strategy", S("at-least-once"));
    ch.declare(declare).await;
    let minute = Argument::I(60_000);
    ch.declare(queue(&retrying).quorum().arg("x-delayed-retry-type", S("all")).arg("x-delayed-retry-min", minute))
        .await;
    for (name, requeue) in [(&owing, false), (&retrying, true)] {
        ch.publish(publish("", name, "m")).await;
        ch.expect_ready(name, 1).await;
        let got = ch.get(name).await.expect("a message");
        ch.reject(got.delivery_tag, requeue).await;
    }
    for (name, expected) in [(&owing, (1, 0)), (&retrying, (0, 1))] {
        eventually("it is told", async || {
            let found = api.get(&format!("/api/queues/%2F/{name}"));
            let told = (found["messages_dlx"].as_u64().unwrap(), found["messages_delayed"].as_u64().unwrap());
            if told == expected { Ok(()) } else { Err(told) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_may_be_conditional() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let path = format!("/api/queues/%2F/{name}");
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name).durable()).await;
    ch.publish(publish("", &name, "m")).await;
    ch.expect_ready(&name, 1).await;
    let not_empty = format!("{} not empty", q(&name));
    assert_eq!(api.request("DELETE", &format!("{path}?if-empty=true"), None), refused(400, "bad_request", &not_empty));
    assert_eq!(api.request("DELETE", &format!("{path}/contents"), None).0, 204);
    ch.expect_ready(&name, 0).await;
    ch.consume(consume(&name)).await;
    let in_use = format!("{} in use", q(&name));
    assert_eq!(api.request("DELETE", &format!("{path}?if-unused=true"), None), refused(400, "bad_request", &in_use));
    assert_eq!(api.request("DELETE", &path, None).0, 204);
}

/// RabbitMQ gives counts up to five seconds late; here they are true at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_tells_what_is_in_it_and_who_consumes() {
    // A rate is 0 as long as no statistics are taken after the first publish.
    let broker = Setup { http: true, manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name).durable()).await;
    for _ in 0..3 {
        ch.publish(publish("", &name, "message")).await;
    }
    ch.expect_ready(&name, 3).await;
    ch.qos(1).await;
    ch.consume(consume(&name).arg("x-priority", Argument::I(7)).arg("team", S("billing"))).await;
    ch.expect_deliver().await;
    let found = api.get(&format!("/api/queues/%2F/{name}"));
    let counts = ["messages", "messages_ready", "messages_unacknowledged", "consumers"].map(|key| found[key].clone());
    assert_eq!(counts, [3, 2, 1, 1]);
    assert_eq!(found["message_stats"]["publish"], 3);
    assert_eq!(found["message_stats"]["deliver_get"], 1);
    assert_eq!(found["message_stats"]["publish_details"]["rate"], 0.0);
    let consumer = &found["consumer_details"][0];
    assert_eq!(consumer["activity_status"], "blocked");
    assert_eq!((consumer["prefetch_count"].clone(), consumer["ack_required"].clone()), (json!(1), json!(true)));
    assert_eq!(consumer["channel_details"]["number"], 1);
    assert_eq!(consumer["arguments"], json!({ "x-priority": 7, "team": "billing" }));
    let all = api.get("/api/consumers");
    assert_eq!(all[0]["arguments"], consumer["arguments"]);
    assert_eq!(all[0]["queue"], json!({ "name": name, "vhost": "/" }));
    // Half an hour, as RabbitMQ tells even where nothing is waited for.
    assert_eq!(all[0]["consumer_timeout"], 1_800_000);
}
