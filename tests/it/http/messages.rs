//! Publishing and fetching by hand.

use serde_json::{Value, json};

use super::{call, refused};
use crate::broker::TestBroker;
use crate::client::queue;

const PUBLISH: &str = "/api/exchanges/%2F/amq.default/publish";

fn message(key: &str, payload: &str) -> Value {
    json!({ "routing_key": key, "properties": {}, "payload": payload, "payload_encoding": "string" })
}

fn fetch(count: u32, ackmode: &str) -> Value {
    json!({ "count": count, "ackmode": ackmode, "encoding": "auto" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_in_and_comes_out_as_it_was() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name).durable()).await;
    let properties = json!({
        "headers": { "a": 1, "b": "text" }, "delivery_mode": 2, "priority": 3, "timestamp": 1_600_000_000,
        "type": "kind", "message_id": "m", "correlation_id": "c", "content_type": "text/plain",
    });
    let mut sent = message(&name, "eA==");
    sent["payload_encoding"] = json!("base64");
    sent["properties"] = properties.clone();
    assert_eq!(call(&api, "POST", PUBLISH, &sent), (200, json!({ "routed": true })));
    assert_eq!(call(&api, "POST", PUBLISH, &message("no-such", "x")), (200, json!({ "routed": false })));
    let path = format!("/api/queues/%2F/{name}/get");
    let (status, found) = call(&api, "POST", &path, &fetch(5, "ack_requeue_true"));
    assert_eq!((status, found.as_array().unwrap().len()), (200, 1));
    let expected = json!([{
        "payload_bytes": 1, "redelivered": false, "exchange": "", "routing_key": name, "message_count": 0,
        "properties": properties, "payload": "x", "payload_encoding": "string",
    }]);
    assert_eq!(found, expected);
    // It was put back, and is delivered again.
    ch.expect_ready(&name, 1).await;
    let mut again = fetch(1, "ack_requeue_false");
    again["truncate"] = json!(0);
    again["encoding"] = json!("base64");
    let (_, found) = call(&api, "POST", &path, &again);
    let seen = ["redelivered", "payload", "payload_encoding", "payload_bytes"].map(|key| found[0][key].clone());
    assert_eq!(seen, [json!(true), json!(""), json!("base64"), json!(1)]);
    assert_eq!(call(&api, "POST", &path, &fetch(1, "ack_requeue_false")), (200, json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_amqp_refuses_is_refused_with_its_code() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    call(&api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({}));
    let bad = |text: &str| refused(400, "bad_request", text);
    let with = |key: &str, value: Value| {
        let mut sent = message(&name, "x");
        sent[key] = value;
        call(&api, "POST", PUBLISH, &sent)
    };
    let user = "406 PRECONDITION_FAILED - user_id property set to 'zzz' but authenticated user was 'guest'";
    assert_eq!(with("properties", json!({ "user_id": "zzz" })), bad(user));
    let expiration = "406 PRECONDITION_FAILED - invalid expiration 'zzz': no_integer";
    assert_eq!(with("properties", json!({ "expiration": "zzz" })), bad(expiration));
    assert_eq!(with("payload", json!(5)), bad("payload_not_string"));
    let encoding = json!({ "error": "bad_request", "reason": ["unsupported_encoding", "zzz"] });
    assert_eq!(with("payload_encoding", json!("zzz")), (400, encoding));
    let mode = json!({ "error": "bad_request", "reason": ["not_int", "delivery_mode"] });
    assert_eq!(with("properties", json!({ "delivery_mode": "x" })), (400, mode));
    let missing = "[{key_missing,routing_key},\n {key_missing,properties},\n {key_missing,payload},\n \
                   {key_missing,payload_encoding}]";
    assert_eq!(call(&api, "POST", PUBLISH, &json!({})), bad(missing));
    let unknown = refused(404, "not_found", "exchange_not_found");
    assert_eq!(call(&api, "POST", "/api/exchanges/%2F/no-such/publish", &message(&name, "x")), unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_says_what_it_does_not_understand() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    call(&api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({}));
    let path = format!("/api/queues/%2F/{name}/get");
    let bad = |text: &str| refused(400, "bad_request", text);
    let missing = "[{key_missing,ackmode},{key_missing,count},{key_missing,encoding}]";
    assert_eq!(call(&api, "POST", &path, &json!({})), bad(missing));
    let modes = "Invalid ackmode value: zzz. Valid values are: ack_requeue_true, ack_requeue_false, \
                 reject_requeue_true, reject_requeue_false";
    assert_eq!(call(&api, "POST", &path, &fetch(1, "zzz")), bad(modes));
    let mut other = fetch(1, "ack_requeue_true");
    other["encoding"] = json!("zzz");
    assert_eq!(call(&api, "POST", &path, &other), bad("Unsupported encoding. Please use auto or base64."));
    other["count"] = json!("x");
    let count = json!({ "error": "bad_request", "reason": ["not_integer", "x"] });
    assert_eq!(call(&api, "POST", &path, &other), (400, count));
    let unknown = refused(404, "not_found", "queue_not_found");
    assert_eq!(call(&api, "POST", "/api/queues/%2F/no-such/get", &fetch(1, "ack_requeue_true")), unknown);
    assert_eq!(
        call(&api, "POST", &path, &json!({ "count": "1", "ackmode": "ack_requeue_true", "encoding": "auto" })),
        (200, json!([]))
    );
}
