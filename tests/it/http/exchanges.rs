//! `/api/exchanges`.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::{TestBroker, x};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_is_declared_once_and_compared_afterwards() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("x"));
    let path = format!("/api/exchanges/%2F/{name}");
    assert_eq!(call(&api, "PUT", &path, &json!({ "type": "topic" })), (201, Value::Null));
    assert_eq!(call(&api, "PUT", &path, &json!({ "type": "topic" })), (204, Value::Null));
    let text = format!("inequivalent arg 'type' for {}: received 'direct' but current is 'topic'", x(&name));
    assert_eq!(call(&api, "PUT", &path, &json!({})), refused(400, "bad_request", &text));
    let found = api.get(&path);
    assert_eq!((found["type"].clone(), found["durable"].clone()), (json!("topic"), json!(false)));
    assert_eq!(found["user_who_performed_action"], "guest");
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    assert_eq!(api.request("DELETE", &path, None), absent());
    let unknown = refused(400, "bad_request", "unknown exchange type 'zzz'");
    assert_eq!(call(&api, "PUT", &path, &json!({ "type": "zzz" })), unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_of_the_broker_stay_as_they_are() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let refused = refused(401, "not_authorised", "Access refused.");
    assert_eq!(call(&api, "PUT", "/api/exchanges/%2F/amq.mine", &json!({})), refused);
    assert_eq!(api.request("DELETE", "/api/exchanges/%2F/amq.direct", None), refused);
    assert_eq!(api.request("DELETE", "/api/exchanges/%2F/amq.default", None), refused);
    let same = json!({ "type": "direct", "durable": true });
    assert_eq!(call(&api, "PUT", "/api/exchanges/%2F/amq.direct", &same), (204, Value::Null));
    let default = api.get("/api/exchanges/%2F/amq.default");
    assert_eq!((&default["name"], &default["user_who_performed_action"]), (&json!(""), &json!("rmq-internal")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_in_use_may_be_kept() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("x"));
    let path = format!("/api/exchanges/%2F/{name}");
    call(&api, "PUT", &path, &json!({ "type": "fanout" }));
    let other = broker.name("other");
    call(&api, "PUT", &format!("/api/exchanges/%2F/{other}"), &json!({ "type": "fanout" }));
    assert_eq!(call(&api, "POST", &format!("/api/bindings/%2F/e/{name}/e/{other}"), &json!({})).0, 201);
    let in_use = format!("{} in use", x(&name));
    assert_eq!(api.request("DELETE", &format!("{path}?if-unused=true"), None), refused(400, "bad_request", &in_use));
    let from = api.get(&format!("{path}/bindings/source"));
    assert_eq!(
        (from[0]["destination"].clone(), from[0]["destination_type"].clone()),
        (json!(other), json!("exchange"))
    );
    let to = api.get(&format!("/api/exchanges/%2F/{other}/bindings/destination"));
    assert_eq!(to[0]["source"], json!(name));
    assert_eq!(api.get("/api/exchanges/%2F/no-such/bindings/source"), json!([]));
}
