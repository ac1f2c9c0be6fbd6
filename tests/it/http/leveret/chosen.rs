//! Chosen messages are deleted or moved, dead letters sent back, queues paused, virtual hosts reset.

use serde_json::{Value, json};

use super::super::call;
use crate::broker::{Management, Setup, TestBroker};
use crate::client::{Channel, args, consume, eventually, exchange, properties::properties, publish, queue, table::S};

fn path(name: &str, rest: &str) -> String {
    format!("/api/leveret/queues/%2F/{name}/{rest}")
}

fn payloads(api: &Management, name: &str) -> Vec<String> {
    let found = api.get(&path(name, "peek?limit=500"));
    let messages = found["messages"].as_array().unwrap().iter();
    messages.map(|message| message["payload"].as_str().unwrap().to_owned()).collect()
}

async fn filled(ch: &Channel, name: &str, bodies: &[&str]) {
    ch.declare(queue(name).durable()).await;
    ch.confirm_select().await;
    for body in bodies {
        ch.publish_confirmed(publish("", name, body).with(properties().delivery_mode(2))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chosen_messages_are_deleted_and_no_others() {
    let broker = Setup { http: true, on_disk: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    filled(&ch, &name, &["a", "b", "c", "d"]).await;
    let chosen =
        json!({ "messages": [{ "position": 1, "id": 1 }, { "position": 3, "id": 3 }, { "position": 0, "id": 99 }] });
    let (status, found) = call(&api, "POST", &path(&name, "messages/delete"), &chosen);
    assert_eq!((status, found), (200, json!({ "deleted": [1, 3], "not_found": [99] })));
    assert_eq!(payloads(&api, &name), ["a", "c"]);
    let (_, found) = call(&api, "POST", &path(&name, "messages/delete"), &chosen);
    assert_eq!(found, json!({ "deleted": [], "not_found": [1, 3, 99] }));
    let delivery = ch.get(&name).await.unwrap();
    assert_eq!((delivery.text().as_str(), delivery.redelivered), ("a", false));
    for wrong in [
        json!({}),
        json!({ "messages": [] }),
        json!({ "messages": [{ "position": 0 }] }),
        json!({ "messages": [{ "id": 1, "position": 65536 }] }),
    ] {
        assert_eq!(call(&api, "POST", &path(&name, "messages/delete"), &wrong).0, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chosen_messages_are_moved_as_they_are() {
    let broker = Setup { http: true, on_disk: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name, other) = (broker.http(), broker.name("q"), broker.name("other"));
    let ch = broker.connect().await.channel(1).await;
    filled(&ch, &name, &["a", "b", "c"]).await;
    ch.declare(
        queue(&other).durable().arg("x-max-length", crate::client::Value::I(1)).arg("x-overflow", S("reject-publish")),
    )
    .await;
    let chosen = |ids: &[u64]| ids.iter().map(|id| json!({ "position": 0, "id": id })).collect::<Value>();
    let body = json!({ "messages": chosen(&[1, 2, 77]), "queue": other });
    let (status, found) = call(&api, "POST", &path(&name, "messages/move"), &body);
    // The other queue takes one message only.
    assert_eq!((status, found), (200, json!({ "moved": [1], "not_found": [77], "refused": [2] })));
    assert_eq!((payloads(&api, &name), payloads(&api, &other)), (vec!["a".into(), "c".into()], vec!["b".into()]));
    let unbound = broker.name("x");
    ch.declare_exchange(exchange(&unbound, "fanout")).await;
    let body = json!({ "messages": chosen(&[0]), "exchange": unbound });
    let (_, found) = call(&api, "POST", &path(&name, "messages/move"), &body);
    assert_eq!(found, json!({ "moved": [], "not_found": [], "refused": [0] }));
    ch.purge(&other).await;
    ch.bind(&other, "amq.direct", "k").await;
    let body = json!({ "messages": chosen(&[2]), "exchange": "amq.direct", "routing_key": "k" });
    let (_, found) = call(&api, "POST", &path(&name, "messages/move"), &body);
    assert_eq!(found["moved"], json!([2]));
    let delivery = ch.get(&other).await.unwrap();
    assert_eq!(
        (delivery.text().as_str(), delivery.redelivered, delivery.properties.delivery_mode),
        ("c", false, Some(2))
    );
    let refused = |body: Value| call(&api, "POST", &path(&name, "messages/move"), &body).0;
    assert_eq!(refused(json!({ "messages": chosen(&[0]), "queue": name })), 400);
    assert_eq!(refused(json!({ "messages": chosen(&[0]), "queue": "no-such" })), 404);
    assert_eq!(refused(json!({ "messages": chosen(&[0]), "exchange": "no-such" })), 404);
    assert_eq!(refused(json!({ "messages": chosen(&[0]) })), 400);
    api.create_user("reader", "r", "management");
    api.permit("reader", "/", "", "", ".*");
    let reader = api.clone().log_in("reader", "r");
    let (status, _) =
        call(&reader, "POST", &path(&name, "messages/move"), &json!({ "messages": chosen(&[0]), "queue": other }));
    assert_eq!(status, 401);
    assert_eq!(payloads(&api, &name), ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_go_back_to_where_they_died() {
    let broker = Setup { http: true, on_disk: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name, dead) = (broker.http(), broker.name("q"), broker.name("dead"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&dead).durable()).await;
    let dead_lettering = args([("x-dead-letter-exchange", S("")), ("x-dead-letter-routing-key", S(&dead))]);
    ch.declare(queue(&name).durable().args(dead_lettering)).await;
    ch.bind(&name, "amq.direct", "k").await;
    ch.publish(publish("", &dead, "never died")).await;
    for body in ["a", "b", "c"] {
        ch.publish(publish("amq.direct", "k", body)).await;
        ch.expect_ready(&name, 1).await;
        let delivery = ch.get(&name).await.unwrap();
        ch.reject(delivery.delivery_tag, false).await;
        ch.sync().await;
    }
    ch.expect_ready(&dead, 4).await;
    let redrive = |body: Value| {
        let (status, found) = call(&api, "POST", &path(&dead, "redrive"), &body);
        assert_eq!(status, 200, "{found}");
        found
    };
    let dry = redrive(json!({ "dry_run": true }));
    let expected = json!({
        "dry_run": true, "examined": 4, "redriven": 3, "skipped": 1,
        "destinations": [{ "exchange": "", "routing_key": name, "count": 3 }],
        "reasons": [{ "reason": "the message has no x-death header", "count": 1 }],
    });
    assert_eq!(dry, expected);
    assert_eq!(payloads(&api, &dead), ["never died", "a", "b", "c"], "a dry run changes nothing");
    let one = redrive(json!({ "limit": 1 }));
    assert_eq!((&one["redriven"], &one["examined"]), (&json!(1), &json!(2)));
    assert_eq!(
        (payloads(&api, &dead), payloads(&api, &name)),
        (vec!["never died".into(), "b".into(), "c".into()], vec!["a".into()])
    );
    let none = redrive(json!({ "filter": { "reason": "expired" } }));
    assert_eq!((&none["redriven"], &none["skipped"]), (&json!(0), &json!(3)));
    let rest = redrive(
        json!({ "to": "exchange", "filter": { "reason": "rejected", "queue": name, "exchange": "amq.direct" } }),
    );
    assert_eq!(rest["destinations"], json!([{ "exchange": "amq.direct", "routing_key": "k", "count": 2 }]));
    assert_eq!(
        (payloads(&api, &dead), payloads(&api, &name)),
        (vec!["never died".into()], vec!["a".into(), "b".into(), "c".into()])
    );
    let named = redrive(json!({ "destination_queue": name }));
    assert_eq!(named["redriven"], 1);
    assert_eq!(payloads(&api, &name).last().unwrap(), "never died");
    let refused = |body: Value| call(&api, "POST", &path(&dead, "redrive"), &body).0;
    assert_eq!(refused(json!({ "to": "moon" })), 400);
    assert_eq!(refused(json!({ "filter": { "colour": "red" } })), 400);
    assert_eq!(refused(json!({ "filter": { "reason": "reject" } })), 400);
    let (status, found) = call(&api, "POST", &path(&dead, "redrive"), &json!({ "dry-run": true }));
    let reason = json!("there is no key 'dry-run'; did you mean 'dry_run'?");
    assert_eq!((status, &found["reason"]), (400, &reason), "a misspelt dry run must not be done in earnest");
    assert_eq!(refused(json!({ "limit": 0 })), 400);
    assert_eq!(refused(json!({ "destination_queue": dead })), 400);
    assert_eq!(refused(json!({ "destination_queue": "no-such" })), 404);
}

/// More messages than one step handles, most of which stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_is_gone_through_once() {
    let broker = Setup { http: true, on_disk: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name, other) = (broker.http(), broker.name("q"), broker.name("other"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name).durable()).await;
    ch.declare(queue(&other).durable()).await;
    ch.bind(&name, "amq.topic", "#").await;
    for number in 0..1_000 {
        let key = if number % 3 == 0 { "third" } else { "other" };
        ch.publish(publish("amq.topic", key, number.to_string())).await;
    }
    ch.expect_ready(&name, 1_000).await;
    let body = json!({ "destination_queue": other, "filter": { "routing_key": "third" } });
    let (_, found) = call(&api, "POST", &path(&name, "redrive"), &body);
    assert_eq!((&found["examined"], &found["redriven"], &found["skipped"]), (&json!(1_000), &json!(334), &json!(666)));
    let expected: Vec<_> = (0..1_000).filter(|number| number % 3 == 0).map(|number| number.to_string()).collect();
    assert_eq!(payloads(&api, &other), expected);
    assert_eq!(ch.counts(&name).await.0, 666);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_queue_delivers_nothing_until_it_is_resumed() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name)).await;
    let state = || api.get(&format!("/api/queues/%2F/{name}"))["state"].clone();
    assert_eq!(state(), "running");
    assert_eq!(call(&api, "PUT", &path(&name, "pause"), &Value::Null).0, 204);
    assert_eq!(call(&api, "PUT", &path(&name, "pause"), &Value::Null).0, 204);
    assert_eq!(state(), "paused");
    ch.consume(consume(&name)).await;
    ch.publish(publish("", &name, "a")).await;
    ch.publish(publish("", &name, "b")).await;
    ch.expect_ready(&name, 2).await;
    let getter = broker.connect().await.channel(1).await;
    assert!(getter.get(&name).await.is_none());
    ch.expect_nothing().await;
    assert_eq!(payloads(&api, &name), ["a", "b"]);
    assert_eq!(call(&api, "PUT", &path(&name, "resume"), &Value::Null).0, 204);
    ch.expect_bodies(&["a", "b"]).await;
    assert_eq!(state(), "running");
    api.create_user("watcher", "w", "monitoring");
    api.permit("watcher", "/", ".*", ".*", ".*");
    assert_eq!(call(&api.clone().log_in("watcher", "w"), "PUT", &path(&name, "pause"), &Value::Null).0, 401);
    assert_eq!(call(&api, "PUT", &path("no-such", "pause"), &Value::Null).0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_virtual_host_is_as_new() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    api.put("/api/vhosts/stage", &json!({ "description": "for tests" }));
    api.permit("guest", "stage", ".*", ".*", ".*");
    let connection = broker.connect_with().vhost("stage").open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("q").durable()).await;
    ch.declare_exchange(exchange("x", "fanout").durable()).await;
    ch.bind("q", "amq.topic", "#").await;
    ch.bind_exchange("amq.fanout", "amq.topic", "#").await;
    ch.publish(publish("", "q", "a")).await;
    ch.publish(publish("", "q", "b")).await;
    ch.expect_ready("q", 2).await;
    let (status, found) = call(&api, "POST", "/api/leveret/vhosts/stage/reset", &Value::Null);
    let expected =
        json!({ "connections": 1, "queues": 1, "messages": 2, "exchanges": 1, "policies": 0, "parameters": 0 });
    assert_eq!((status, found), (200, expected));
    connection.expect_close(320, "CONNECTION_FORCED - vhost 'stage' is reset", (0, 0)).await;
    assert_eq!(api.get("/api/queues/stage"), json!([]));
    assert_eq!(api.get("/api/bindings/stage"), json!([]));
    assert_eq!(api.get("/api/exchanges/stage").as_array().unwrap().len(), 7);
    assert_eq!(api.get("/api/vhosts/stage")["description"], "for tests");
    eventually("the connection is gone", async || {
        let left = api.get("/api/vhosts/stage/connections");
        if left == json!([]) { Ok(()) } else { Err(left) }
    })
    .await;
    // guest may still enter, and declare the same with other properties.
    let ch = broker.connect_with().vhost("stage").open().await.channel(1).await;
    ch.declare(queue("q")).await;
    assert_eq!(call(&api, "POST", "/api/vhosts/stage/deletion/protection", &json!({})).0, 204);
    assert_eq!(call(&api, "POST", "/api/leveret/vhosts/stage/reset", &Value::Null).0, 412);
    api.create_user("policymaker", "p", "policymaker");
    let policymaker = api.clone().log_in("policymaker", "p");
    assert_eq!(call(&policymaker, "POST", "/api/leveret/vhosts/stage/reset", &Value::Null).0, 401);
}
