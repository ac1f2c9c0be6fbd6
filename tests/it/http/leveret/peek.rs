//! Messages that are looked at, and stay as they are.

use serde_json::{Value, json};

use super::super::call;
use crate::broker::{Setup, TestBroker};
use crate::client::{args, consume, properties::properties, publish, queue, table::S};

fn picked(messages: &Value, keys: &[&str]) -> Vec<Vec<Value>> {
    let of = |message: &Value| keys.iter().map(|key| message[*key].clone()).collect();
    messages.as_array().unwrap().iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_messages_are_seen_in_order_and_nothing_changes() {
    // Ages would grow between two looks.
    let broker = Setup { http: true, manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name).durable()).await;
    for number in 0..5 {
        let with = properties().delivery_mode(2).headers(args([("n", S(number.to_string()))]));
        ch.publish(publish("", &name, format!("body {number}")).with(with)).await;
    }
    ch.publish(publish("", &name, [0xff, 0x00]).expiration("600000")).await;
    ch.expect_ready(&name, 6).await;
    let path = format!("/api/leveret/queues/%2F/{name}/peek");
    let first = api.get(&path);
    assert_eq!(first, api.get(&path), "a look changes nothing");
    assert_eq!(
        [&first["vhost"], &first["queue"], &first["state"], &first["offset"], &first["total"], &first["next_offset"]],
        [&json!("/"), &json!(name), &json!("ready"), &json!(0), &json!(6), &Value::Null]
    );
    let keys = ["position", "id", "payload", "payload_encoding", "redelivered", "persistent", "on_disk", "routing_key"];
    let seen = picked(&first["messages"], &keys);
    let third = json!([2, 2, "body 2", "string", false, true, false, name]);
    assert_eq!(Value::from(seen[2].clone()), third);
    assert_eq!(first["messages"][1]["properties"], json!({ "delivery_mode": 2, "headers": { "n": "1" } }));
    assert_eq!(first["messages"][5]["payload_encoding"], "base64");
    assert!(first["messages"][5]["expires_at"].is_u64());
    let part = api.get(&format!("{path}?offset=2&limit=2&truncate=4&encoding=base64"));
    let keys = ["position", "payload", "payload_encoding", "payload_bytes", "payload_truncated"];
    assert_eq!(
        picked(&part["messages"], &keys),
        [2, 3].map(|position| vec![json!(position), json!("Ym9keQ=="), json!("base64"), json!(6), json!(true)])
    );
    assert_eq!((&part["next_offset"], &part["total"]), (&json!(4), &json!(6)));
    // The first consumer still gets the first message, for the first time.
    let delivery = ch.get(&name).await.unwrap();
    assert_eq!((delivery.text().as_str(), delivery.redelivered), ("body 0", false));
    let beyond = api.get(&format!("{path}?offset=100"));
    assert_eq!((&beyond["messages"], &beyond["total"]), (&json!([]), &json!(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unacked_messages_are_seen_with_who_has_them() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let connection = broker.connect().await;
    let local = connection.local_address();
    let ch = connection.channel(1).await;
    ch.declare(queue(&name)).await;
    for body in ["a", "b", "c"] {
        ch.publish(publish("", &name, body)).await;
    }
    ch.get(&name).await.unwrap();
    ch.qos(1).await;
    ch.consume(consume(&name).tag("worker")).await;
    ch.expect_deliver().await;
    let found = api.get(&format!("/api/leveret/queues/%2F/{name}/peek?state=unacked"));
    let name_of = format!("{local} -> {}", broker.address());
    let holder =
        |tag: Value| json!({ "consumer_tag": tag, "connection": name_of, "channel": format!("{name_of} (1)") });
    let mut seen = picked(&found["messages"], &["payload", "consumer", "redelivered"]);
    seen.sort_by_key(|message| message[0].as_str().map(str::to_owned));
    // It would be delivered as redelivered from now on.
    assert_eq!(
        seen,
        [vec![json!("a"), holder(Value::Null), json!(true)], vec![json!("b"), holder(json!("worker")), json!(true)]]
    );
    assert_eq!(found["total"], 2);
    let ready = api.get(&format!("/api/leveret/queues/%2F/{name}/peek"));
    assert_eq!(picked(&ready["messages"], &["payload"]), [[json!("c")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_say_where_they_died() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name, dead) = (broker.http(), broker.name("q"), broker.name("dead"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&dead)).await;
    let dead_lettering = args([("x-dead-letter-exchange", S("")), ("x-dead-letter-routing-key", S(&dead))]);
    ch.declare(queue(&name).args(dead_lettering)).await;
    ch.publish(publish("", &name, "x")).await;
    let delivery = ch.get(&name).await.unwrap();
    ch.reject(delivery.delivery_tag, false).await;
    ch.expect_ready(&dead, 1).await;
    let found = api.get(&format!("/api/leveret/queues/%2F/{dead}/peek"));
    let death = &found["messages"][0]["deaths"][0];
    let known = ["queue", "reason", "exchange", "routing_keys", "count"].map(|key| death[key].clone());
    assert_eq!(known, [json!(name), json!("rejected"), json!(""), json!([name]), json!(1)]);
    assert!(death["at"].as_u64().unwrap() > 1_500_000_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_read_the_queue_sees_nothing_of_it() {
    let broker = Setup { http: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name)).await;
    api.create_user("writer", "w", "management");
    let path = format!("/api/leveret/queues/%2F/{name}/peek");
    let writer = api.clone().log_in("writer", "w");
    assert_eq!(call(&writer, "GET", &path, &Value::Null).0, 404, "the virtual host is not the writer's");
    api.permit("writer", "/", "", ".*", "");
    assert_eq!(call(&writer, "GET", &path, &Value::Null).0, 401);
    api.permit("writer", "/", "", "", ".*");
    assert_eq!(call(&writer, "GET", &path, &Value::Null).0, 200);
    assert_eq!(call(&api, "GET", "/api/leveret/queues/%2F/no-such/peek", &Value::Null).0, 404);
    for query in ["state=gone", "limit=0", "limit=501", "offset=-1", "truncate=1048577", "encoding=x"] {
        let (status, refusal) = call(&api, "GET", &format!("{path}?{query}"), &Value::Null);
        let key = query.split('=').next().unwrap();
        assert!(status == 400 && refusal["reason"].as_str().unwrap().contains(key), "{query}: {refusal}");
    }
    assert_eq!(call(&api, "POST", &path, &json!({})).0, 405);
}
